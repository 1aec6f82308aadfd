// The loops over drawn rows of the linear methods, one a family. Each is a pure function of the data, the drawn `order`,
// the step sizes of its steps (n_steps x K, or a line search) and the state it is given: nothing random, no stopping rule.
// Iterates are added to `total` unless it is null.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "iterate.hpp"
#include "step_size.hpp"

namespace skvr {

// w -= eta (1/|B| sum_{i in B} (r_i - snapshot_residual_i) x_i + direction + alpha w), r_i the residual of row i. The
// snapshot and the direction may be null, for zeros. A line search takes the loss of the batch as it is, uncorrected.
template <bool batched, class Data>
inline void epoch_of_groups(const Data& data, const int64_t* order, size_t n, size_t batch, Steps<Data> steps,
                            double* theta, double* total, double* direction, const double* snapshot_residual) {
    const size_t K = data.n_outputs();
    std::vector<double> z(batch * K), r(batch * K), a(batch * K);
    Iterate<Data, batched> w(data, theta, total, direction);
    const auto predict = [&](size_t i, double* z_i, Ahead ahead) { w.predict(i, z_i, ahead); };
    for (size_t first = 0; first < n; first += batch) {
        const size_t m = std::min(batch, n - first);
        for (size_t t = 0; t < m; t += abreast) {
            const size_t together = batched ? std::min(abreast, m - t) : 1;
            size_t ahead[abreast];
            group(data, order, first + t, together, n, predict, 1.0 / double(m), snapshot_residual, &z[t * K],
                  &r[t * K], &a[t * K], ahead);
            if (batched) w.collect(order + first + t, together, &a[t * K], ahead + abreast / 2);
        }
        w.step(order + first, m, steps.next(order + first, m, z.data(), r.data()), a.data());
    }
    w.finish();
}

template <class Data>
inline void batch_epoch(const Data& data, const int64_t* order, size_t n, size_t batch, Steps<Data> steps, double* theta,
                        double* total, double* direction, const double* snapshot_residual) {
    if (batch == 1)
        epoch_of_groups<false>(data, order, n, 1, std::move(steps), theta, total, direction, snapshot_residual);
    else
        epoch_of_groups<true>(data, order, n, batch, std::move(steps), theta, total, direction, snapshot_residual);
}

// sgd (batch = 1) and minibatch: w -= eta (1/|B| sum_{i in B} grad f_i(w)), grad f_i(w) = r_i x_i + alpha w.
template <class Data>
SKVR_ROW_CLONES void sgd_epoch(const Data& data, const int64_t* order, size_t n, size_t batch, Steps<Data> steps,
                               double* theta, double* total) {
    batch_epoch(data, order, n, batch, std::move(steps), theta, total, nullptr, nullptr);
}

// svrg: w -= eta (grad loss_B(w) - grad loss_B(snapshot) + full loss gradient at the snapshot + alpha w). Johnson and
// Zhang (2013), figure 1. The snapshot's residuals are stored, so its gradients cost nothing; and alpha w stands for
// alpha (w - snapshot) + alpha snapshot.
template <class Data>
SKVR_ROW_CLONES void svrg_epoch(const Data& data, const int64_t* order, size_t n, size_t batch, Steps<Data> steps,
                                double* theta, double* total, const double* snapshot_residual, double* full_gradient) {
    batch_epoch(data, order, n, batch, std::move(steps), theta, total, full_gradient, snapshot_residual);
}

// The gradients g_i of SAG and SAGA. A row's gradient is a multiple of x_i, so the table holds K scalars a row; `sum` is
// the sum of the g_i, and their mean is over the n_seen rows that have one: nan marks a row not yet drawn.
//
// Rows drawn with probabilities q_i come with frequency_i = n q_i, residuals and table with weights divided by it: a
// change in the table counts n q_i times in the sum.
//
// With a `centre` the g_i begin as grad loss_i(x0) - grad loss(x0), with initial_residual_i x_i and the centre for the
// two: then sum leaves the centre out, and begins as n centre, and the mean of the g_i over all n is
// sum / n - (1 - n_seen / n) centre.
struct Table {
    double* residual;
    double* sum;
    size_t n_seen;
    const double* frequency = nullptr;
    const double* initial_residual = nullptr;
    const double* centre = nullptr;
    double n_samples = 0;
};

// w -= eta (correction + mean of the g_i + alpha w) with g_i <- grad loss_i(w) in the mean. `correction` is a function
// of g_i new - g_i old and of what it changed the mean by. Returns the new n_seen.
template <class Data, class Correction>
inline size_t table_epoch(const Data& data, const int64_t* order, size_t n, Steps<Data> steps, double* theta,
                          double* total, Table table, Correction correction) {
    const size_t K = data.n_outputs();
    PerOutput<Data> z(K), r(K), change(K), a(K);
    Iterate<Data, false> w(data, theta, total, table.sum, table.centre);
    for (size_t s = 0; s < n; ++s) {
        const size_t i = size_t(order[s]);
        double* g = table.residual + i * K;
        w.predict(i, z.data(), {prefetch(data, order, s, n, 0)});
        data.residual(i, z.data(), r.data());
        if (std::isnan(g[0])) {
            table.n_seen += 1;
            for (size_t k = 0; k < K; ++k) g[k] = table.centre ? table.initial_residual[i * K + k] : 0.0;
        }
        const double share = 1.0 / (table.centre ? table.n_samples : double(table.n_seen));
        const double frequency = table.frequency ? table.frequency[i] : 1.0;
        for (size_t k = 0; k < K; ++k) {
            change[k] = frequency * (r[k] - g[k]);
            a[k] = correction(r[k] - g[k], change[k] * share);
            g[k] = r[k];
        }
        prefetch(data, order, s, n, 1, table.residual);
        const double* eta = steps.next(order + s, 1, z.data(), r.data());
        w.step(order + s, 1, eta, a.data(), change.data(), share, double(table.n_seen) * share - 1);
    }
    w.finish();
    return table.n_seen;
}

// sag: g_i <- grad loss_i(w), w -= eta (mean of the g + alpha w). Schmidt, Le Roux and Bach (2017), algorithm 1.
template <class Data>
SKVR_ROW_CLONES size_t sag_epoch(const Data& data, const int64_t* order, size_t n, Steps<Data> steps, double* theta,
                                 double* total, Table table) {
    return table_epoch(data, order, n, std::move(steps), theta, total, table, [](double, double) { return 0.0; });
}

// saga: w -= eta (g_i new - g_i old + old mean of the g + alpha w). Defazio, Bach and Lacoste-Julien (2014), eq. 7. The
// old mean is the new mean less its change.
template <class Data>
SKVR_ROW_CLONES size_t saga_epoch(const Data& data, const int64_t* order, size_t n, Steps<Data> steps, double* theta,
                                  double* total, Table table) {
    return table_epoch(data, order, n, std::move(steps), theta, total, table,
                       [](double change, double change_of_mean) { return change - change_of_mean; });
}

}  // namespace skvr
