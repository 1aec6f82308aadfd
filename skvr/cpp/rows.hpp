// The rows x_i of X, dense or CSR. What differs between the two layouts stands here and in iterate.hpp, nowhere else.
//
// The parameters are one flat vector theta: first the K x p coefficients, then the K intercepts. Dense rows keep the
// coefficients of one output together (k * p + j): a row meets K contiguous vectors. CSR rows keep those of one
// feature together (j * K + k): a non-zero touches one place in memory.
#pragma once

#include <algorithm>
#include <cstdint>

#include "triangle.hpp"
#include "vector.hpp"

namespace skvr {

constexpr size_t no_row = size_t(-1);

// A row, or a half of it (0 or 1), to be asked for while another is multiplied.
struct Ahead {
    size_t row = no_row;
    size_t half = whole;
    static constexpr size_t whole = 2;
};

template <class T>
struct DenseRows {
    const T* data;
    size_t n_features;

    static constexpr bool sparse = false;
    const T* row(size_t i) const { return data + i * n_features; }

    // stored_j += weight, first_j += weight d, second_j += weight d^2 with d = x_j - centre_j
    void add_moments(size_t i, double weight, const double* centre, double* SKVR_RESTRICT stored,
                     double* SKVR_RESTRICT first, double* SKVR_RESTRICT second) const {
        const T* x = row(i);
        for (size_t j = 0; j < n_features; ++j) {
            const double d = double(x[j]) - centre[j];
            stored[j] += weight;
            first[j] += weight * d;
            second[j] += weight * d * d;
        }
    }

    // Rows of up to 512 bytes are asked for half a row at a time, longer ones line by line while others are worked on. In
    // one beyond 32 KB the hardware sees a stream and runs ahead by itself: to ask for it, too, takes a fifth more time.
    bool is_short() const { return n_features * sizeof(T) <= 512; }
    bool is_long_in_order() const { return n_features * sizeof(T) > 256; }
    bool asks_by_line() const { return !is_short() && n_features * sizeof(T) <= 32768; }

    // Asks for what says where the row is, and for half of the row, 0 or 1.
    void prefetch_place(size_t) const {}
    void prefetch(size_t i, size_t half) const {
        if (is_short()) skvr::prefetch(row(i), n_features, half);
    }

    // z_k += x_i . w_k
    void predict(size_t i, const double* coef, size_t K, double* z, Ahead ahead) const {
        size_t k = 0;
        if (ahead.row != no_row && asks_by_line()) {
            const T* asked = row(ahead.row);
            z[k++] += ahead.half == Ahead::whole
                          ? dot<lanes>(row(i), coef, n_features, asked)
                          : dot<lanes / 2>(row(i), coef, n_features, asked + ahead.half * (n_features - n_features / 2));
        }
        for (; k < K; ++k) z[k] += dot(row(i), coef + k * n_features, n_features);
    }

    // out_k += sum_t a_tk x_rows[t], added in the order of t. Of `abreast` rows it asks for two `ahead`, if there are any.
    void add(const int64_t* rows, size_t m, const double* a, size_t K, double* out, const size_t* ahead = nullptr) const {
        for (; m >= abreast; m -= abreast, rows += abreast, a += abreast * K) {
            const T* x[abreast];
            for (size_t t = 0; t < abreast; ++t) x[t] = row(size_t(rows[t]));
            for (size_t k = 0; k < K; ++k) {
                const double of[] = {a[k], a[K + k], a[2 * K + k], a[3 * K + k]};
                if (k == 0 && ahead && ahead[1] != no_row && asks_by_line()) {
                    const T* asked[] = {row(ahead[0]), row(ahead[1])};
                    add_multiples<true>(of, x, out, n_features, asked);
                } else {
                    add_multiples(of, x, out + k * n_features, n_features);
                }
            }
        }
        for (size_t t = 0; t < m; ++t, a += K)
            for (size_t k = 0; k < K; ++k) add_multiple(a[k], row(size_t(rows[t])), out + k * n_features, n_features);
    }

    // out = 0 again, after `add` of these rows
    void clear(const int64_t*, size_t, size_t K, double* out) const { std::fill_n(out, n_features * K, 0.0); }

    // How many rows a pass in the order of memory adds at a time: several, so that what they are added to is read and
    // written once for all. But longer rows are one stream to the hardware, which several would break, up to 8 KB.
    size_t added_in_a_pass() const { return is_short() || n_features * sizeof(T) >= 8192 ? abreast : 1; }

    // out = a (x_i - mean) inverse_scale
    void standardise(size_t i, double a, const double* mean, const double* inverse_scale, double* out) const {
        const T* x = row(i);
        for_each(n_features, [=](size_t j) { out[j] = a * ((double(x[j]) - mean[j]) * inverse_scale[j]); });
    }

