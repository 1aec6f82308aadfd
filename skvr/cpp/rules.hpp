// The adaptive rules, literally as in the lecture, "Adaptivity or scaling": one formula a coordinate x with gradient g,
// q the coordinate's place in the state. Epsilon is inside the root for Adagrad, RMSprop and Adadelta, outside for Adam.
#pragma once

#include <cmath>

#include "vector.hpp"

namespace skvr {

// Duchi, Hazan and Singer (2011)
struct Adagrad {
    double* v;
    double epsilon;

    void begin_step() {}
    void operator()(double& x, double g, size_t q, double eta) const {
        v[q] += g * g;
        x -= eta * g / std::sqrt(v[q] + epsilon);
    }
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
};

// Kingma and Ba (2015), algorithm 1
struct Adam {
    double *m, *v;
    double beta_1, beta_2, epsilon;
    double power_1 = 1, power_2 = 1;  // beta_1^k and beta_2^k at step k = 1, 2, ...

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

template <class Formula>
SKVR_CLONES void apply_rule(Formula formula, double* x, const double* g, size_t begin, size_t end, double eta) {
    for (size_t q = begin; q < end; ++q) formula(x[q], g[q], q, eta);
}

// What the epoch knows of a rule; the state stays in the caller's arrays.
struct Rule {
    virtual ~Rule() = default;
    virtual void begin_step() = 0;
    virtual void update(double* x, const double* g, size_t begin, size_t end, double eta) = 0;
};

template <class Formula>
struct RuleOf : Rule {
    Formula formula;
    explicit RuleOf(Formula formula) : formula(formula) {}
    void begin_step() override { formula.begin_step(); }
    void update(double* x, const double* g, size_t begin, size_t end, double eta) override {
        apply_rule(formula, x, g, begin, end, eta);
    }
};

}  // namespace skvr
