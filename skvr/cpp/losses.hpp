// The losses as functions of a row's K raw predictions z: value, gradient and curvature in z.
//
// Every formula holds for raw predictions of any size: no exp of a positive number, no log of a difference. `single`: one
// output, known to the compiler, so that loops over rows vectorise. `gradients`, and `add_curvatures`, a weighted sum,
// take m rows side by side, so that what is done to every number is a loop that vectorises. `value` is told the row's
// gradient r, which may save it from starting anew. `prox` is argmin_u 1/2 (u - c)^2 + step loss(u), found from a guess.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "exponential.hpp"
#include "vector.hpp"

namespace skvr {

// log(1 + exp(-y z)), y = -1 or 1. One output.
struct Logistic {
    static constexpr bool single = true;
    static constexpr size_t outputs(size_t) { return 1; }
    static constexpr size_t target_width(size_t) { return 1; }
    static constexpr size_t n_values(size_t) { return 1; }
    static constexpr size_t n_curvatures(size_t) { return 1; }

    // With m = y z, |r| = 1 / (1 + exp(m)) and log(1 + exp(-m)) = -log(1 - |r|) = -log(|r|) - m: by what is at most 1/2.
    static void value(const double* z, const double* y, const double* r, size_t, double* value) {
        const double margin = y[0] * z[0], size = std::fabs(r[0]);
        value[0] = minus_log_of_complement(margin > 0 ? size : 1 - size) - std::min(margin, 0.0);
    }
    static void gradients(const double* z, const double* y, size_t m, size_t, double* r) {
        for (size_t s = 0; s < m; ++s) {
            const double margin = y[s] * z[s], e = exp_of_nonpositive(-std::fabs(margin));
            r[s] = -y[s] * (margin > 0 ? e : 1.0) / (1 + e);
        }
    }
    static void add_curvatures(const double* z, const double* weight, size_t m, size_t, double* h) {
        std::vector<double> curvature(m);
        for (size_t s = 0; s < m; ++s) {
            const double e = exp_of_nonpositive(-std::fabs(z[s]));
            curvature[s] = e / ((1 + e) * (1 + e));
        }
        h[0] += dot(curvature.data(), weight, m);
    }
    // The margin m = y u solves m = y c + step / (1 + e^m): Newton's method in a bracket with 0 at one end. On either side
    // of 0 the excess is concave or convex such that from this end, where a step too far is cut off, Newton's method
    // comes to the root without passing it. Once close it is Halley's, which cubes the error by the same exponential: a
    // step of 1e-6 leaves nothing but rounding.
    static double prox(double c, double step, const double* y, double guess) {
        const double target = y[0] * c;
        double low = target, high = target + step;
        if (-target > 0.5 * step)
            high = std::min(high, 0.0);
        else
            low = std::max(low, 0.0);
        double m = std::clamp(y[0] * guess, low, high);
        for (int iteration = 0; iteration < 60; ++iteration) {
            const double e = exp_of_nonpositive(-std::fabs(m)), inverse = 1 / (1 + e), last = m;
            const double small = e * inverse, sigmoid = m > 0 ? small : inverse;  // 1 / (1 + e^m)
            const double excess = m - target - step * sigmoid, curvature = step * (small * inverse), slope = 1 + curvature;
            const double half_bend = 0.5 * curvature * (2 * sigmoid - 1);  // of the slope's derivative
            const bool close = std::fabs(excess) <= 0.5 * slope;
            (excess > 0 ? high : low) = m;
            m = std::clamp(m - excess * slope / (slope * slope - (close ? excess * half_bend : 0.0)), low, high);
            if (std::fabs(m - last) <= 1e-6 * (1 + std::fabs(m))) break;
        }
        return y[0] * m;
    }
};

// Softmax cross-entropy log(sum_k exp z_k) - z_y, y the number of the class. K outputs.
struct Softmax {
    static constexpr bool single = false;
    static constexpr size_t outputs(size_t K) { return K; }
    static constexpr size_t target_width(size_t) { return 1; }
    static constexpr size_t n_values(size_t) { return 1; }
    static constexpr size_t n_curvatures(size_t K) { return K * K; }

    // p_k = exp(z_k - max z) / sum
    static void probabilities(const double* z, size_t m, size_t K, double* p) {
        for (size_t s = 0; s < m; ++s) {
            const double top = *std::max_element(z + s * K, z + (s + 1) * K);
            for (size_t k = 0; k < K; ++k) p[s * K + k] = z[s * K + k] - top;
        }
        for (size_t t = 0; t < m * K; ++t) p[t] = exp_of_nonpositive(p[t]);
        for (size_t s = 0; s < m; ++s) {
            double sum = 0;
            for (size_t k = 0; k < K; ++k) sum += p[s * K + k];
            const double inverse = 1 / sum;
            for (size_t k = 0; k < K; ++k) p[s * K + k] *= inverse;
        }
    }
    // Summed from the other classes where the row's own probability is near one: 1 - p would lose every digit.
    static void gradients(const double* z, const double* y, size_t m, size_t K, double* r) {
        probabilities(z, m, K, r);
        for (size_t s = 0; s < m; ++s) {
            const size_t own = size_t(y[s]);
            double others = 0;
            for (size_t k = 0; k < K; ++k) others += k == own ? 0 : r[s * K + k];
            r[s * K + own] = -others;
        }
    }
    // -log p_own = -log(1 + r_own), and -log p_top + (z_top - z_own) where p_own may be all rounding errors.
    static void value(const double* z, const double* y, const double* r, size_t K, double* value) {
        const size_t own = size_t(y[0]), top = size_t(std::max_element(z, z + K) - z);
        value[0] = own == top ? -std::log1p(r[own]) : z[top] - z[own] - std::log(r[top]);
    }
    // diag(p) - p p'
    static void add_curvatures(const double* z, const double* weight, size_t m, size_t K, double* h) {
        std::vector<double> p(m * K);
        probabilities(z, m, K, p.data());
        for (size_t s = 0; s < m; ++s)
            for (size_t k = 0; k < K; ++k) {
                const double weighted = weight[s] * p[s * K + k];
                for (size_t l = 0; l < K; ++l) h[k * K + l] -= weighted * p[s * K + l];
                h[k * K + k] += weighted;
            }
    }
};

// 1/2 (y - z)^2 for each of K targets. N: the number of targets where the compiler may know it, or 0.
template <size_t N>
struct Squared {
    static constexpr bool single = N == 1;
    static constexpr size_t outputs(size_t K) { return N ? N : K; }
    static constexpr size_t target_width(size_t K) { return outputs(K); }
    static constexpr size_t n_values(size_t K) { return outputs(K); }
    static constexpr size_t n_curvatures(size_t) { return 1; }  // the targets have all the same, and none between them

    static void value(const double* z, const double* y, const double*, size_t K, double* value) {
        for (size_t k = 0; k < K; ++k) value[k] = 0.5 * (z[k] - y[k]) * (z[k] - y[k]);
    }
    static void gradients(const double* z, const double* y, size_t m, size_t K, double* r) {
        for (size_t t = 0; t < m * outputs(K); ++t) r[t] = z[t] - y[t];
    }
    static void add_curvatures(const double*, const double* weight, size_t m, size_t, double* h) {
        for (size_t s = 0; s < m; ++s) h[0] += weight[s];
    }
    static double prox(double c, double step, const double* y, double) { return (c + step * y[0]) / (1 + step); }
};

}  // namespace skvr
