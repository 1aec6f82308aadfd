// The data of F(w, b) = 1/n sum_i weight_i loss(y_i, x_i . w + b) + alpha/2 ||w||^2, weight_i = s_i n / S, and the
// passes over all of it: raw predictions, losses, gradient. A pass takes the rows it is given; Python cuts it in
// slices, adds the slices' sums in order, and looks for Ctrl-C between them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "losses.hpp"
#include "rows.hpp"

namespace skvr {

template <class R, class L>
struct FiniteSum {
    using Rows = R;
    using Loss = L;

    Rows rows;
    const double* y;       // n x target_width
    const double* weight;  // n
    const double* alpha;   // K: several targets may each have their own
    size_t n_outputs_;
    bool fit_intercept;

    size_t n_outputs() const { return Loss::outputs(n_outputs_); }
    size_t n_coefficients() const { return rows.n_features * n_outputs(); }
    size_t n_parameters() const { return n_coefficients() + (fit_intercept ? n_outputs() : 0); }
    size_t size() const { return n_coefficients() + n_outputs(); }
    const double* target(size_t i) const { return y + i * Loss::target_width(n_outputs()); }

    // Asks for what a row's prediction and residual read, half of the row at a time (0 or 1).
    void prefetch(size_t i, size_t half) const {
        rows.prefetch(i, half);
        if (half == 1) return;
        prefetch_line<3>(target(i));
        prefetch_line<3>(weight + i);
    }

    // z = W x_i + b; of long dense rows, asks for the row `ahead`, or half of it, meanwhile
    void predict(size_t i, const double* theta, double* z, Ahead ahead = {}) const {
        const size_t K = n_outputs();
        const double* intercept = theta + n_coefficients();
        for (size_t k = 0; k < K; ++k) z[k] = intercept[k];
        rows.predict(i, theta, K, z, ahead);
    }

    // r = weight_i dloss/dz: the gradient of the row's weighted loss is r_k x_i
    void residual(size_t i, const double* z, double* r) const {
        Loss::residual(z, target(i), weight[i], n_outputs(), r);
    }

    // The residuals of up to `abreast` rows. Those of one output are computed side by side.
    void residuals(const int64_t* drawn, size_t m, const double* z, double* r) const {
        const size_t K = n_outputs();
        if (!Loss::single || m == 1) {
            for (size_t t = 0; t < m; ++t) residual(size_t(drawn[t]), z + t * K, r + t * K);
            return;
        }
        double of_rows[abreast] = {}, targets[abreast] = {}, gradients[abreast];
        for (size_t t = 0; t < m; ++t) of_rows[t] = z[t], targets[t] = *target(size_t(drawn[t]));
        Loss::gradients(of_rows, targets, abreast, K, gradients);
        for (size_t t = 0; t < m; ++t) r[t] = gradients[t] * weight[size_t(drawn[t])];
    }

    // out += sum_t r_t x_i', i = drawn[t], intercepts included
    void add_gradient(const int64_t* drawn, size_t m, const double* r, double* out, const size_t* ahead = nullptr) const {
        const size_t K = n_outputs();
        rows.add(drawn, m, r, K, out, ahead);
        if (!fit_intercept) return;
        for (size_t k = 0; k < K; ++k) {
            double sum = out[n_coefficients() + k];  // not in memory: the next row would wait for it
            for (size_t t = 0; t < m; ++t) sum += r[t * K + k];
            out[n_coefficients() + k] = sum;
        }
    }