    // ||(x_i - mean) inverse_scale||^2
    double standardised_norm(size_t i, const double* mean, const double* inverse_scale, double) const {
        return sum_of(n_features, [=, x = row(i)](size_t j) {
            const double v = (double(x[j]) - mean[j]) * inverse_scale[j];
            return v * v;
        });
    }
};

template <class T, class Index>
struct CsrRows {
    const T* data;
    const Index* indices;
    const Index* indptr;
    size_t n_features;
    size_t n_rows, n_nonzeros;

    static constexpr bool sparse = true;

    void prefetch_place(size_t i) const { prefetch_line<3>(indptr + i); }
    void prefetch(size_t i, size_t half) const {
        const size_t first = size_t(indptr[i]), count = size_t(indptr[i + 1]) - first;
        skvr::prefetch(data + first, count, half);
        skvr::prefetch(indices + first, count, half);
    }

    template <class Visit>
    void for_each_nonzero(size_t i, Visit&& visit) const {
        for (size_t t = size_t(indptr[i]); t < size_t(indptr[i + 1]); ++t) visit(size_t(indices[t]), double(data[t]));
    }

    // z_k += sum_j x_ij w(j, k), with w a function: the iterate's coefficients are not stored as such. One output takes
    // four partial sums, for an addition waits for the last one on its sum.
    template <class Coefficient>
    void predict_from(const Coefficient& w, size_t i, size_t K, double* z) const {
        if (K > 1) {
            for_each_nonzero(i, [&](size_t j, double x) {
                for (size_t k = 0; k < K; ++k) z[k] += x * w(j, k);
            });
            return;
        }
        const auto term = [&](size_t t) { return double(data[t]) * w(size_t(indices[t]), 0); };
        const size_t end = size_t(indptr[i + 1]);
        size_t t = size_t(indptr[i]);
        double sum[4] = {};
        for (; t + 4 <= end; t += 4)
            for (size_t l = 0; l < 4; ++l) sum[l] += term(t + l);
        for (; t < end; ++t) sum[0] += term(t);
        z[0] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }

    void predict(size_t i, const double* coef, size_t K, double* z, Ahead) const {
        predict_from([&](size_t j, size_t k) { return coef[j * K + k]; }, i, K, z);
    }

    void add(const int64_t* rows, size_t m, const double* a, size_t K, double* out, const size_t* = nullptr) const {
        for (size_t t = 0; t < m; ++t, a += K)
            for_each_nonzero(size_t(rows[t]), [&](size_t j, double x) {
                for (size_t k = 0; k < K; ++k) out[j * K + k] += a[k] * x;
            });
    }

    void clear(const int64_t* rows, size_t m, size_t K, double* out) const {
        for (size_t t = 0; t < m; ++t)
            for_each_nonzero(size_t(rows[t]), [&](size_t j, double) { std::fill_n(out + j * K, K, 0.0); });
    }

    size_t added_in_a_pass() const { return 1; }

    void add_moments(size_t i, double weight, const double* centre, double* stored, double* first, double* second) const {
        for_each_nonzero(i, [&](size_t j, double x) {
            const double d = x - centre[j];
            stored[j] += weight;
            first[j] += weight * d;
            second[j] += weight * d * d;
        });
    }

    void standardise(size_t i, double a, const double* mean, const double* inverse_scale, double* out) const {
        for (size_t j = 0; j < n_features; ++j) out[j] = -a * (mean[j] * inverse_scale[j]);
        for_each_nonzero(i, [&](size_t j, double x) { out[j] = a * ((x - mean[j]) * inverse_scale[j]); });
    }

    // gram += h (x_i, 1) (x_i, 1)'
    void add_outer_product(size_t i, double h, Triangle gram) const {
        const size_t end = size_t(indptr[i + 1]), p = n_features, half = gram.half();
        size_t t = size_t(indptr[i]);
        for (; t < end && size_t(indices[t]) < half; ++t) {  // the columns are sorted
            const double hx = h * double(data[t]);
            double* column = gram.column(size_t(indices[t]));
            for (size_t u = t; u < end; ++u) column[indices[u]] += hx * double(data[u]);
            column[p] += hx;
        }
        double* last = gram.row(p);
        for (const size_t first = t; t < end; ++t) {
            const double hx = h * double(data[t]);
            double* row = gram.row(size_t(indices[t]));
            for (size_t u = first; u <= t; ++u) row[size_t(indices[u]) - half] += hx * double(data[u]);
            last[size_t(indices[t]) - half] += hx;
        }
        last[p - half] += h;
    }

    double standardised_norm(size_t i, const double* mean, const double* inverse_scale, double of_zeros) const {
        double sum = of_zeros;
        for_each_nonzero(i, [&](size_t j, double x) { sum += x * (x - 2 * mean[j]) * (inverse_scale[j] * inverse_scale[j]); });
        return std::max(sum, 0.0);
    }
};

}  // namespace skvr
