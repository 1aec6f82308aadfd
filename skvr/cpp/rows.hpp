// The rows x_i of X, dense or CSR. What differs between the two layouts stands here and in iterate.hpp, nowhere else.
//
// The parameters are one flat vector theta: first the K x p coefficients, then the K intercepts. Dense rows keep the
// coefficients of one output together (k * p + j): a row meets K contiguous vectors. CSR rows keep those of one
// feature together (j * K + k): a non-zero touches one place in memory.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vector.hpp"

namespace skvr {

template <class T>
struct DenseRows {
    const T* data;
    size_t n_features;

    static constexpr bool feature_major = false;
    const T* row(size_t i) const { return data + i * n_features; }

    template <class Visit>
    void for_each_nonzero(size_t i, Visit&& visit) const {
        const T* x = row(i);
        for (size_t j = 0; j < n_features; ++j) visit(j, double(x[j]));
    }

    // z_k += x_i . w_k
    void predict(size_t i, const double* coef, size_t K, double* z) const {
        for (size_t k = 0; k < K; ++k) z[k] += dot(row(i), coef + k * n_features, n_features);
    }

    void prefetch(size_t) const {}

    // out_k += a_k x_i
    void add(size_t i, const double* a, size_t K, double* out) const {
        for (size_t k = 0; k < K; ++k) add_multiple(a[k], row(i), out + k * n_features, n_features);
    }

    // out = a (x_i - mean) inverse_scale
    void standardise(size_t i, double a, const double* mean, const double* inverse_scale, double* out) const {
        const T* x = row(i);
        for (size_t j = 0; j < n_features; ++j) out[j] = a * ((double(x[j]) - mean[j]) * inverse_scale[j]);
    }

    // gram_jl += h x_j x_l for l <= j, `stride` entries a row
    void add_outer_product(size_t i, double h, double* gram, size_t stride) const {
        const T* x = row(i);
        for (size_t j = 0; j < n_features; ++j) add_multiple(h * double(x[j]), x, gram + j * stride, j + 1);
    }

    // ||(x_i - mean) inverse_scale||^2
    double standardised_norm(size_t i, const double* mean, const double* inverse_scale, double) const {
        double sum[lanes] = {};
        const T* x = row(i);
        size_t j = 0;
        const auto term = [&](size_t at) {
            const double v = (double(x[at]) - mean[at]) * inverse_scale[at];
            return v * v;
        };
        for (; j + lanes <= n_features; j += lanes)
            for (size_t l = 0; l < lanes; ++l) sum[l] += term(j + l);
        for (; j < n_features; ++j) sum[0] += term(j);
        for (size_t l = 1; l < lanes; ++l) sum[0] += sum[l];
        return sum[0];
    }
};

template <class T, class Index>
struct CsrRows {
    const T* data;
    const Index* indices;
    const Index* indptr;
    size_t n_features;
    size_t n_rows, n_nonzeros;

    static constexpr bool feature_major = true;

    template <class Visit>
    void for_each_nonzero(size_t i, Visit&& visit) const {
        for (size_t t = size_t(indptr[i]); t < size_t(indptr[i + 1]); ++t) visit(size_t(indices[t]), double(data[t]));
    }

    void prefetch(size_t i) const {
        const char* first = (const char*)(data + indptr[i]);
        const char* last = (const char*)(data + indptr[i + 1]);
        for (const char* at = first; at < last; at += 64) __builtin_prefetch(at);
        first = (const char*)(indices + indptr[i]);
        last = (const char*)(indices + indptr[i + 1]);
        for (const char* at = first; at < last; at += 64) __builtin_prefetch(at);
    }

    void predict(size_t i, const double* coef, size_t K, double* z) const {
        for_each_nonzero(i, [&](size_t j, double x) {
            for (size_t k = 0; k < K; ++k) z[k] += x * coef[j * K + k];
        });
    }

    void add(size_t i, const double* a, size_t K, double* out) const {
        for_each_nonzero(i, [&](size_t j, double x) {
            for (size_t k = 0; k < K; ++k) out[j * K + k] += a[k] * x;
        });
    }

    void standardise(size_t i, double a, const double* mean, const double* inverse_scale, double* out) const {
        for (size_t j = 0; j < n_features; ++j) out[j] = -a * (mean[j] * inverse_scale[j]);
        for_each_nonzero(i, [&](size_t j, double x) { out[j] = a * ((x - mean[j]) * inverse_scale[j]); });
    }

    void add_outer_product(size_t i, double h, double* gram, size_t stride) const {
        for (size_t t = size_t(indptr[i]); t < size_t(indptr[i + 1]); ++t) {
            const double hx = h * double(data[t]);
            double* row = gram + size_t(indices[t]) * stride;
            for (size_t u = size_t(indptr[i]); u <= t; ++u) row[indices[u]] += hx * double(data[u]);  // sorted columns
        }
    }

    double standardised_norm(size_t i, const double* mean, const double* inverse_scale, double of_zeros) const {
        double sum = of_zeros;
        for_each_nonzero(i, [&](size_t j, double x) { sum += x * (x - 2 * mean[j]) * (inverse_scale[j] * inverse_scale[j]); });
        return std::max(sum, 0.0);
    }
};

}  // namespace skvr
