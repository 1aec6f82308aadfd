// The passes and the epochs as methods of one class FiniteSum, whatever the rows and the loss. Arguments are checked here
// for size and row numbers, so that no caller can make a kernel leave its arrays. Each layout of rows is compiled apart
// (dense.cpp, csr.cpp, csr_64.cpp); bindings.cpp makes the Python module of them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/variant.h>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "epochs.hpp"
#include "large_batches.hpp"
#include "rule_epochs.hpp"
#include "second_order.hpp"

namespace skvr {

namespace nb = nanobind;
using namespace nb::literals;

// nanobind would silently convert another dtype and update the copy: every argument below is .noconvert().
template <class T>
using Array = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Vector = Array<double>;
using ConstVector = Array<const double>;
using Order = Array<const int64_t>;

constexpr size_t MAX_BATCH = size_t(1) << 40;  // sizes made of it do not overflow

inline void require(bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
}

// Whether m indices all lie in 0 .. limit - 1. The sign of one that does not, or of what is left to the last, is a minus:
// without a branch the loop vectorises.
template <class Index>
bool all_below(const Index* index, size_t m, size_t limit) {
    using Bits = std::make_unsigned_t<Index>;
    constexpr Index largest = std::numeric_limits<Index>::max();
    const Bits last = limit > size_t(largest) ? Bits(largest) : Bits(limit) - 1;
    Bits signs = 0;
    for (size_t s = 0; s < m; ++s) signs |= Bits(index[s]) | (last - Bits(index[s]));
    return signs <= Bits(largest);
}

// A line search with the arrays behind its pointers.
struct PyLineSearch {
    Vector L;
    ConstVector squared_norm;
    double multiple, lower;
};
using StepSizes = std::variant<ConstVector, PyLineSearch>;

// The pointer of an optional array: null without one.
template <class A>
auto* data_or_null(const std::optional<A>& a) {
    return a ? a->data() : nullptr;
}

// What Python sees, whatever the rows and the loss.
struct Kernels {
    virtual ~Kernels() = default;
    virtual void raw_predictions(Order, ConstVector theta, Vector z) const = 0;
    virtual void residuals(Order, ConstVector z, ConstVector shift, Vector r) const = 0;
    virtual void add_gradients(Order, ConstVector r, Vector out) const = 0;
    virtual void loss_in_shift(Order, ConstVector z, ConstVector shift, Vector value, Vector gradient,
                               Vector hessian) const = 0;
    virtual void evaluate(Order, ConstVector theta, Vector z, Vector value, Vector gradient) const = 0;
    virtual void residual_gradient(Order, ConstVector theta, Vector r, Vector gradient) const = 0;
    virtual void losses(Order, ConstVector z, Vector value, Vector r) const = 0;
    virtual std::unique_ptr<Kernels> reweighted(ConstVector weight) const = 0;
    virtual void add_moments(Order, ConstVector centre, Vector stored, Vector first, Vector second) const = 0;
    virtual void standardised_norms(Order, ConstVector mean, ConstVector inverse_scale, Vector norms) const = 0;
    virtual void scaled_rows(Order, ConstVector root, ConstVector mean, ConstVector inverse_scale, Vector out) const = 0;
    virtual void add_gram(Order, ConstVector weight, Vector gram) const = 0;
    virtual void add_packed_gram(Order, ConstVector root, ConstVector mean, ConstVector inverse_scale,
                                 Vector gram) const = 0;
    virtual void add_gradient_changes(Order, ConstVector weight, ConstVector theta, ConstVector residual,
                                      Vector out) const = 0;
    virtual void sdca_epoch(Order, double n_samples, ConstVector squared_norm, double intercept_square, Vector theta,
                            Vector residual) const = 0;
    virtual bool is_large_batch(size_t batch) const = 0;
    virtual void sgd_epoch(Order, size_t batch, StepSizes, Vector theta, std::optional<Vector> total,
                           size_t n_threads) const = 0;
    virtual size_t sag_epoch(Order, StepSizes, Vector theta, Vector table, Vector sum, size_t n_seen,
                             std::optional<ConstVector> frequency, std::optional<ConstVector> initial_residual,
                             std::optional<ConstVector> centre, std::optional<Vector> total) const = 0;
    virtual size_t saga_epoch(Order, StepSizes, Vector theta, Vector table, Vector sum, size_t n_seen,
                              std::optional<ConstVector> frequency, std::optional<Vector> total) const = 0;
    virtual void svrg_epoch(Order, size_t batch, StepSizes, Vector theta, ConstVector snapshot_residual,
                            Vector full_gradient, std::optional<Vector> total, size_t n_threads) const = 0;
    virtual void rule_epoch(Order, size_t batch, ConstVector eta, Vector theta, Rule& rule, size_t state_size,
                            std::optional<Vector> total, size_t n_threads) const = 0;
    virtual bool is_lazy(const Rule& rule, size_t batch) const = 0;
};

template <class Data>
struct KernelsOf final : Kernels {
    Data data;
    size_t n, n_samples;             // rows, and those of positive weight
    std::vector<nb::object> owners;  // the arrays behind the pointers

