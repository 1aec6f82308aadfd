// Steps on batches that are large enough for several threads. The rows of a batch are cut in parts that depend on its
// size alone, each with a gradient of its own, and these are added in order; so every number of threads gives the same
// bits. Dense rows only: a part of CSR rows has fewer non-zeros than its gradient has entries.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "dense_step.hpp"
#include "finite_sum.hpp"
#include "rules.hpp"
#include "step_size.hpp"
#include "team.hpp"

namespace skvr {

// Values of X in a batch, from which on two threads take at most three quarters of the time of one.
constexpr size_t large_batch = size_t(1) << 17;
// A part has at least as many rows and values, or adding up the gradients would cost as much as the rows; and there are
// no more parts than it takes to keep the threads busy to the end.
constexpr size_t fewest_rows = 8, fewest_values = size_t(1) << 14, most_parts = 16;
constexpr size_t slice_width = size_t(1) << 11;  // coefficients that are updated as one task

template <class Data>
inline bool is_large_batch(const Data& data, size_t batch) {
    return !Data::Rows::sparse && batch >= 2 * fewest_rows && double(batch) * double(data.rows.n_features) >= large_batch;
}

// out = 1/m sum_t (r_t - subtracted_t) x_t over n rows of a batch of m, and their raw predictions and residuals.
template <class Data>
SKVR_CLONES void part_gradient(const Data& data, const int64_t* rows, size_t n, const double* theta,
                               const double* subtracted, size_t m, double* z, double* r, double* out) {
    const size_t K = data.n_outputs();
    std::vector<double> a(abreast * K);
    const auto predict = [&](size_t i, double* z_i, Ahead ahead) { data.predict(i, theta, z_i, ahead); };
    std::fill(out, out + data.size(), 0.0);
    for (size_t t = 0; t < n; t += abreast) {
        const size_t together = std::min(abreast, n - t);
        size_t ahead[abreast];
        group(data, rows, t, together, n, predict, 1.0 / double(m), subtracted, z + t * K, r + t * K, a.data(), ahead);
        data.add_gradient(rows + t, together, a.data(), out, ahead + abreast / 2);
    }
}

// The entries begin .. end of the sum of the parts, in the place of the first.
SKVR_CLONES static inline void add_parts(double* parts, size_t n_parts, size_t size, size_t begin, size_t end) {
    for (size_t s = 1; s < n_parts; ++s) add_multiple(1.0, parts + s * size + begin, parts + begin, end - begin);
}

// next_step(rows, m, z, r): the K step sizes, known when all raw predictions and residuals are.
// update(g, begin, end, alpha, eta): a step of these entries of theta, whose loss gradients are in g.
template <class Data, class NextStep, class Update>
void large_batch_epoch(const Data& data, size_t n_threads, const int64_t* order, size_t n, size_t batch,
                       const double* theta, const double* subtracted, NextStep next_step, Update update) {
    const size_t K = data.n_outputs(), p = data.rows.n_features, size = data.size();
    const size_t rows_of_part = std::max({fewest_rows, fewest_values / p, (batch + most_parts - 1) / most_parts});
    const size_t n_slices = (p + slice_width - 1) / slice_width;
    const size_t most_rows = std::min(batch, n), most = (most_rows + rows_of_part - 1) / rows_of_part;
    std::vector<double> z(most_rows * K), r(most_rows * K), parts(most * size);
    Team team(std::min(n_threads, most_parts));
    for (size_t first = 0; first < n; first += batch) {
        const size_t m = std::min(batch, n - first), n_parts = (m + rows_of_part - 1) / rows_of_part;
        team.run(n_parts, [&](size_t s) {
            const size_t begin = s * rows_of_part, count = std::min(rows_of_part, m - begin);
            part_gradient(data, order + first + begin, count, theta, subtracted, m, &z[begin * K], &r[begin * K],
                          &parts[s * size]);
        });
        const double* eta = next_step(order + first, m, z.data(), r.data());
        const auto step = [&](size_t begin, size_t end, double alpha, size_t k) {
            add_parts(parts.data(), n_parts, size, begin, end);
            update(parts.data(), begin, end, alpha, eta[k]);
        };
        team.run(K * n_slices, [&](size_t t) {
            const size_t k = t / n_slices, begin = t % n_slices * slice_width;
            step(k * p + begin, k * p + std::min(p, begin + slice_width), data.alpha[k], k);
        });
        for (size_t q = data.n_coefficients(); q < data.n_parameters(); ++q)
            step(q, q + 1, 0.0, q - data.n_coefficients());
    }
}

// minibatch; with a snapshot's residuals and its full gradient, svrg.
template <class Data>
void large_linear_epoch(const Data& data, size_t n_threads, const int64_t* order, size_t n, size_t batch,
                        Steps<Data> steps, double* theta, double* total, const double* snapshot_residual = nullptr,
                        double* full_gradient = nullptr) {
    large_batch_epoch(
        data, n_threads, order, n, batch, theta, snapshot_residual,
        [&](const int64_t* rows, size_t m, const double* z, const double* r) { return steps.next(rows, m, z, r); },
        [&](const double* g, size_t begin, size_t end, double alpha, double eta) {
            const auto from = [begin](auto* values) { return values ? values + begin : nullptr; };
            take(DenseStep<double>{from(g), from(theta), from(full_gradient), from(total), nullptr,
                                   1 - eta * alpha, eta, eta, 0.0, nullptr}, end - begin);
        });
}

template <class Data>
void large_rule_epoch(const Data& data, size_t n_threads, Rule& rule, const int64_t* order, size_t n, size_t batch,
                      const double* eta, double* theta, double* total) {
    large_batch_epoch(
        data, n_threads, order, n, batch, theta, nullptr,
        [&](auto&&...) {
            rule.begin_step();
            return std::exchange(eta, eta + data.n_outputs());
        },
        [&](double* g, size_t begin, size_t end, double alpha, double eta) {
            add_multiple(alpha, theta + begin, g + begin, end - begin);
            rule.update(theta, g, begin, end, eta);
            if (total) add_multiple(1.0, theta + begin, total + begin, end - begin);
        });
}

}  // namespace skvr
