// The iterate w of the linear methods (sgd, minibatch, sag, saga, svrg), all of which step as
//
//     d += change x_i',    w -= eta M (alpha w + share d + sum_i a_i x_i'),
//
// with d a dense direction (the sum of SAG's table, share = 1/m; SVRG's full gradient, share = 1; absent in SGD), one or
// more rows i, and M a diagonal metric (the identity except in `auto`). Intercepts step alike with x = 1, alpha = 0.
#pragma once

#include <algorithm>
#include <vector>

#include "finite_sum.hpp"

namespace skvr {

// M as Python gives it: `values` holds the few distinct entries, `group` names the entry of each feature and, last, of
// the intercept. No groups: the identity.
struct Metric {
    const double* values = nullptr;
    const int64_t* group = nullptr;
    size_t n_groups = 1;

    double of_group(size_t g) const { return values ? values[g] : 1.0; }
    size_t group_of(size_t j) const { return group ? size_t(group[j]) : 0; }
    double operator()(size_t j) const { return of_group(group_of(j)); }
};

template <class Data, class Rows = typename Data::Rows>
class Iterate;

// What both layouts do with the K intercepts.
template <class Data>
inline void step_intercept(const Data& data, const Metric& metric, size_t m, const double* eta, const double* a,
                           const double* change, double share, double* theta, double* direction) {
    if (!data.fit_intercept) return;
    const size_t K = data.n_outputs();
    const double scale = metric(data.rows.n_features);
    double* b = theta + data.n_coefficients();
    for (size_t k = 0; k < K; ++k) {
        double sum = 0;
        for (size_t t = 0; t < m; ++t) sum += a[t * K + k];
        if (direction) {
            double& d = direction[data.n_coefficients() + k];
            if (change) d += change[k];
            sum += share * d;
        }
        b[k] -= eta[k] * scale * sum;
    }
}

// Dense rows: the formula as it stands.
template <class Data, class T>
class Iterate<Data, DenseRows<T>> {
public:
    Iterate(const Data& data, double* theta, double* direction, Metric metric)
        : data(data), theta(theta), direction(direction), metric(metric), g(data.n_coefficients()) {
        if (!metric.values) return;
        scale.resize(data.rows.n_features);
        for (size_t j = 0; j < scale.size(); ++j) scale[j] = metric(j);
    }

    void predict(size_t i, double* z) const { data.predict(i, theta, z); }

    // Of a batch of m the first `known` a_t are there: g += a_t x_t, some rows at a time while they are in cache.
    void collect(const int64_t* rows, size_t known, size_t m, const double* a) {
        const size_t K = data.n_outputs(), first = (known - 1) / abreast * abreast;
        if (m > 1 && (known % abreast == 0 || known == m))
            data.rows.add(rows + first, known - first, a + first * K, K, g.data());
    }

    // `change` (with one row only) and `direction` may be null.
    void step(const int64_t* rows, size_t m, const double* eta, const double* a, const double* change, double share) {
        const size_t K = data.n_outputs(), p = data.rows.n_features;
        for (size_t k = 0; k < K; ++k) {
            if (m == 1)
                step_output(k, data.rows.row(size_t(rows[0])), eta[k], a[k], change ? change[k] : 0.0, share);
            else
                step_output(k, &g[k * p], eta[k], 1.0, 0.0, share);
        }
        if (m > 1) std::fill(g.begin(), g.end(), 0.0);
        step_intercept(data, metric, m, eta, a, change, share, theta, direction);
    }

    void finish() {}

private:
    // d += change x, w -= eta M (alpha w + share d + a x)
    template <class X>
    void step_output(size_t k, const X* x, double eta, double a, double change, double share) {
        const size_t p = data.rows.n_features;
        const double alpha = data.alpha[k];
        double* w = theta + k * p;
        double* d = direction ? direction + k * p : nullptr;
        if (!d)
            for (size_t j = 0; j < p; ++j) w[j] -= eta * (alpha * w[j] + a * double(x[j]));
        else if (scale.empty())
            for (size_t j = 0; j < p; ++j) {
                d[j] += change * double(x[j]);
                w[j] -= eta * (alpha * w[j] + share * d[j] + a * double(x[j]));
            }
        else
            for (size_t j = 0; j < p; ++j) {
                d[j] += change * double(x[j]);
                w[j] -= eta * scale[j] * (alpha * w[j] + share * d[j] + a * double(x[j]));
            }
    }