    KernelsOf(Data data, size_t n, std::vector<nb::object> owners)
        : data(data), n(n), n_samples(size_t(n - std::count(data.weight, data.weight + n, 0.0))),
          owners(std::move(owners)) {}

    void check(const Order& order) const {
        require(all_below(order.data(), order.size(), n), "order holds a row number outside the data");
    }
    template <class A>
    void per_row(const A& a) const {
        require(a.size() == n * data.n_outputs(), "an array of n_samples x n_outputs has the wrong size");
    }
    template <class A>
    void per_parameter(const A& a) const {
        require(a.size() == data.size(), "a parameter vector has the wrong size");
    }
    void steps(const ConstVector& eta, const Order& order, size_t batch) const {
        require(batch > 0 && batch <= MAX_BATCH, "batch must lie in 1 .. 2^40");
        require(eta.size() == (order.size() + batch - 1) / batch * data.n_outputs(), "eta must be n_steps x n_outputs");
    }
    Steps<Data> steps(const StepSizes& step_sizes, const Order& order, size_t batch) const {
        if (const auto* eta = std::get_if<ConstVector>(&step_sizes)) {
            steps(*eta, order, batch);
            return {data, eta->data()};
        }
        const auto& search = std::get<PyLineSearch>(step_sizes);
        require(batch > 0 && batch <= MAX_BATCH, "batch must lie in 1 .. 2^40");
        require(search.L.size() == Data::Loss::n_values(data.n_outputs()), "L must have n_tasks entries");
        require(std::all_of(search.L.data(), search.L.data() + search.L.size(),
                            [](double L) { return L > 0 && std::isfinite(L); }),
                "L must be positive and finite");
        require(search.squared_norm.size() == n, "squared_norm must have one entry a row");
        return {data, {search.L.data(), search.squared_norm.data(), search.multiple, search.lower},
                std::min(batch, order.size())};
    }
    void total_fits(const std::optional<Vector>& total) const {
        if (total) per_parameter(*total);
    }
    Table checked(const Order& order, const Vector& table, const Vector& sum, size_t n_seen,
                  const std::optional<ConstVector>& frequency) const {
        per_row(table), per_parameter(sum);
        require(n_seen <= n, "n_seen must be at most the number of rows");
        require(n_seen > 0 || order.size() == 0 || std::isnan(table.data()[size_t(order.data()[0]) * data.n_outputs()]),
                "with n_seen = 0 the table must hold nan");
        require(!frequency || frequency->size() == n, "frequency must have one entry a row");
        return {table.data(), sum.data(), n_seen, data_or_null(frequency)};
    }

