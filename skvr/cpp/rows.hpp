// The rows x_i of X, dense or CSR. What differs between the two layouts stands here and in iterate.hpp, nowhere else.
//
// The parameters are one flat vector theta: first the K x p coefficients, then the K intercepts. Dense rows keep the
// coefficients of one output together (k * p + j): a row meets K contiguous vectors. CSR rows keep those of one
// feature together (j * K + k): a non-zero touches one place in memory.
#pragma once

#include <cstdint>

#include "vector.hpp"

namespace skvr {

template <class T>
struct DenseRows {
    const T* data;
    size_t n_features;

    static constexpr bool feature_major = false;
    const T* row(size_t i) const { return data + i * n_features; }

    // Asks for half of the row, 0 or 1.
    void prefetch(size_t i, size_t half) const { skvr::prefetch(row(i), n_features, half); }

    // z_k += x_i . w_k
    void predict(size_t i, const double* coef, size_t K, double* z) const {
        for (size_t k = 0; k < K; ++k) z[k] += dot(row(i), coef + k * n_features, n_features);
    }

    // out_k += a_k x_i
    void add(size_t i, const double* a, size_t K, double* out) const {
        for (size_t k = 0; k < K; ++k) add_multiple(a[k], row(i), out + k * n_features, n_features);
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

    void prefetch(size_t i, size_t half) const {
        const size_t first = size_t(indptr[i]), count = size_t(indptr[i + 1]) - first;
        skvr::prefetch(data + first, count, half);
        skvr::prefetch(indices + first, count, half);
    }

    template <class Visit>
    void for_each_nonzero(size_t i, Visit&& visit) const {
        for (size_t t = size_t(indptr[i]); t < size_t(indptr[i + 1]); ++t) visit(size_t(indices[t]), double(data[t]));
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
};

}  // namespace skvr