    const Data& data;
    double* theta;
    double* direction;
    Metric metric;
    std::vector<double> g, scale;  // the loss gradient of a batch; the metric's diagonal, empty for the identity
};

// CSR rows: only the row's non-zeros are touched, and the result is exactly the dense one. A coordinate that the row
// does not touch moves by w -> rho w - eta M share d with rho = 1 - eta M alpha and d constant; it is stored as u, with
//
//     w = P (u - Q d),    P = product of the rho since the last flush,    Q = sum of eta M share / P,
//
// and a step changes P and Q only (one pair per output and distinct entry of M). This is the just-in-time update of
// Schmidt, Le Roux and Bach (2017), section 4.1, with the geometric sums carried along instead of recomputed. Rounding
// errors are of the size of P Q |d|, how far an untouched coordinate has gone since the last flush; so all coordinates
// are flushed every few hundred steps, as often as costs less than the steps themselves.
template <class Data, class T, class Index>
class Iterate<Data, CsrRows<T, Index>> {
public:
    Iterate(const Data& data, double* theta, double* direction, Metric metric)
        : data(data), theta(theta), direction(direction), metric(metric), P(metric.n_groups * data.n_outputs(), 1.0),
          Q(P.size(), 0.0), rho(P.size()), c(P.size()) {
        const double nonzeros_per_row = double(data.rows.n_nonzeros) / double(data.rows.n_rows) + 1;
        flush_interval = 64 + size_t(4 * double(data.rows.n_features) / nonzeros_per_row);
    }

    void predict(size_t i, double* z) const {
        const size_t K = data.n_outputs();
        for (size_t k = 0; k < K; ++k) z[k] = theta[data.n_coefficients() + k];
        data.rows.predict_from([&](size_t j, size_t k) { return value(j, k); }, i, K, z);
    }

    void collect(const int64_t*, size_t, size_t, const double*) {}  // theta waits for the step

    void step(const int64_t* rows, size_t m, const double* eta, const double* a, const double* change, double share) {
        const size_t K = data.n_outputs();
        bool underflow = false, dense = false;
        for (size_t g = 0; g < metric.n_groups; ++g)
            for (size_t k = 0; k < K; ++k) {
                const double factor = rho[g * K + k] = 1 - eta[k] * metric.of_group(g) * data.alpha[k];
                dense |= factor < tiny;
                underflow |= P[g * K + k] * factor < tiny;
            }
        if (underflow || ++steps_since_flush == flush_interval) flush();
        if (change)
            data.rows.for_each_nonzero(size_t(rows[0]), [&](size_t j, double x) {
                const size_t g = metric.group_of(j) * K;
                for (size_t k = 0; k < K; ++k) {
                    direction[j * K + k] += change[k] * x;
                    theta[j * K + k] += change[k] * x * Q[g + k];
                }
            });
        if (dense) {  // rho <= 0: a step beyond 1 / alpha, which no product can carry
            for (size_t j = 0; j < data.rows.n_features; ++j)
                for (size_t k = 0; k < K; ++k) {
                    double& w = theta[j * K + k];
                    const double d = direction ? share * direction[j * K + k] : 0.0;
                    w -= eta[k] * metric(j) * (data.alpha[k] * w + d);
                }
        } else {
            for (size_t g = 0; g < metric.n_groups; ++g)
                for (size_t k = 0; k < K; ++k) {
                    P[g * K + k] *= rho[g * K + k];
                    Q[g * K + k] += eta[k] * metric.of_group(g) * share / P[g * K + k];
                }
        }
        const double* a_t = a;
        for (size_t t = 0; t < m; ++t, a_t += K) {
            if (std::all_of(a_t, a_t + K, [](double a) { return a == 0; })) continue;  // sag
            for (size_t g = 0; g < metric.n_groups; ++g)
                for (size_t k = 0; k < K; ++k) c[g * K + k] = a_t[k] * eta[k] * metric.of_group(g) / P[g * K + k];
            data.rows.for_each_nonzero(size_t(rows[t]), [&](size_t j, double x) {
                const size_t g = metric.group_of(j) * K;
                for (size_t k = 0; k < K; ++k) theta[j * K + k] -= c[g + k] * x;
            });
        }
        step_intercept(data, metric, m, eta, a, change, share, theta, direction);
    }

    void finish() { flush(); }

private:
    static constexpr double tiny = 1e-50;

    double value(size_t j, size_t k) const {
        const size_t K = data.n_outputs(), at = metric.group_of(j) * K + k;
        return direction ? P[at] * (theta[j * K + k] - Q[at] * direction[j * K + k]) : P[at] * theta[j * K + k];
    }

    void flush() {
        const size_t K = data.n_outputs();
        for (size_t j = 0; j < data.rows.n_features; ++j)
            for (size_t k = 0; k < K; ++k) theta[j * K + k] = value(j, k);
        std::fill(P.begin(), P.end(), 1.0);
        std::fill(Q.begin(), Q.end(), 0.0);
        steps_since_flush = 0;
    }

    const Data& data;
    double* theta;
    double* direction;
    Metric metric;
    std::vector<double> P, Q, rho, c;
    size_t steps_since_flush = 0, flush_interval;
};

}  // namespace skvr