    void raw_predictions(Order order, ConstVector theta, Vector z) const override {
        check(order), per_parameter(theta), per_row(z);
        skvr::raw_predictions(data, order.data(), order.size(), theta.data(), z.data());
    }
    void residuals(Order order, ConstVector z, ConstVector shift, Vector r) const override {
        check(order), per_row(z), per_row(r);
        require(shift.size() == data.n_outputs(), "shift must have n_outputs entries");
        skvr::residuals(data, order.data(), order.size(), z.data(), shift.data(), r.data());
    }
    void add_gradients(Order order, ConstVector r, Vector out) const override {
        check(order), per_row(r), per_parameter(out);
        skvr::add_gradients(data, order.data(), order.size(), r.data(), out.data());
    }
    void loss_in_shift(Order order, ConstVector z, ConstVector shift, Vector value, Vector gradient,
                       Vector hessian) const override {
        const size_t K = data.n_outputs();
        check(order), per_row(z);
        require(shift.size() == K && gradient.size() == K && hessian.size() == Data::Loss::n_curvatures(K) &&
                    value.size() == Data::Loss::n_values(K),
                "shift, value, gradient and hessian must fit n_outputs");
        skvr::loss_in_shift(data, order.data(), order.size(), z.data(), shift.data(), value.data(), gradient.data(),
                            hessian.data());
    }
    void evaluate(Order order, ConstVector theta, Vector z, Vector value, Vector gradient) const override {
        check(order), per_parameter(theta), per_row(z), per_parameter(gradient);
        require(value.size() == Data::Loss::n_values(data.n_outputs()), "value has the wrong size");
        skvr::evaluate(data, order.data(), order.size(), theta.data(), z.data(), value.data(), gradient.data());
    }
    void residual_gradient(Order order, ConstVector theta, Vector r, Vector gradient) const override {
        check(order), per_parameter(theta), per_row(r), per_parameter(gradient);
        skvr::residual_gradient(data, order.data(), order.size(), theta.data(), r.data(), gradient.data());
    }
    void losses(Order order, ConstVector z, Vector value, Vector r) const override {
        check(order), per_row(z);
        require(value.size() == Data::Loss::n_values(data.n_outputs()), "value has the wrong size");
        require(r.size() == order.size() * data.n_outputs(), "r must have n_outputs entries a drawn row");
        skvr::losses(data, order.data(), order.size(), z.data(), value.data(), r.data());
    }
    std::unique_ptr<Kernels> reweighted(ConstVector weight) const override {
        require(weight.size() == n, "weight must have one entry a row");
        Data reweighted = data;
        reweighted.weight = weight.data();
        auto copy = std::make_unique<KernelsOf>(reweighted, n, owners);
        copy->owners.push_back(nb::cast(weight));
        return copy;
    }
    void add_moments(Order order, ConstVector centre, Vector stored, Vector first, Vector second) const override {
        check(order);
        for (size_t size : {centre.size(), stored.size(), first.size(), second.size()})
            require(size == data.rows.n_features, "moments must have n_features entries");
        skvr::add_moments(data, order.data(), order.size(), centre.data(), stored.data(), first.data(), second.data());
    }
    void standardised_norms(Order order, ConstVector mean, ConstVector inverse_scale, Vector norms) const override {
        check(order);
        require(norms.size() == n, "norms must have one entry a row");
        require(mean.size() == data.rows.n_features && inverse_scale.size() == mean.size(),
                "mean and inverse_scale must have n_features entries");
        skvr::standardised_norms(data, order.data(), order.size(), mean.data(), inverse_scale.data(), norms.data());
    }
    void scaled_rows(Order order, ConstVector root, ConstVector mean, ConstVector inverse_scale,
                     Vector out) const override {
        const size_t p = data.rows.n_features, n_roots = order.size() ? root.size() / order.size() : 1;
        check(order);
        require(root.size() == order.size() * n_roots && out.size() == root.size() * (p + 1), "out must fit the roots");
        require(mean.size() == p && inverse_scale.size() == p, "mean and inverse_scale must have n_features entries");
        skvr::scaled_rows(data, order.data(), order.size(), root.data(), n_roots, mean.data(), inverse_scale.data(),
                          out.data());
    }
    void add_gram(Order order, ConstVector weight, Vector gram) const override {
        const size_t q = data.rows.n_features + 1;
        check(order);
        require(weight.size() == order.size() && gram.size() == q * (q + 1) / 2,
                "gram must be a triangle with n_features + 1 rows");
        if constexpr (Data::Rows::sparse)
            skvr::add_gram(data, order.data(), order.size(), weight.data(), gram.data());
        else
            require(false, "add_gram is for sparse rows");
    }
    void add_packed_gram(Order order, ConstVector root, ConstVector mean, ConstVector inverse_scale,
                         Vector gram) const override {
        const size_t p = data.rows.n_features, n_roots = n ? root.size() / n : 1, q = n_roots * (p + 1);
        check(order);
        require(root.size() == n * n_roots, "root must have as many entries for every row");
        require(mean.size() == p && inverse_scale.size() == p, "mean and inverse_scale must have n_features entries");
        require(gram.size() == q * (q + 1) / 2, "gram must be a triangle of n_features + 1 rows a root");
        skvr::add_packed_gram(data, order.data(), order.size(), root.data(), n_roots, mean.data(), inverse_scale.data(),
                              gram.data());
    }
    void add_gradient_changes(Order order, ConstVector weight, ConstVector theta, ConstVector residual,
                              Vector out) const override {
        check(order), per_parameter(theta), per_row(residual), per_parameter(out);
        require(weight.size() == order.size(), "weight must have one entry a drawn row");
        skvr::add_gradient_changes(data, order.data(), order.size(), weight.data(), theta.data(), residual.data(),
                                   out.data());
    }
    void sdca_epoch(Order order, double n_samples, ConstVector squared_norm, double intercept_square, Vector theta,
                    Vector residual) const override {
        check(order), per_parameter(theta), per_row(residual);
        require(squared_norm.size() == n, "squared_norm must have n_samples entries");
        if constexpr (Data::Loss::single)
            skvr::sdca_epoch(data, order.data(), order.size(), n_samples, squared_norm.data(), intercept_square,
                             theta.data(), residual.data());
        else
            require(false, "sdca_epoch is for one output");
    }
    bool is_large_batch(size_t batch) const override { return skvr::is_large_batch(data, batch); }
    void sgd_epoch(Order order, size_t batch, StepSizes step_sizes, Vector theta, std::optional<Vector> total,
                   size_t n_threads) const override {
        check(order), per_parameter(theta), total_fits(total);
        Steps<Data> eta = steps(step_sizes, order, batch);
        if constexpr (!Data::Rows::sparse)
            if (is_large_batch(batch))
                return large_linear_epoch(data, n_threads, order.data(), order.size(), batch, std::move(eta),
                                          theta.data(), data_or_null(total));
        skvr::sgd_epoch(data, order.data(), order.size(), batch, std::move(eta), theta.data(), data_or_null(total));
    }
    size_t sag_epoch(Order order, StepSizes step_sizes, Vector theta, Vector table, Vector sum, size_t n_seen,
                     std::optional<ConstVector> frequency, std::optional<ConstVector> initial_residual,
                     std::optional<ConstVector> centre, std::optional<Vector> total) const override {
        check(order), per_parameter(theta), total_fits(total);
        Table t = checked(order, table, sum, n_seen, frequency);
        require(initial_residual.has_value() == centre.has_value(), "initial_residual and centre go together");
        if (centre) {
            per_row(*initial_residual), per_parameter(*centre);
            t.initial_residual = initial_residual->data();
            t.centre = centre->data();
            t.n_samples = double(n_samples);
        }
        return skvr::sag_epoch(data, order.data(), order.size(), steps(step_sizes, order, 1), theta.data(),
                               data_or_null(total), t);
    }
    size_t saga_epoch(Order order, StepSizes step_sizes, Vector theta, Vector table, Vector sum, size_t n_seen,
                      std::optional<ConstVector> frequency, std::optional<Vector> total) const override {
        check(order), per_parameter(theta), total_fits(total);
        const Table t = checked(order, table, sum, n_seen, frequency);
        return skvr::saga_epoch(data, order.data(), order.size(), steps(step_sizes, order, 1), theta.data(),
                                data_or_null(total), t);
    }
    void svrg_epoch(Order order, size_t batch, StepSizes step_sizes, Vector theta, ConstVector snapshot_residual,
                    Vector full_gradient, std::optional<Vector> total, size_t n_threads) const override {
        check(order), per_parameter(theta), total_fits(total);
        per_row(snapshot_residual), per_parameter(full_gradient);
        Steps<Data> eta = steps(step_sizes, order, batch);
        if constexpr (!Data::Rows::sparse)
            if (is_large_batch(batch))
                return large_linear_epoch(data, n_threads, order.data(), order.size(), batch, std::move(eta),
                                          theta.data(), data_or_null(total), snapshot_residual.data(),
                                          full_gradient.data());
        skvr::svrg_epoch(data, order.data(), order.size(), batch, std::move(eta), theta.data(), data_or_null(total),
                         snapshot_residual.data(), full_gradient.data());
    }
    void rule_epoch(Order order, size_t batch, ConstVector eta, Vector theta, Rule& rule, size_t state_size,
                    std::optional<Vector> total, size_t n_threads) const override {
        check(order), steps(eta, order, batch), per_parameter(theta);
        require(state_size == data.size(), "the rule's state has the wrong size");
        total_fits(total);
        double* sum = data_or_null(total);
        if constexpr (Data::Rows::sparse) {
            if (is_lazy(rule, batch))
                return lazy_rule_epoch(data, rule, order.data(), order.size(), batch, eta.data(), theta.data(), sum);
        } else if (is_large_batch(batch)) {
            return large_rule_epoch(data, n_threads, rule, order.data(), order.size(), batch, eta.data(), theta.data(),
                                    sum);
        }
        skvr::rule_epoch(data, rule, order.data(), order.size(), batch, eta.data(), theta.data(), sum);
    }
    bool is_lazy(const Rule& rule, size_t batch) const override {
        if constexpr (Data::Rows::sparse)
            return rule.has_closed_form() && touches_few_features(data.rows, batch) &&
                   std::all_of(data.alpha, data.alpha + data.n_outputs(), [](double a) { return a == 0; });
        return false;
    }
};

struct Targets {
    ConstVector y, weight, alpha;
    bool fit_intercept;
};

template <class Loss, class Rows>
std::unique_ptr<Kernels> make(Rows rows, const Targets& t, std::vector<nb::object> owners) {
    const size_t n = t.weight.size(), K = Loss::outputs(t.alpha.size());
    require(t.alpha.size() == K, "alpha must have one entry per output");
    require(t.y.size() == n * Loss::target_width(K), "y has the wrong size");
    for (const ConstVector& a : {t.y, t.weight, t.alpha}) owners.push_back(nb::cast(a));
    using Data = FiniteSum<Rows, Loss>;
    return std::make_unique<KernelsOf<Data>>(
        Data{rows, t.y.data(), t.weight.data(), t.alpha.data(), K, t.fit_intercept}, n, std::move(owners));
}

template <class Rows>
std::unique_ptr<Kernels> choose_loss(const std::string& loss, Rows rows, const Targets& t, std::vector<nb::object> owners) {
    if (loss == "logistic") return make<Logistic>(rows, t, std::move(owners));
    if (loss == "softmax") {
        const size_t K = t.alpha.size();
        for (size_t i = 0; i < t.y.size(); ++i) {
            const double y = t.y.data()[i];
            require(y >= 0 && y < double(K) && y == std::floor(y), "y holds a number that is none of the classes 0 .. K - 1");
        }
        return make<Softmax>(rows, t, std::move(owners));
    }
    require(loss == "squared", "loss must be 'logistic', 'softmax' or 'squared'");
    return t.alpha.size() == 1 ? make<Squared<1>>(rows, t, std::move(owners))
                               : make<Squared<0>>(rows, t, std::move(owners));
}

template <class T>
void bind_dense(nb::module_& m) {
    using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
    m.def("dense",
          [](Matrix X, const std::string& loss, ConstVector y, ConstVector weight, ConstVector alpha, bool fit_intercept) {
              require(X.shape(0) == weight.size(), "X and weight disagree about the number of rows");
              return choose_loss(loss, DenseRows<T>{X.data(), X.shape(1)}, {y, weight, alpha, fit_intercept},
                                 {nb::cast(X)});
          },
          "X"_a.noconvert(), "loss"_a, "y"_a.noconvert(), "weight"_a.noconvert(), "alpha"_a.noconvert(),
          "fit_intercept"_a);
}

template <class T, class Index>
void bind_csr(nb::module_& m) {
    m.def("csr",
          [](Array<const T> values, Array<const Index> indices, Array<const Index> indptr, size_t n_features,
             const std::string& loss, ConstVector y, ConstVector weight, ConstVector alpha, bool fit_intercept) {
              const size_t n = weight.size();
              require(indptr.size() == n + 1 && values.size() == indices.size(), "the CSR arrays disagree");
              const Index* ptr = indptr.data();
              require(ptr[0] == 0 && size_t(ptr[n]) <= indices.size(), "indptr must run from 0 to the number of entries");
              for (size_t i = 0; i < n; ++i) require(ptr[i] <= ptr[i + 1], "indptr must not decrease");
              require(all_below(indices.data(), indices.size(), n_features), "a column is out of range");
              return choose_loss(loss, CsrRows<T, Index>{values.data(), indices.data(), ptr, n_features, n, size_t(ptr[n])},
                                 {y, weight, alpha, fit_intercept}, {nb::cast(values), nb::cast(indices), nb::cast(indptr)});
          },
          "data"_a.noconvert(), "indices"_a.noconvert(), "indptr"_a.noconvert(), "n_features"_a, "loss"_a,
          "y"_a.noconvert(), "weight"_a.noconvert(), "alpha"_a.noconvert(), "fit_intercept"_a);
}

void bind_dense_rows(nb::module_& m);
void bind_dense_float_rows(nb::module_& m);
void bind_csr_rows(nb::module_& m);
void bind_csr_rows_64(nb::module_& m);

}  // namespace skvr
