// A step in all coefficients w of an output, and their product with the row that is predicted next:
//
//     d += change x,    w -= eta (alpha w + share d + centre_share e + a x),    total += w.
//
// Multiplied out, w = (1 - eta alpha) w - (eta a x + eta share d + eta centre_share e) has the fewest operations, and a
// coordinate is multiplied with the next row's while it is in a register.
#pragma once

#include "vector.hpp"

namespace skvr {

// What there is beside a x: nothing, a d that stays as it is, d += change x, that with e; and d += change x alone, without
// the step along x, which SAG does not take.
enum class Directions { none, fixed, moving, centred, moving_alone };

template <class X>
struct DenseStep {
    const X* x;
    double *w, *d, *total;  // d and total are null where they are absent, like e, which comes with d
    const double* e;
    double of_w, of_x, of_d, of_e;  // 1 - eta alpha, eta a, eta share, eta centre_share
    const double* change;           // null where d stays as it is

    // use(coordinate) with coordinate(j) the step in w_j, which it returns: a function of its own for what there is.
    template <class Use>
    double with_coordinate(Use&& use) const {
        if (!d) return with<Directions::none>(use);
        if (e) return with<Directions::centred>(use);
        if (!change) return with<Directions::fixed>(use);
        return of_x == 0 ? with<Directions::moving_alone>(use) : with<Directions::moving>(use);
    }

private:
    template <Directions directions, class Use>
    double with(Use&& use) const {
        const double c = change ? *change : 0.0;
        if (total) return use([s = *this, c](size_t j) { return s.template step<directions, true>(j, c); });
        return use([s = *this, c](size_t j) { return s.template step<directions, false>(j, c); });
    }

    template <Directions directions, bool averaged>
    double step(size_t j, double c) const {
        const double x_j = double(x[j]);
        if constexpr (directions >= Directions::moving) d[j] += c * x_j;
        double sum = directions == Directions::moving_alone ? of_d * d[j] : of_x * x_j;
        if constexpr (directions >= Directions::fixed && directions <= Directions::centred) sum += of_d * d[j];
        if constexpr (directions == Directions::centred) sum += of_e * e[j];
        w[j] = of_w * w[j] - sum;
        if constexpr (averaged) total[j] += w[j];
        return w[j];
    }
};

template <class X>
SKVR_CLONES void take(const DenseStep<X>& step, size_t n) {
    step.with_coordinate([n](auto coordinate) {
#pragma omp simd
        for (size_t j = 0; j < n; ++j) coordinate(j);
        return 0.0;
    });
}

// Returns w . next after the step. Asks for the lines of `ahead`. Inlined: the next step waits for it.
template <class X>
inline double take_and_dot(const DenseStep<X>& step, size_t n, const X* next, const X* ahead, bool backward) {
    return step.with_coordinate([=](auto coordinate) {
        return sum_of<lanes>(n, [=](size_t j) { return double(next[j]) * coordinate(j); }, ahead, backward);
    });
}

}  // namespace skvr
