// The step sizes of the linear methods, K a step: given one by one, or found by a line search.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "finite_sum.hpp"

namespace skvr {

// Backtracking on the Lipschitz constant L, one a task (a target of "squared", else all outputs together): eta =
// 1 / (multiple (L + alpha)), where L is multiplied by `lower` before every step and then doubled until it suffices.
struct LineSearch {
    double* L = nullptr;                    // n_tasks, read and updated
    const double* squared_norm = nullptr;  // ||x_i||^2 of every row, the 1 of the intercept included
    double multiple = 1, lower = 1;
};

// The lecture, "SAG convergence notes", and Schmidt, Le Roux and Bach (2017), section 4.6. L suffices for the rows of a
// step, f_B = 1/m sum_t weight_t loss_t and g = grad f_B(x), if at x+ = x - g / L
//
//     f_B(x+) <= f_B(x) + g . (x+ - x) + L/2 ||x+ - x||^2 = f_B(x) - ||g||^2 / (2 L).
//
// The raw predictions of the rows move along s_t = x_t . g, so a trial costs O(m K), and ||g||^2 = 1/m sum_t r_t . s_t.
template <class Data>
class Steps {
public:
    Steps(const Data& data, const double* eta) : data(data), K(data.n_outputs()), given(eta) {}
    Steps(const Data& data, const LineSearch& search, size_t batch)
        : data(data), K(data.n_outputs()), search(search), n_tasks(Data::Loss::n_values(K)), eta(K), s(batch * K),
          a(batch * K), g(batch > 1 ? data.size() : 0), z_trial(K), r_trial(K), row_value(n_tasks), zero(n_tasks),
          inverse_L(n_tasks), value(n_tasks), trial(n_tasks), decrease(n_tasks), rounding(n_tasks) {}

    // The step sizes of a step along rows[:m], whose raw predictions and residuals are z and r.
    const double* next(const int64_t* rows, size_t m, const double* z, const double* r) {
        if (given) return std::exchange(given, given + K);
        raise(rows, m, z, r);
        for (size_t k = 0; k < K; ++k) eta[k] = 1 / (search.multiple * (search.L[task(k)] + data.alpha[k]));
        return eta.data();
    }

private:
    size_t task(size_t k) const { return n_tasks == 1 ? 0 : k; }

    SKVR_ROW_CLONES void raise(const int64_t* rows, size_t m, const double* z, const double* r) {
        constexpr double smallest = std::numeric_limits<double>::min(), largest = 1 / smallest;
        find_directions(rows, m, r);
        losses(rows, m, z, zero.data(), value.data());
        for (size_t v = 0; v < n_tasks; ++v) rounding[v] = value[v], decrease[v] = 0;
        for (size_t t = 0; t < m * K; ++t) {
            rounding[task(t % K)] += std::fabs(r[t] * z[t]) / double(m);
            decrease[task(t % K)] += r[t] * s[t] / (2 * double(m));
        }
        double* L = search.L;
        for (size_t v = 0; v < n_tasks; ++v) {
            L[v] = std::max(L[v] * search.lower, smallest);
            // What a loss cannot resolve: a few roundings of itself and of its raw prediction. Where the inequality
            // promises less it compares rounding errors, and would raise L for nothing at a row that is fitted; Schmidt,
            // Le Roux and Bach stop at ||g||^2 = 1e-8, which depends on the scale of the data. The decrease shrinks as L
            // grows, so this ends the search, too.
            rounding[v] *= 8 * std::numeric_limits<double>::epsilon();
            if (!std::isfinite(value[v]) || !std::isfinite(decrease[v])) decrease[v] = 0;  // a diverged fit: no test
        }
        for (bool raised = true; raised;) {
            for (size_t v = 0; v < n_tasks; ++v) inverse_L[v] = 1 / L[v];
            losses(rows, m, z, inverse_L.data(), trial.data());
            raised = false;
            for (size_t v = 0; v < n_tasks; ++v) {
                const double promised = decrease[v] / L[v];
                if (promised > rounding[v] && L[v] < largest && !(trial[v] <= value[v] - promised)) {
                    L[v] *= 2;
                    raised = true;
                }
            }
        }
    }

    // s_t = x_t . g, with g = 1/m sum_t r_t x_t
    void find_directions(const int64_t* rows, size_t m, const double* r) {
        if (m == 1) {
            for (size_t k = 0; k < K; ++k) s[k] = search.squared_norm[rows[0]] * r[k];
            return;
        }
        for (size_t t = 0; t < m * K; ++t) a[t] = r[t] / double(m);
        data.add_gradient(rows, m, a.data(), g.data());
        for (size_t t = 0; t < m; ++t) data.predict(size_t(rows[t]), g.data(), &s[t * K]);
        data.rows.clear(rows, m, K, g.data());
        std::fill(g.end() - std::ptrdiff_t(K), g.end(), 0.0);
    }

    // out = 1/m sum_t weight_t loss_t(z_t - length s_t), a task each
    void losses(const int64_t* rows, size_t m, const double* z, const double* length, double* out) {
        std::fill_n(out, n_tasks, 0.0);
        for (size_t t = 0; t < m; ++t) {
            const size_t i = size_t(rows[t]);
            for (size_t k = 0; k < K; ++k) z_trial[k] = z[t * K + k] - length[task(k)] * s[t * K + k];
            Data::Loss::gradients(z_trial.data(), data.target(i), 1, K, r_trial.data());
            Data::Loss::values(z_trial.data(), data.target(i), r_trial.data(), 1, K, row_value.data());
            for (size_t v = 0; v < n_tasks; ++v) out[v] += data.weight[i] * row_value[v] / double(m);
        }
    }

    const Data& data;
    size_t K;
    const double* given = nullptr;
    LineSearch search;
    size_t n_tasks = 0;
    std::vector<double> eta, s, a, g, z_trial, r_trial, row_value, zero, inverse_L, value, trial, decrease, rounding;
};

}  // namespace skvr
