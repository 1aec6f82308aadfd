// The Python module skvr._kernels: one class FiniteSum whose methods are the passes and the epochs, one class per rule.
#include "kernels.hpp"
#include "shuffle.hpp"

using namespace skvr;

namespace {

// A rule bound with the arrays of its state; `size` is checked against the data before an epoch.
struct PyRule {
    std::unique_ptr<Rule> rule;
    size_t size;
    std::vector<nb::object> owners;
};

template <class Formula>
PyRule make_rule(std::initializer_list<Vector> state, Formula formula) {
    PyRule rule{std::make_unique<RuleOf<Formula>>(formula), state.begin()->size(), {}};
    for (const Vector& a : state) {
        require(a.size() == rule.size, "the arrays of a rule's state must have one size");
        rule.owners.push_back(nb::cast(a));
    }
    return rule;
}

}  // namespace

NB_MODULE(_kernels, m) {
    nb::set_leak_warnings(false);  // a rule kept to the end of the interpreter is no reason to print
    m.doc() = "Compiled passes and epochs over the rows of a finite sum; see skvr/cpp.";

    nb::class_<PyRule>(m, "Rule");
    m.def("heavy_ball",
          [](Vector velocity, double momentum) { return make_rule({velocity}, HeavyBall{velocity.data(), momentum}); },
          "velocity"_a.noconvert(), "momentum"_a);
    m.def("nesterov",
          [](Vector velocity, double momentum) { return make_rule({velocity}, Nesterov{velocity.data(), momentum}); },
          "velocity"_a.noconvert(), "momentum"_a);
    m.def("adagrad", [](Vector v, double epsilon) { return make_rule({v}, Adagrad{v.data(), epsilon}); },
          "v"_a.noconvert(), "epsilon"_a);
    m.def("rmsprop",
          [](Vector v, double gamma, double epsilon) { return make_rule({v}, RMSprop{v.data(), gamma, epsilon}); },
          "v"_a.noconvert(), "gamma"_a, "epsilon"_a);
    m.def("adadelta",
          [](Vector v, Vector delta, double gamma, double rho, double epsilon) {
              return make_rule({v, delta}, Adadelta{v.data(), delta.data(), gamma, rho, epsilon});
          },
          "v"_a.noconvert(), "delta"_a.noconvert(), "gamma"_a, "rho"_a, "epsilon"_a);
    m.def("adam",
          [](Vector m, Vector v, double beta_1, double beta_2, double epsilon, double k) {
              return make_rule({m, v}, Adam{m.data(), v.data(), beta_1, beta_2, epsilon, std::pow(beta_1, k),
                                            std::pow(beta_2, k)});
          },
          "m"_a.noconvert(), "v"_a.noconvert(), "beta_1"_a, "beta_2"_a, "epsilon"_a, "k"_a = 0.0);
    m.def("amsgrad",
          [](Vector m, Vector v, Vector v_max, double beta_1, double beta_2, double epsilon, double k) {
              return make_rule({m, v, v_max}, AMSGrad{m.data(), v.data(), v_max.data(), beta_1, beta_2, epsilon,
                                                      std::pow(beta_1, k), std::pow(beta_2, k)});
          },
          "m"_a.noconvert(), "v"_a.noconvert(), "v_max"_a.noconvert(), "beta_1"_a, "beta_2"_a, "epsilon"_a,
          "k"_a = 0.0);

    nb::class_<PyLineSearch>(m, "LineSearch")
        .def("__init__",
             [](PyLineSearch* self, Vector L, ConstVector squared_norm, double multiple, double lower) {
                 require(multiple > 0, "multiple must be positive");
                 require(lower > 0 && lower <= 1, "lower must be in (0, 1]");
                 new (self) PyLineSearch{L, squared_norm, multiple, lower};
             },
             "L"_a.noconvert(), "squared_norm"_a.noconvert(), "multiple"_a, "lower"_a);

    using release = nb::call_guard<nb::gil_scoped_release>;
    const auto require_seed = [](const Array<const uint64_t>& seed) {
        require(seed.size() == 4, "seed must have 4 entries");
        require(std::any_of(seed.data(), seed.data() + 4, [](uint64_t s) { return s != 0; }),
                "seed must not be all zeros");
    };
    m.def("shuffle",
          [=](Array<int64_t> rows, Array<const uint64_t> seed) {
              require_seed(seed);
              shuffle(rows.data(), rows.size(), seed.data());
          },
          "rows"_a.noconvert(), "seed"_a.noconvert(), release(), "Bring the rows in a random order, in place.");
    m.def("draw",
          [=](Array<int64_t> rows, size_t n, Array<const uint64_t> seed) {
              require_seed(seed);
              require(n > 0, "n must be positive");
              draw(rows.data(), rows.size(), n, seed.data());
          },
          "rows"_a.noconvert(), "n"_a, "seed"_a.noconvert(), release(),
          "Fill in independent rows, each of n with the same probability.");
    nb::class_<Kernels>(m, "FiniteSum")
        .def("raw_predictions", &Kernels::raw_predictions, "order"_a.noconvert(), "theta"_a.noconvert(),
             "z"_a.noconvert(), release())
        .def("residuals", &Kernels::residuals, "order"_a.noconvert(), "z"_a.noconvert(), "shift"_a.noconvert(),
             "r"_a.noconvert(), release())
        .def("add_gradients", &Kernels::add_gradients, "order"_a.noconvert(), "r"_a.noconvert(), "out"_a.noconvert(),
             release())
        .def("loss_in_shift", &Kernels::loss_in_shift, "order"_a.noconvert(), "z"_a.noconvert(), "shift"_a.noconvert(),
             "value"_a.noconvert(), "gradient"_a.noconvert(), "hessian"_a.noconvert(), release())
        .def("evaluate", &Kernels::evaluate, "order"_a.noconvert(), "theta"_a.noconvert(), "z"_a.noconvert(),
             "value"_a.noconvert(), "gradient"_a.noconvert(), release())
        .def("residual_gradient", &Kernels::residual_gradient, "order"_a.noconvert(), "theta"_a.noconvert(),
             "r"_a.noconvert(), "gradient"_a.noconvert(), release())
        .def("losses", &Kernels::losses, "order"_a.noconvert(), "z"_a.noconvert(), "value"_a.noconvert(),
             "r"_a.noconvert(), release())
        .def("reweighted", &Kernels::reweighted, "weight"_a.noconvert())
        .def("add_moments", &Kernels::add_moments, "order"_a.noconvert(), "centre"_a.noconvert(), "stored"_a.noconvert(),
             "first"_a.noconvert(), "second"_a.noconvert(), release())
        .def("standardised_norms", &Kernels::standardised_norms, "order"_a.noconvert(), "mean"_a.noconvert(),
             "inverse_scale"_a.noconvert(), "norms"_a.noconvert(), release())
        .def("scaled_rows", &Kernels::scaled_rows, "order"_a.noconvert(), "root"_a.noconvert(), "mean"_a.noconvert(),
             "inverse_scale"_a.noconvert(), "out"_a.noconvert(), release())
        .def("add_gram", &Kernels::add_gram, "order"_a.noconvert(), "weight"_a.noconvert(), "gram"_a.noconvert(),
             release())
        .def("add_packed_gram", &Kernels::add_packed_gram, "order"_a.noconvert(), "root"_a.noconvert(),
             "mean"_a.noconvert(), "inverse_scale"_a.noconvert(), "gram"_a.noconvert(), release())
        .def("add_gradient_changes", &Kernels::add_gradient_changes, "order"_a.noconvert(), "weight"_a.noconvert(),
             "theta"_a.noconvert(), "residual"_a.noconvert(), "out"_a.noconvert(), release())
        .def("sdca_epoch", &Kernels::sdca_epoch, "order"_a.noconvert(), "n_samples"_a, "squared_norm"_a.noconvert(),
             "intercept_square"_a, "theta"_a.noconvert(), "residual"_a.noconvert(), release())
        .def("sgd_epoch", &Kernels::sgd_epoch, "order"_a.noconvert(), "batch"_a, "steps"_a.noconvert(),
             "theta"_a.noconvert(), "total"_a.noconvert() = nb::none(), "n_threads"_a = 1, release())
        .def("is_large_batch", &Kernels::is_large_batch, "batch"_a,
             "Whether `n_threads` threads share a step on so many rows.")
        .def("sag_epoch", &Kernels::sag_epoch, "order"_a.noconvert(), "steps"_a.noconvert(), "theta"_a.noconvert(),
             "table"_a.noconvert(), "sum"_a.noconvert(), "n_seen"_a, "frequency"_a.noconvert() = nb::none(),
             "initial_residual"_a.noconvert() = nb::none(), "centre"_a.noconvert() = nb::none(),
             "total"_a.noconvert() = nb::none(), release())
        .def("saga_epoch", &Kernels::saga_epoch, "order"_a.noconvert(), "steps"_a.noconvert(), "theta"_a.noconvert(),
             "table"_a.noconvert(), "sum"_a.noconvert(), "n_seen"_a, "frequency"_a.noconvert() = nb::none(),
             "total"_a.noconvert() = nb::none(), release())
        .def("svrg_epoch", &Kernels::svrg_epoch, "order"_a.noconvert(), "batch"_a, "steps"_a.noconvert(),
             "theta"_a.noconvert(), "snapshot_residual"_a.noconvert(), "full_gradient"_a.noconvert(),
             "total"_a.noconvert() = nb::none(), "n_threads"_a = 1, release())
        .def("rule_epoch",
             [](const Kernels& self, Order order, size_t batch, ConstVector eta, Vector theta, PyRule& rule,
                std::optional<Vector> total, size_t n_threads) {
                 self.rule_epoch(order, batch, eta, theta, *rule.rule, rule.size, total, n_threads);
             },
             "order"_a.noconvert(), "batch"_a, "eta"_a.noconvert(), "theta"_a.noconvert(), "rule"_a,
             "total"_a.noconvert() = nb::none(), "n_threads"_a = 1, release())
        .def("is_lazy",
             [](const Kernels& self, const PyRule& rule, size_t batch) { return self.is_lazy(*rule.rule, batch); },
             "rule"_a, "batch"_a, "Whether rule_epoch works on the features that a batch touches alone.");

    bind_dense_rows(m);
    bind_dense_float_rows(m);
    bind_csr_rows(m);
    bind_csr_rows_64(m);
}
