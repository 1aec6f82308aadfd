// The loops over drawn rows of the methods that hand the gradient of a mini-batch, whole, to a rule: adagrad, rmsprop,
// adadelta, adam, amsgrad, and sgd and minibatch with momentum. `total`, if any, adds up the iterates after each step.
#pragma once

#include <algorithm>
#include <vector>

#include "finite_sum.hpp"
#include "rules.hpp"

namespace skvr {

template <class Data>
inline void update_intercepts(const Data& data, Rule& rule, const double* g, const double* eta, double* theta) {
    for (size_t q = data.n_coefficients(); q < data.n_parameters(); ++q)
        rule.update(theta, g, q, q + 1, eta[q - data.n_coefficients()]);
}

// Every coordinate at every step: O(p K) a step, whatever the layout. With alpha > 0, as with a rule that moves when
// g = 0, a coordinate that a CSR row does not touch has no closed form to wait for.
template <class Data>
SKVR_ROW_CLONES void rule_epoch(const Data& data, Rule& rule, const int64_t* order, size_t n, size_t batch,
                                const double* eta, double* theta, double* total) {
    const size_t K = data.n_outputs();
    std::vector<double> z(abreast * K), r(z), a(z), storage(data.size());
    const auto parameters = for_rows(data, theta), gradient = for_rows(data, storage.data());
    double *w = parameters.data, *g = gradient.data;
    const auto predict = [&](size_t i, double* z_i, Ahead ahead) { data.predict(i, w, z_i, ahead); };
    for (size_t first = 0; first < n; first += batch, eta += K) {
        const size_t m = std::min(batch, n - first);
        std::fill_n(g, data.size(), 0.0);
        for (size_t t = 0; t < m; t += abreast) {
            const size_t s = first + t, together = std::min(abreast, m - t);
            size_t ahead[abreast];
            group(data, order, s, together, n, predict, 1.0 / double(m), nullptr, z.data(), r.data(), a.data(), ahead);
            data.add_gradient(order + s, together, a.data(), g, ahead + abreast / 2);
        }
        data.for_each_coefficient([&](size_t begin, size_t end, size_t k) {
            for (size_t q = begin; q < end; ++q) g[q] += data.alpha[k] * w[q];
        });
        rule.begin_step();
        if (std::all_of(eta, eta + K, [&](double e) { return e == eta[0]; })) {
            rule.update(w, g, 0, data.n_parameters(), eta[0]);
        } else {  // targets with step sizes of their own
            data.for_each_coefficient([&](size_t begin, size_t end, size_t k) {
                rule.update(w, g, begin, end, eta[k]);
            });
            update_intercepts(data, rule, g, eta, w);
        }
        if (total) add_multiple(1.0, w, total, data.n_parameters());
    }
    parameters.put_back();
}

// Whether single features are worth looking up: with at most this many features for a non-zero of a batch, vectorised
// work on all of them is cheaper. Measured with AVX-512, 137 non-zeros in rows of 70,000 features.
template <class Rows>
inline bool touches_few_features(const Rows& rows, size_t batch) {
    constexpr double features_per_nonzero = 3;
    const double nonzeros = double(batch) * double(rows.n_nonzeros) / double(rows.n_rows);
    return double(rows.n_features) > features_per_nonzero * nonzeros;
}

// CSR rows, alpha = 0 and a rule with a closed form: only the features that a batch touches are worked on, each brought
// up to date first, and all of them at the end.
template <class Data>
SKVR_ROW_CLONES void lazy_rule_epoch(const Data& data, Rule& rule, const int64_t* order, size_t n, size_t batch,
                                     const double* eta, double* theta, double* total) {
    const size_t K = data.n_outputs(), p = data.rows.n_features;
    std::vector<double> z(K), r(K), g(data.size());
    std::vector<size_t> last_step(p, 0);  // that touched a feature; steps count from 1
    std::vector<Touched> of_step(p + 1);
    size_t step = 0, n_touched = 0;
    size_t* last = last_step.data();
    Touched* touched = of_step.data();
    const auto catch_up = [&] {
        rule.catch_up(touched, n_touched, K, step);
        if (!total) return;
        for (size_t t = 0; t < n_touched; ++t)
            for (size_t q = touched[t].feature * K; q < touched[t].feature * K + K; ++q)
                total[q] += double(touched[t].waited) * theta[q];
    };
    for (size_t first = 0; first < n; first += batch, eta += K) {
        const size_t m = std::min(batch, n - first);
        step += 1;
        n_touched = 0;
        for (size_t t = 0; t < m; ++t) {
            const size_t i = size_t(order[first + t]);
            data.predict(i, theta, z.data(), {prefetch(data, order, first + t, n, 0)});
            data.residual(i, z.data(), r.data());
            for (size_t k = 0; k < K; ++k) r[k] /= double(m);
            prefetch(data, order, first + t, n, 1);
            data.add_gradient(order + first + t, 1, r.data(), g.data());
            size_t count = n_touched;  // without a branch, which nothing could foresee
            data.rows.for_each_nonzero(i, [&](size_t j, double) {
                touched[count] = {j, step - 1 - last[j]};
                count += last[j] != step;
                last[j] = step;
            });
            n_touched = count;
        }
        rule.begin_step();
        catch_up();
        rule.update(theta, g.data(), touched, n_touched, K, eta);
        update_intercepts(data, rule, g.data(), eta, theta);
        for (size_t t = 0; t < n_touched; ++t)
            for (size_t q = touched[t].feature * K; q < touched[t].feature * K + K; ++q) {
                g[q] = 0;
                if (total) total[q] += theta[q];
            }
        std::fill(g.begin() + std::ptrdiff_t(data.n_coefficients()), g.end(), 0.0);
        if (total)
            for (size_t q = data.n_coefficients(); q < data.n_parameters(); ++q) total[q] += theta[q];
    }
    for (n_touched = 0; n_touched < p; ++n_touched) touched[n_touched] = {n_touched, step - last[n_touched]};
    catch_up();
}

}  // namespace skvr
