// The data of F(w, b) = 1/n sum_i weight_i loss(y_i, x_i . w + b) + alpha/2 ||w||^2, weight_i = s_i n / S, and the
// passes over all of it: raw predictions, losses, gradient. A pass takes the rows it is given; Python cuts it in
// slices, adds the slices' sums in order, and looks for Ctrl-C between them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "losses.hpp"
#include "rows.hpp"

namespace skvr {

template <class R, class L>
struct FiniteSum {
    using Rows = R;
    using Loss = L;

    Rows rows;
    const double* y;       // n x target_width
    const double* weight;  // n
    const double* alpha;   // K: several targets may each have their own
    size_t n_outputs_;
    bool fit_intercept;

    size_t n_outputs() const { return Loss::outputs(n_outputs_); }
    size_t n_coefficients() const { return rows.n_features * n_outputs(); }
    size_t n_parameters() const { return n_coefficients() + (fit_intercept ? n_outputs() : 0); }
    size_t size() const { return n_coefficients() + n_outputs(); }
    const double* target(size_t i) const { return y + i * Loss::target_width(n_outputs()); }

    // Asks for what a row's prediction and residual read, half of the row at a time (0 or 1).
    void prefetch(size_t i, size_t half) const {
        rows.prefetch(i, half);
        if (half == 1) return;
        prefetch_line<3>(target(i));
        prefetch_line<3>(weight + i);
    }

    // z = W x_i + b
    void predict(size_t i, const double* theta, double* z) const {
        const size_t K = n_outputs();
        const double* intercept = theta + n_coefficients();
        for (size_t k = 0; k < K; ++k) z[k] = intercept[k];
        rows.predict(i, theta, K, z);
    }

    // r = weight_i dloss/dz: the gradient of the row's weighted loss is r_k x_i
    void residual(size_t i, const double* z, double* r) const {
        const size_t K = n_outputs();
        Loss::gradient(z, target(i), K, r);
        for (size_t k = 0; k < K; ++k) r[k] *= weight[i];
    }

    // out += sum_t r_t x_i', i = drawn[t], intercepts included
    void add_gradient(const int64_t* drawn, size_t m, const double* r, double* out) const {
        const size_t K = n_outputs();
        rows.add(drawn, m, r, K, out);
        if (fit_intercept)
            for (size_t t = 0; t < m * K; ++t) out[n_coefficients() + t % K] += r[t];
    }

    // visit(begin, end, k): the coefficients theta[begin:end] belong to output k
    template <class Visit>
    void for_each_coefficient(Visit&& visit) const {
        const size_t K = n_outputs(), p = rows.n_features;
        if (!Rows::feature_major || K == 1) {
            for (size_t k = 0; k < K; ++k) visit(k * p, (k + 1) * p, k);
        } else {
            for (size_t j = 0; j < p; ++j)
                for (size_t k = 0; k < K; ++k) visit(j * K + k, j * K + k + 1, k);
        }
    }
};

template <class Data>
SKVR_CLONES void raw_predictions(const Data& data, const int64_t* order, size_t n, const double* theta, double* z) {
    for (size_t s = 0; s < n; ++s) data.predict(size_t(order[s]), theta, z + size_t(order[s]) * data.n_outputs());
}

// r may be z itself: a row's residual replaces its raw prediction. `shift` is added to the raw predictions.
template <class Data>
SKVR_CLONES void residuals(const Data& data, const int64_t* order, size_t n, const double* z, const double* shift,
                           double* r) {
    const size_t K = data.n_outputs();
    std::vector<double> shifted(K);
    for (size_t s = 0; s < n; ++s) {
        const size_t i = size_t(order[s]);
        for (size_t k = 0; k < K; ++k) shifted[k] = z[i * K + k] + shift[k];
        data.residual(i, shifted.data(), r + i * K);
    }
}

// out += sum_i r_i x_i', without the 1/n
template <class Data>
SKVR_CLONES void add_gradients(const Data& data, const int64_t* order, size_t n, const double* r, double* out) {
    const size_t K = data.n_outputs(), together = data.rows.added_in_a_pass();
    std::vector<double> a(together * K);
    for (size_t s = 0; s < n; s += together) {
        const size_t m = std::min(together, n - s);
        for (size_t t = 0; t < m; ++t) std::copy_n(r + size_t(order[s + t]) * K, K, &a[t * K]);
        data.add_gradient(order + s, m, a.data(), out);
    }
}

// Sums over the rows of the weighted loss and of its derivatives in a `shift` of the raw predictions: value, gradient
// (K) and Hessian (K x K). Blocks of rows are summed apart, so that rounding errors do not grow with n.
template <class Data>
SKVR_CLONES void loss_in_shift(const Data& data, const int64_t* order, size_t n, const double* z, const double* shift,
                               double* value, double* gradient, double* hessian) {
    using Loss = typename Data::Loss;
    constexpr size_t block = 256;
    const size_t K = data.n_outputs(), V = Loss::n_values(K), total = V + K + K * K;
    std::vector<double> scratch(K + total), sums(total);
    double *const shifted = scratch.data(), *const v = shifted + K, *const r = v + V, *const h = r + K;
    for (size_t first = 0; first < n; first += block) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (size_t s = first; s < std::min(n, first + block); ++s) {
            const size_t i = size_t(order[s]);
            for (size_t k = 0; k < K; ++k) shifted[k] = z[i * K + k] + shift[k];
            Loss::value(shifted, data.target(i), K, v);
            Loss::gradient(shifted, data.target(i), K, r);
            Loss::curvature(shifted, K, h);
            for (size_t t = 0; t < total; ++t) sums[t] += data.weight[i] * v[t];
        }
        for (size_t t = 0; t < V; ++t) value[t] += sums[t];
        for (size_t t = 0; t < K; ++t) gradient[t] += sums[V + t];
        for (size_t t = 0; t < K * K; ++t) hessian[t] += sums[V + K + t];
    }
}

}  // namespace skvr
