// The losses as functions of a row's K raw predictions z: value, gradient and curvature in z.
//
// Every formula holds for raw predictions of any size: an exp of a positive number stands in a denominator alone, no log
// is of a difference. `single`: one output, known to the compiler. Most take m <= `block_rows` rows at a time, and of these
// the numbers of one output side by side, z_k of row s at k m + s: loops over the rows vectorise, however few the outputs
// are. `values` are told the gradients r, which saves them from starting anew; `add_curvatures` adds the sum over the rows,
// weighted. `residual` is the weighted gradient of one row, for which a step along it waits. Of one row and one output,
// `prox` is argmin_u 1/2 (u - c)^2 + step loss(u), found from a guess.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "exponential.hpp"
#include "vector.hpp"

namespace skvr {

constexpr size_t block_rows = 256;

// log(1 + exp(-y z)), y = -1 or 1. One output.
struct Logistic {
    static constexpr bool single = true;
    static constexpr size_t outputs(size_t) { return 1; }
    static constexpr size_t target_width(size_t) { return 1; }
    static constexpr size_t n_values(size_t) { return 1; }
    static constexpr size_t n_curvatures(size_t) { return 1; }

    // With m = y z, |r| = 1 / (1 + exp(m)) and log(1 + exp(-m)) = -log(1 - |r|) = -log(|r|) - m: by what is at most 1/2.
    static void values(const double* z, const double* y, const double* r, size_t m, size_t, double* value) {
        for_each(m, [=](size_t s) {
            const double margin = y[s] * z[s], size = std::fabs(r[s]);
            value[s] = minus_log_of_complement(margin > 0 ? size : 1 - size) - std::min(margin, 0.0);
        });
    }
    static void gradients(const double* z, const double* y, size_t m, size_t, double* r) {
        for_each(m, [=](size_t s) {
            const double margin = y[s] * z[s], e = exp_of_nonpositive(-std::fabs(margin));
            r[s] = -y[s] * (margin > 0 ? e : 1.0) / (1 + e);
        });
    }
    static void residual(const double* z, const double* y, double weight, size_t, double* r) {
        r[0] = -y[0] * weight / (1 + single_exp(y[0] * z[0]));
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
            const double e = single_exp(-std::fabs(m)), inverse = 1 / (1 + e), last = m;
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
        double top[block_rows], sum[block_rows];
        std::copy_n(z, m, top);
        for (size_t k = 1; k < K; ++k)
            for_each(m, [=, &top](size_t s) { top[s] = top[s] < z[k * m + s] ? z[k * m + s] : top[s]; });
        for (size_t k = 0; k < K; ++k) for_each(m, [=, &top](size_t s) { p[k * m + s] = z[k * m + s] - top[s]; });
        for_each(m * K, [=](size_t t) { p[t] = exp_of_nonpositive(p[t]); });
        std::fill_n(sum, m, 0.0);
        for (size_t k = 0; k < K; ++k) for_each(m, [=, &sum](size_t s) { sum[s] += p[k * m + s]; });
        for_each(m, [&](size_t s) { sum[s] = 1 / sum[s]; });
        for (size_t k = 0; k < K; ++k) for_each(m, [=, &sum](size_t s) { p[k * m + s] *= sum[s]; });
    }
    // Summed from the other classes where the row's own probability is near one: 1 - p would lose every digit.
    static void gradients(const double* z, const double* y, size_t m, size_t K, double* r) {
        probabilities(z, m, K, r);
        double others[block_rows];
        std::fill_n(others, m, 0.0);
        for (size_t k = 0; k < K; ++k)
            for_each(m, [=, &others](size_t s) { others[s] += y[s] == double(k) ? 0.0 : r[k * m + s]; });
        for (size_t k = 0; k < K; ++k)
            for_each(m, [=, &others](size_t s) { r[k * m + s] = y[s] == double(k) ? -others[s] : r[k * m + s]; });
    }
    // The same of one row; loops made for a block would take as long as the rest of a step.
    static void residual(const double* z, const double* y, double weight, size_t K, double* r) {
        double top = z[0], others = 0;
        for (size_t k = 1; k < K; ++k) top = top < z[k] ? z[k] : top;
        const size_t own = size_t(y[0]);
        for (size_t k = 0; k < K; ++k) {
            r[k] = single_exp(z[k] - top);
            others += k == own ? 0.0 : r[k];
        }
        const double share = weight / (others + r[own]);
        for (size_t k = 0; k < K; ++k) r[k] *= share;
        r[own] = -others * share;
    }
    // -log p_own = -log(1 - |r_own|), and where that would lose digits (z_top - z_own) - log p_top.
    static void values(const double* z, const double* y, const double* r, size_t m, size_t K, double* value) {
        double z_own[block_rows], others[block_rows], z_other[block_rows], p_other[block_rows];
        std::fill_n(z_own, m, 0.0);
        std::fill_n(others, m, 0.0);
        constexpr double none = -std::numeric_limits<double>::infinity();
        std::fill_n(z_other, m, none);
        std::fill_n(p_other, m, 0.0);
        for (size_t k = 0; k < K; ++k)
            for_each(m, [&, k](size_t s) {
                const double z_k = z[k * m + s], r_k = r[k * m + s];
                const bool own = y[s] == double(k);
                const double rival = own ? none : z_k, p_rival = own ? 0.0 : r_k;
                z_own[s] = own ? z_k : z_own[s];
                others[s] = own ? -r_k : others[s];
                z_other[s] = z_other[s] < rival ? rival : z_other[s];
                p_other[s] = p_other[s] < p_rival ? p_rival : p_other[s];
            });
        for_each(m, [&](size_t s) {
            const double other = z_other[s] - z_own[s], above = other < 0 ? 0.0 : other;
            const double p_top = other < 0 ? 1 - others[s] : p_other[s];
            const double likely = minus_log_of_complement(others[s]), unlikely = above + minus_log(p_top);
            value[s] = others[s] > 0.5 ? unlikely : likely;  // likely is nan where a raw prediction is
        });
    }
    // diag(p) - p p'
    static void add_curvatures(const double* z, const double* weight, size_t m, size_t K, double* h) {
        std::vector<double> p(m * K);
        probabilities(z, m, K, p.data());
        double weighted[block_rows];
        for (size_t k = 0; k < K; ++k) {
            for (size_t s = 0; s < m; ++s) weighted[s] = weight[s] * p[k * m + s];
            for (size_t l = 0; l < k; ++l) {
                const double product = dot(weighted, &p[l * m], m);
                h[k * K + l] -= product;
                h[l * K + k] -= product;
            }
            h[k * K + k] += sum_of(m, [&](size_t s) { return weighted[s] * (1 - p[k * m + s]); });
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

    static void values(const double* z, const double* y, const double*, size_t m, size_t K, double* value) {
        for (size_t t = 0; t < m * outputs(K); ++t) value[t] = 0.5 * (z[t] - y[t]) * (z[t] - y[t]);
    }
    static void gradients(const double* z, const double* y, size_t m, size_t K, double* r) {
        for (size_t t = 0; t < m * outputs(K); ++t) r[t] = z[t] - y[t];
    }
    static void residual(const double* z, const double* y, double weight, size_t K, double* r) {
        for (size_t k = 0; k < outputs(K); ++k) r[k] = weight * (z[k] - y[k]);
    }
    static void add_curvatures(const double*, const double* weight, size_t m, size_t, double* h) {
        h[0] += sum_of(m, [=](size_t s) { return weight[s]; });
    }
    static double prox(double c, double step, const double* y, double) { return (c + step * y[0]) / (1 + step); }
};

}  // namespace skvr