    // visit(begin, end, k): the coefficients theta[begin:end] belong to output k
    template <class Visit>
    void for_each_coefficient(Visit&& visit) const {
        const size_t K = n_outputs(), p = rows.n_features;
        if (!Rows::sparse || K == 1) {
            for (size_t k = 0; k < K; ++k) visit(k * p, (k + 1) * p, k);
        } else {
            for (size_t j = 0; j < p; ++j)
                for (size_t k = 0; k < K; ++k) visit(j * K + k, j * K + k + 1, k);
        }
    }
};

// K numbers. The one of a single output is no vector's: the compiler keeps it in a register, whatever is stored meanwhile.
struct One {
    double value;
    explicit One(size_t, double value = 0) : value(value) {}
    size_t size() const { return 1; }
    double* data() { return &value; }
    double* begin() { return &value; }
    double* end() { return &value + 1; }
    double& operator[](size_t) { return value; }
    double operator[](size_t) const { return value; }
};
template <class Data>
using PerOutput = std::conditional_t<Data::Loss::single, One, std::vector<double>>;

constexpr size_t rows_ahead = 12;

// Rows are drawn at random, so no hardware foresees them: the epochs ask for the row that is drawn twelve rows later, half
// of it before a row's prediction and half after; twice as early for what says where the row is; and for its entry in a
// table with K numbers a row. Returns that row, which is asked for meanwhile where rows are dense and long.
template <class Data>
inline size_t prefetch(const Data& data, const int64_t* order, size_t s, size_t n, size_t half,
                       const double* table = nullptr) {
    if (half == 0 && s + 2 * rows_ahead < n) data.rows.prefetch_place(size_t(order[s + 2 * rows_ahead]));
    if (s + rows_ahead >= n) return no_row;
    const size_t i = size_t(order[s + rows_ahead]);
    data.prefetch(i, half);
    if (table && half == 1) prefetch_line<3>(table + i * data.n_outputs());
    return i;
}

// A batch's gradient is made of groups of up to `abreast` rows. Of those from order[s] on this gives the raw predictions,
// the residuals, and a_t = share (r_t - subtracted_t); subtracted, of all rows, may be null. Long rows are asked for at an
// even pace: four halves during the predictions, and two rows, the last of `ahead`, while these are added.
template <class Data, class Predict>
inline void group(const Data& data, const int64_t* order, size_t s, size_t m, size_t n, Predict&& predict, double share,
                  const double* subtracted, double* z, double* r, double* a, size_t (&ahead)[abreast]) {
    const size_t K = data.n_outputs();
    for (size_t t = 0; t < m; ++t) {
        ahead[t] = prefetch(data, order, s + t, n, 0);
        predict(size_t(order[s + t]), z + t * K, m < abreast ? Ahead{ahead[t]} : Ahead{ahead[t / 2], t % 2});
        prefetch(data, order, s + t, n, 1, subtracted);
    }
    data.residuals(order + s, m, z, r);
    for (size_t t = 0; t < m; ++t)
        for (size_t k = 0; k < K; ++k) {
            const double taken = subtracted ? subtracted[size_t(order[s + t]) * K + k] : 0.0;
            a[t * K + k] = share * (r[t * K + k] - taken);
        }
}

// Parameters for a loop over rows. CSR rows take single numbers of them, for which no copy is made.
template <class Data, class Number>
inline AtCacheLine<Number> for_rows(const Data& data, Number* parameters) {
    return {parameters, data.size(), !Data::Rows::sparse};
}

// z = W x_i + b, i = order[s], in a pass over rows in the order of memory. Hardware foresees these, but the processor runs
// ahead of it, and its own loads take the places of those: longer dense rows are asked for, too.
template <class Data>
inline void predict_in_order(const Data& data, const int64_t* order, size_t s, size_t n, const double* theta, double* z) {
    Ahead ahead;
    if constexpr (!Data::Rows::sparse)
        if (data.rows.is_long_in_order() && s + rows_ahead < n) {
            ahead.row = size_t(order[s + rows_ahead]);
            data.rows.prefetch(ahead.row, 0), data.rows.prefetch(ahead.row, 1);
        }
    data.predict(size_t(order[s]), theta, z, ahead);
}

template <class Data>
SKVR_ROW_CLONES void raw_predictions(const Data& data, const int64_t* order, size_t n, const double* theta, double* z) {
    const auto w = for_rows(data, theta);
    for (size_t s = 0; s < n; ++s) predict_in_order(data, order, s, n, w.data, z + size_t(order[s]) * data.n_outputs());
}

// to_ts = from_st, s < rows
inline void transpose(const double* from, size_t rows, size_t columns, double* to) {
    for (size_t t = 0; t < columns; ++t)
        for (size_t s = 0; s < rows; ++s) to[t * rows + s] = from[s * columns + t];
}

// What the losses need of a few rows: raw predictions, targets and weights, laid out as they take them. It holds no more
// of them than there are, and fewer of many outputs, for K may be thousands.
template <class Data>
struct Block {
    const Data& data;
    const size_t capacity;
    size_t m = 0;
    const int64_t* rows = nullptr;
    std::vector<double> z, y, weight, r, values;

