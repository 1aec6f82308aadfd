// The rules that a batch's gradient g is handed to, coordinate by coordinate: x is the coordinate, q its place in the
// state. The adaptive ones are literally as in the lecture, "Adaptivity or scaling": epsilon is inside the root for
// Adagrad, RMSprop and Adadelta, outside for Adam.
//
// A rule that leaves x where it is when g = 0 says in `decays` what n such steps do to its state: a <- factor^n a.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "vector.hpp"

namespace skvr {

struct Decay {
    double* a;
    double factor;
};

// Polyak (1964): the heavy ball
struct HeavyBall {
    double* velocity;
    double momentum;

    void begin_step() {}
    void operator()(double& x, double g, size_t q, double eta) const {
        velocity[q] = momentum * velocity[q] + eta * g;
        x -= velocity[q];
    }
};

// Nesterov's momentum, Sutskever, Martens, Dahl and Hinton (2013), eq. 3-4, for x the point at which they take the
// gradient, their theta + mu v; velocity is their -v.
struct Nesterov {
    double* velocity;
    double momentum;

    void begin_step() {}
    void operator()(double& x, double g, size_t q, double eta) const {
        velocity[q] = momentum * velocity[q] + eta * g;
        x -= momentum * velocity[q] + eta * g;
    }
};

// Duchi, Hazan and Singer (2011)
struct Adagrad {
    double* v;
    double epsilon;

    void begin_step() {}
    void operator()(double& x, double g, size_t q, double eta) const {
        v[q] += g * g;
        x -= eta * g / std::sqrt(v[q] + epsilon);
    }
    std::array<Decay, 0> decays() const { return {}; }
};

// Tieleman and Hinton (2012)
struct RMSprop {
    double* v;
    double gamma, epsilon;

    void begin_step() {}
    void operator()(double& x, double g, size_t q, double eta) const {
        v[q] = gamma * v[q] + (1 - gamma) * g * g;
        x -= eta * g / std::sqrt(v[q] + epsilon);
    }
    std::array<Decay, 1> decays() const { return {{{v, gamma}}}; }
};

// Zeiler (2012), algorithm 1, where gamma = rho and eta = 1
struct Adadelta {
    double *v, *delta;
    double gamma, rho, epsilon;

    void begin_step() {}
    void operator()(double& x, double g, size_t q, double eta) const {
        v[q] = gamma * v[q] + (1 - gamma) * g * g;
        const double step = std::sqrt(delta[q] + epsilon) / std::sqrt(v[q] + epsilon) * g;
        x -= eta * step;
        delta[q] = rho * delta[q] + (1 - rho) * step * step;
    }
    std::array<Decay, 2> decays() const { return {{{v, gamma}, {delta, rho}}}; }
};

// Kingma and Ba (2015), algorithm 1
struct Adam {
    double *m, *v;
    double beta_1, beta_2, epsilon;
    double power_1, power_2;  // beta_1^k and beta_2^k after k steps

    void begin_step() {
        power_1 *= beta_1;
        power_2 *= beta_2;
    }
    void operator()(double& x, double g, size_t q, double eta) const {
        m[q] = beta_1 * m[q] + (1 - beta_1) * g;
        v[q] = beta_2 * v[q] + (1 - beta_2) * g * g;
        const double m_hat = m[q] / (1 - power_1), v_hat = v[q] / (1 - power_2);
        x -= eta * m_hat / (std::sqrt(v_hat) + epsilon);
    }
};

// Reddi, Kale and Kumar (2018), algorithm 2, with Adam's corrections: the largest v is corrected as v is there.
struct AMSGrad {
    double *m, *v, *v_max;
    double beta_1, beta_2, epsilon;
    double power_1, power_2;

    void begin_step() {
        power_1 *= beta_1;
        power_2 *= beta_2;
    }
    void operator()(double& x, double g, size_t q, double eta) const {
        m[q] = beta_1 * m[q] + (1 - beta_1) * g;
        v[q] = beta_2 * v[q] + (1 - beta_2) * g * g;
        v_max[q] = std::max(v_max[q], v[q]);
        const double m_hat = m[q] / (1 - power_1), v_hat = v_max[q] / (1 - power_2);
        x -= eta * m_hat / (std::sqrt(v_hat) + epsilon);
    }
};

template <class Formula>
SKVR_CLONES void apply_rule(Formula formula, double* x, const double* g, size_t begin, size_t end, double eta) {
    for (size_t q = begin; q < end; ++q) formula(x[q], g[q], q, eta);
}

// A feature, whose K coefficients lie together, and for how many steps its gradient has been zero.
struct Touched {
    size_t feature, waited;
};

// What the epochs know of a rule; the state stays in the caller's arrays.
struct Rule {
    virtual ~Rule() = default;
    virtual void begin_step() = 0;
    virtual void update(double* x, const double* g, size_t begin, size_t end, double eta) = 0;
    virtual bool has_closed_form() const = 0;
    // For a closed form: the state after the steps that were waited, at most max_waited; then a step of these features.
    virtual void catch_up(const Touched* touched, size_t n, size_t K, size_t max_waited) = 0;
    virtual void update(double* x, const double* g, const Touched* touched, size_t n, size_t K, const double* eta) = 0;
};

template <class Formula, class = void>
struct HasDecays : std::false_type {};
template <class Formula>
struct HasDecays<Formula, std::void_t<decltype(std::declval<Formula>().decays())>> : std::true_type {};

template <class Formula>
class RuleOf : public Rule {
public:
    explicit RuleOf(Formula formula) : formula(formula) {}
    void begin_step() override { formula.begin_step(); }
    void update(double* x, const double* g, size_t begin, size_t end, double eta) override {
        apply_rule(formula, x, g, begin, end, eta);
    }
    bool has_closed_form() const override { return HasDecays<Formula>::value; }
    void catch_up([[maybe_unused]] const Touched* touched, [[maybe_unused]] size_t n, [[maybe_unused]] size_t K,
                  [[maybe_unused]] size_t max_waited) override {
        if constexpr (HasDecays<Formula>::value) {
            const auto decays = formula.decays();
            powers.resize(decays.size(), {1.0});
            for (size_t d = 0; d < decays.size(); ++d) {
                while (powers[d].size() <= max_waited) powers[d].push_back(powers[d].back() * decays[d].factor);
                double* a = decays[d].a;
                const double* power = powers[d].data();
                for (size_t t = 0; t < n; ++t)
                    for (size_t k = 0; k < K; ++k) a[touched[t].feature * K + k] *= power[touched[t].waited];
            }
        }
    }
    void update(double* x, const double* g, const Touched* touched, size_t n, size_t K, const double* eta) override {
        for (size_t t = 0; t < n; ++t)
            for (size_t k = 0; k < K; ++k) {
                const size_t q = touched[t].feature * K + k;
                formula(x[q], g[q], q, eta[k]);
            }
    }

private:
    Formula formula;
    std::vector<std::vector<double>> powers;  // factor^0, factor^1, ... of each decay
};

}  // namespace skvr
