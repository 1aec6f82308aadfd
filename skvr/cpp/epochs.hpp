// The loops over drawn rows of the linear methods, one a family. Each is a pure function of the data, the drawn `order`, the step sizes of its
// steps (n_steps x K) and the state it is given: nothing random, no stopping rule.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "iterate.hpp"

namespace skvr {

// sgd (batch = 1) and minibatch: w -= eta (1/|B| sum_{i in B} grad f_i(w)), grad f_i(w) = r_i x_i + alpha w.
template <class Data>
SKVR_CLONES void sgd_epoch(const Data& data, const int64_t* order, size_t n, size_t batch, const double* eta,
                           double* theta) {
    const size_t K = data.n_outputs();
    std::vector<double> z(K), a(batch * K);
    Iterate<Data> w(data, theta, nullptr, Metric{});
    for (size_t first = 0; first < n; first += batch, eta += K) {
        const size_t m = std::min(batch, n - first);
        for (size_t t = 0; t < m; ++t) {
            prefetch(data, order, first + t, n, 0);
            w.predict(size_t(order[first + t]), z.data());
            data.residual(size_t(order[first + t]), z.data(), &a[t * K]);
            for (size_t k = 0; k < K; ++k) a[t * K + k] /= double(m);
            prefetch(data, order, first + t, n, 1);
            w.collect(order + first, t + 1, m, a.data());
        }
        w.step(order + first, m, eta, a.data(), nullptr, 1.0);
    }
    w.finish();
}

// sag: g_i <- grad loss_i(w), w -= eta (mean of the g + alpha w). Schmidt, Le Roux and Bach (2017), algorithm 1.
// saga: w -= eta (g_i new - g_i old + old mean of the g + alpha w). Defazio, Bach and Lacoste-Julien (2014), eq. 7.
// A row's gradient is a multiple of x_i, so the table holds K scalars a row; `sum` is the sum of the table's gradients,
// and the mean is over the n_seen rows that have one: nan marks a row not yet drawn. Returns the new n_seen.
// In saga the old mean is the new mean less (new - old) / n_seen.
template <class Data>
SKVR_CLONES size_t sag_epoch(const Data& data, const int64_t* order, size_t n, const double* eta, double* theta,
                             double* table, double* sum, size_t n_seen, bool saga, Metric metric) {
    const size_t K = data.n_outputs();
    std::vector<double> z(K), r(K), change(K), a(K);
    Iterate<Data> w(data, theta, sum, metric);
    for (size_t s = 0; s < n; ++s, eta += K) {
        const size_t i = size_t(order[s]);
        double* g = table + i * K;
        prefetch(data, order, s, n, 0);
        w.predict(i, z.data());
        data.residual(i, z.data(), r.data());
        if (std::isnan(g[0])) {
            n_seen += 1;
            std::fill(g, g + K, 0.0);
        }
        const double share = 1.0 / double(n_seen);
        for (size_t k = 0; k < K; ++k) {
            change[k] = r[k] - g[k];
            a[k] = saga ? change[k] - change[k] * share : 0.0;
            g[k] = r[k];
        }
        prefetch(data, order, s, n, 1);
        w.step(order + s, 1, eta, a.data(), change.data(), share);
    }
    w.finish();
    return n_seen;
}

// svrg: w -= eta (grad loss_B(w) - grad loss_B(snapshot) + full loss gradient at the snapshot + alpha w). Johnson and
// Zhang (2013), figure 1. The snapshot's residuals are stored, so its gradients cost nothing; and alpha w stands for
// alpha (w - snapshot) + alpha snapshot.
template <class Data>
SKVR_CLONES void svrg_epoch(const Data& data, const int64_t* order, size_t n, size_t batch, const double* eta,
                            double* theta, const double* snapshot_residual, double* full_gradient) {
    const size_t K = data.n_outputs();
    std::vector<double> z(K), a(batch * K);
    Iterate<Data> w(data, theta, full_gradient, Metric{});
    for (size_t first = 0; first < n; first += batch, eta += K) {
        const size_t m = std::min(batch, n - first);
        for (size_t t = 0; t < m; ++t) {
            const size_t i = size_t(order[first + t]);
            prefetch(data, order, first + t, n, 0);
            w.predict(i, z.data());
            data.residual(i, z.data(), &a[t * K]);
            for (size_t k = 0; k < K; ++k) a[t * K + k] = (a[t * K + k] - snapshot_residual[i * K + k]) / double(m);
            prefetch(data, order, first + t, n, 1);
            w.collect(order + first, t + 1, m, a.data());
        }
        w.step(order + first, m, eta, a.data(), nullptr, 1.0);
    }
    w.finish();
}

}  // namespace skvr