    Block(const Data& data, size_t n_rows)
        : data(data), capacity(std::min(n_rows, std::clamp<size_t>(16384 / n_outputs(), 16, block_rows))),
          z(capacity * n_outputs()), y(capacity * target_width()), weight(capacity), r(capacity * n_outputs()) {}

    // Known to the compiler where the loss knows them: a loop over the one number of a row then is none.
    size_t n_outputs() const { return data.n_outputs(); }
    size_t target_width() const { return Data::Loss::target_width(n_outputs()); }

    // The raw predictions are left for the caller to fill in.
    void take(const int64_t* drawn, size_t n_rows) {
        const size_t width = target_width();
        rows = drawn, m = n_rows;
        for (size_t s = 0; s < m; ++s) weight[s] = data.weight[size_t(rows[s])];
        for (size_t s = 0; s < m; ++s)
            for (size_t t = 0; t < width; ++t) y[t * m + s] = data.target(size_t(rows[s]))[t];
    }
    void take(const int64_t* drawn, size_t n_rows, const double* all_z, const double* shift) {
        take(drawn, n_rows);
        const size_t K = n_outputs();
        for (size_t k = 0; k < K; ++k)
            for (size_t s = 0; s < m; ++s) z[k * m + s] = all_z[size_t(rows[s]) * K + k] + shift[k];
    }
    // Puts z or r where the rows have their place in `all`.
    void put(const std::vector<double>& numbers, double* all) const {
        const size_t K = n_outputs();
        for (size_t s = 0; s < m; ++s)
            for (size_t k = 0; k < K; ++k) all[size_t(rows[s]) * K + k] = numbers[k * m + s];
    }
    void residuals() {
        Data::Loss::gradients(z.data(), y.data(), m, n_outputs(), r.data());
        weigh_gradients();
    }
    // value += the weighted losses. Blocks are summed apart, so that rounding errors do not grow with n.
    void residuals_and_values(double* value) {
        Data::Loss::gradients(z.data(), y.data(), m, n_outputs(), r.data());
        const size_t V = Data::Loss::n_values(n_outputs());
        values.resize(V * m);
        Data::Loss::values(z.data(), y.data(), r.data(), m, n_outputs(), values.data());
        for (size_t t = 0; t < V; ++t) value[t] += dot(&values[t * m], weight.data(), m);
        weigh_gradients();
    }
    void weigh_gradients() {
        for (size_t k = 0; k < n_outputs(); ++k)
            for (size_t s = 0; s < m; ++s) r[k * m + s] *= weight[s];
    }
    // hessian += the weighted curvatures
    void add_curvatures(double* hessian) const {
        Data::Loss::add_curvatures(z.data(), weight.data(), m, n_outputs(), hessian);
    }
    void add_residuals(double* gradient) const {
        for (size_t k = 0; k < n_outputs(); ++k) gradient[k] += sum_of(m, [&](size_t s) { return r[k * m + s]; });
    }
};

// r may be z itself: a row's residual replaces its raw prediction. `shift` is added to the raw predictions.
template <class Data>
SKVR_CLONES void residuals(const Data& data, const int64_t* order, size_t n, const double* z, const double* shift,
                           double* r) {
    Block<Data> block(data, n);
    for (size_t first = 0; first < n; first += block.capacity) {
        block.take(order + first, std::min(block.capacity, n - first), z, shift);
        block.residuals();
        block.put(block.r, r);
    }
}

// out += sum_i r_i x_i', without the 1/n
template <class Data>
SKVR_ROW_CLONES void add_gradients(const Data& data, const int64_t* order, size_t n, const double* r, double* out) {
    const size_t K = data.n_outputs(), together = data.rows.added_in_a_pass();
    std::vector<double> a(together * K);
    const auto g = for_rows(data, out);
    for (size_t s = 0; s < n; s += together) {
        const size_t m = std::min(together, n - s);
        for (size_t t = 0; t < m; ++t) std::copy_n(r + size_t(order[s + t]) * K, K, &a[t * K]);
        data.add_gradient(order + s, m, a.data(), g.data);
    }
    g.put_back();
}

// value += the weighted losses at z, r_s = the residual of row order[s].
template <class Data>
SKVR_CLONES void losses(const Data& data, const int64_t* order, size_t n, const double* z, double* value, double* r) {
    Block<Data> block(data, n);
    const std::vector<double> no_shift(block.n_outputs());
    for (size_t first = 0; first < n; first += block.capacity) {
        block.take(order + first, std::min(block.capacity, n - first), z, no_shift.data());
        block.residuals_and_values(value);
        transpose(block.r.data(), block.n_outputs(), block.m, r + first * block.n_outputs());
    }
}

// Sums over the rows of the weighted loss and of its derivatives in a `shift` of the raw predictions: value, gradient
// (K) and Hessian (the loss's n_curvatures).
template <class Data>
SKVR_CLONES void loss_in_shift(const Data& data, const int64_t* order, size_t n, const double* z, const double* shift,
                               double* value, double* gradient, double* hessian) {
    Block<Data> block(data, n);
    for (size_t first = 0; first < n; first += block.capacity) {
        block.take(order + first, std::min(block.capacity, n - first), z, shift);
        block.residuals_and_values(value);
        block.add_residuals(gradient);
        block.add_curvatures(hessian);
    }
}

// One reading of the rows: out += sum_i r_i x_i'. `visit(block)` makes a block's residuals from its raw predictions. A
// block of rows is still in the cache when its gradient follows its predictions.
template <class Data, class Visit>
inline void pass(const Data& data, const int64_t* order, size_t n, const double* theta, double* out, Visit&& visit) {
    const size_t K = data.n_outputs(), p = data.rows.n_features;
    const auto w = for_rows(data, theta);
    const auto g = for_rows(data, out);
    Block<Data> block(data, Data::Rows::sparse ? n : std::min(n, std::clamp<size_t>(32768 / (p + 1), 4, block_rows)));
    // z and r by rows, the numbers of one side by side. Of one output both layouts are the same.
    std::vector<double> numbers(K == 1 ? 0 : block.z.size());
    double* const z = K == 1 ? block.z.data() : numbers.data();
    double* const r = K == 1 ? block.r.data() : numbers.data();
    for (size_t first = 0; first < n; first += block.capacity) {
        block.take(order + first, std::min(block.capacity, n - first));
        for (size_t s = 0; s < block.m; ++s) predict_in_order(data, order, first + s, n, w.data, z + s * K);
        if (K > 1) transpose(z, block.m, K, block.z.data());
        visit(block);
        if (K > 1) transpose(block.r.data(), K, block.m, r);
        data.add_gradient(block.rows, block.m, r, g.data);
    }
    g.put_back();
}

// A pass that gives the raw predictions z and value += the weighted losses, too.
template <class Data>
SKVR_CLONES void evaluate(const Data& data, const int64_t* order, size_t n, const double* theta, double* z, double* value,
                          double* out) {
    pass(data, order, n, theta, out, [&](Block<Data>& block) {
        block.residuals_and_values(value);
        block.put(block.z, z);
    });
}

// A pass that gives the residuals r, too.
template <class Data>
SKVR_CLONES void residual_gradient(const Data& data, const int64_t* order, size_t n, const double* theta, double* r,
                                   double* out) {
    pass(data, order, n, theta, out, [&](Block<Data>& block) {
        block.residuals();
        block.put(block.r, r);
    });
}

}  // namespace skvr
