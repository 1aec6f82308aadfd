// What the preconditioned methods of `auto` need beyond gradients: rows prepared for a Gram matrix, Gram matrices of few
// columns and of sparse rows, gradient changes of weighted batches, and dual coordinate ascent.
#pragma once

#include <algorithm>
#include <vector>

#include "finite_sum.hpp"
#include "products.hpp"

namespace skvr {

// out = (root_k (x_i - mean) / scale, root_k [intercept]) for k < n_roots side by side
template <class Data>
inline void scaled_row(const Data& data, size_t i, const double* root, size_t n_roots, const double* mean,
                       const double* inverse_scale, double* out) {
    const size_t p = data.rows.n_features;
    for (size_t k = 0; k < n_roots; ++k, out += p + 1) {
        data.rows.standardise(i, root[k], mean, inverse_scale, out);
        out[p] = data.fit_intercept ? root[k] : 0.0;
    }
}

// The rows z_s of `out` are the scaled rows i = order[s] with root_s, so that out' out is the Hessian's part in centred and
// scaled columns.
template <class Data>
SKVR_ROW_CLONES void scaled_rows(const Data& data, const int64_t* order, size_t n, const double* root, size_t n_roots,
                                 const double* mean, const double* inverse_scale, double* out) {
    const size_t q = n_roots * (data.rows.n_features + 1);
    for (size_t s = 0; s < n; ++s)
        scaled_row(data, size_t(order[s]), root + s * n_roots, n_roots, mean, inverse_scale, out + s * q);
}

// Sums over the rows of weight [x_j stored], weight (x_j - centre_j) and weight (x_j - centre_j)^2, the last two over the
// stored values only.
template <class Data>
SKVR_ROW_CLONES void add_moments(const Data& data, const int64_t* order, size_t n, const double* centre, double* stored,
                                 double* first, double* second) {
    for (size_t s = 0; s < n; ++s)
        data.rows.add_moments(size_t(order[s]), data.weight[size_t(order[s])], centre, stored, first, second);
}

// norms_i = ||(x_i - mean) / scale||^2
template <class Data>
SKVR_ROW_CLONES void standardised_norms(const Data& data, const int64_t* order, size_t n, const double* mean,
                                        const double* inverse_scale, double* norms) {
    double of_zeros = 0;
    for (size_t j = 0; j < data.rows.n_features; ++j) of_zeros += mean[j] * mean[j] * (inverse_scale[j] * inverse_scale[j]);
    for (size_t s = 0; s < n; ++s)
        norms[size_t(order[s])] = data.rows.standardised_norm(size_t(order[s]), mean, inverse_scale, of_zeros);
}

// gram += sum_s weight_s (x_i, 1) (x_i, 1)', i = order[s], of sparse rows
template <class Data>
SKVR_ROW_CLONES void add_gram(const Data& data, const int64_t* order, size_t n, const double* weight, double* gram) {
    const Triangle out{gram, data.rows.n_features + 1};
    for (size_t s = 0; s < n; ++s) data.rows.add_outer_product(size_t(order[s]), weight[s], out);
}

// gram += sum_i z_i z_i', z_i the scaled row i = order[s] with root_i, of few columns. Of the z_i some, up to 32 KB of them
// but at least 64, are made at a time, and still in the cache when they are multiplied.
template <class Data>
SKVR_ROW_CLONES void add_packed_gram(const Data& data, const int64_t* order, size_t n, const double* root, size_t n_roots,
                                     const double* mean, const double* inverse_scale, double* gram) {
    const size_t q = n_roots * (data.rows.n_features + 1), stride = padded_columns(q);
    const size_t height = std::max<size_t>(64, 4096 / stride);
    std::vector<double> storage((height + padded_rows(q)) * stride + cache_line - 1);
    double *const z = at_cache_line(storage.data()), *const sums = z + height * stride;
    for (size_t first = 0; first < n; first += height) {
        const size_t m = std::min(height, n - first);
        for (size_t s = 0; s < m; ++s) {
            const size_t i = size_t(order[first + s]);
            scaled_row(data, i, root + i * n_roots, n_roots, mean, inverse_scale, z + s * stride);
        }
        add_products(z, m, q, stride, sums);
    }
    const Triangle out{gram, q};
    for (size_t i = 0; i < q; ++i)
        for (size_t j = 0; j <= i; ++j) out.at(i, j) += sums[i * stride + j];
}

// out += sum_s weight_s (r_i(theta) - r_i) x_i', i = order[s]: the change of a batch's gradient since the snapshot whose
// residuals are r.
template <class Data>
SKVR_ROW_CLONES void add_gradient_changes(const Data& data, const int64_t* order, size_t n, const double* weight,
                                          const double* theta, const double* r, double* out) {
    const size_t K = data.n_outputs();
    std::vector<double> z(K), change(K);
    for (size_t s = 0; s < n; ++s) {
        const size_t i = size_t(order[s]);
        data.predict(i, theta, z.data(), {prefetch(data, order, s, n, 0)});
        data.residual(i, z.data(), change.data());
        for (size_t k = 0; k < K; ++k) change[k] = weight[s] * (change[k] - r[i * K + k]);
        prefetch(data, order, s, n, 1);
        data.add_gradient(order + s, 1, change.data(), out);
    }
}

// sdca: with r_i the dual variable of row i and w = -1/(alpha n) sum_i r_i x_i, maximise the dual in r_i alone, which is
// a proximal step on the row's raw prediction. Shalev-Shwartz and Zhang (2013), section 4, option I solved exactly. The
// intercept is the coefficient of a column of the value s, s^2 = `intercept_square`, about a centre (see
// solvers/sdca.py): it moves with b += s^2 times what the coefficient of x = 1 would move by. One output.
template <class Data>
SKVR_ROW_CLONES void sdca_epoch(const Data& data, const int64_t* order, size_t n, double n_samples, const double* squared_norm,
                                double intercept_square, double* theta, double* r) {
    const double scale = 1 / (data.alpha[0] * n_samples);
    double& intercept = theta[data.n_coefficients()];
    for (size_t s = 0; s < n; ++s) {
        const size_t i = size_t(order[s]), ahead = prefetch(data, order, s, n, 0);
        const double q = scale * (squared_norm[i] + intercept_square);
        if (q == 0) continue;  // an empty row
        double z;
        data.predict(i, theta, &z, {ahead});
        const double c = z + q * r[i];
        const double next = (c - Data::Loss::prox(c, q * data.weight[i], data.target(i), z)) / q;
        const double step = -scale * (next - r[i]);
        r[i] = next;
        prefetch(data, order, s, n, 1, r);
        data.rows.add(order + s, 1, &step, 1, theta);
        intercept += intercept_square * step;
    }
}

}  // namespace skvr
