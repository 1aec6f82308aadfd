"""Full-batch steps against the update formulas that torch.optim and optax document, written out here in NumPy.

Nothing is shared with `reference.py`: the gradients are written out too. Where the two libraries differ from each
other or from the lecture, a line here says how:

- Adagrad and RMSprop: optax has epsilon inside the root, as the lecture does (with optax's initial accumulator at 0);
  torch has it outside, which for an epsilon far below v is the same.
- Adadelta: both have one decay, and epsilon inside both roots, as the lecture does.
- Adam: both have epsilon outside the root, as the lecture does.
- AMSGrad: torch's code takes the largest v and corrects its bias afterwards, as here; optax and torch's documentation
  take the largest of the corrected ones.
- Momentum: both multiply the velocity by the step size, where v here contains it; for a constant one it is the same.
"""

from collections import defaultdict

import numpy as np
import pytest
from scipy.special import expit, softmax

from skvr import LogisticRegression, Ridge, _kernels, solvers
from skvr.problem import FiniteSum

N_STEPS, N, P, ALPHA = 20, 30, 4, 0.1
TINY = 1e-40  # an epsilon that changes no bit, in or outside a root of numbers above 1e-12


def sgd(g, s, k, lr):
    return lr * g


def heavy_ball(g, s, k, lr, momentum):
    s["buffer"] = momentum * s["buffer"] + g
    return lr * s["buffer"]


def nesterov(g, s, k, lr, momentum):
    s["buffer"] = momentum * s["buffer"] + g
    return lr * (g + momentum * s["buffer"])


def adagrad_optax(g, s, k, lr, eps):
    s["sum"] = s["sum"] + g**2
    return lr * g / np.sqrt(s["sum"] + eps)


def adagrad_torch(g, s, k, lr, eps):
    s["sum"] = s["sum"] + g**2
    return lr * g / (np.sqrt(s["sum"]) + eps)


def rmsprop_optax(g, s, k, lr, decay, eps):
    s["nu"] = decay * s["nu"] + (1 - decay) * g**2
    return lr * g / np.sqrt(s["nu"] + eps)


def rmsprop_torch(g, s, k, lr, decay, eps):
    s["nu"] = decay * s["nu"] + (1 - decay) * g**2
    return lr * g / (np.sqrt(s["nu"]) + eps)


def adadelta(g, s, k, lr, rho, eps):
    s["square"] = rho * s["square"] + (1 - rho) * g**2
    delta = np.sqrt(s["delta"] + eps) / np.sqrt(s["square"] + eps) * g
    s["delta"] = rho * s["delta"] + (1 - rho) * delta**2
    return lr * delta


def adam(g, s, k, lr, beta_1, beta_2, eps):
    s["mu"] = beta_1 * s["mu"] + (1 - beta_1) * g
    s["nu"] = beta_2 * s["nu"] + (1 - beta_2) * g**2
    return lr / (1 - beta_1**k) * s["mu"] / (np.sqrt(s["nu"]) / np.sqrt(1 - beta_2**k) + eps)


def amsgrad_torch(g, s, k, lr, beta_1, beta_2, eps):
    s["mu"] = beta_1 * s["mu"] + (1 - beta_1) * g
    s["nu"] = beta_2 * s["nu"] + (1 - beta_2) * g**2
    s["max"] = np.maximum(s["max"], s["nu"])
    return lr / (1 - beta_1**k) * s["mu"] / (np.sqrt(s["max"]) / np.sqrt(1 - beta_2**k) + eps)


# The published update and its parameters; the solver that makes the same steps.
BY_ESTIMATOR = {
    "gd": (sgd, (0.1,), solvers.GD(step_size=0.1)),
    "minibatch": (sgd, (0.1,), solvers.MiniBatch(step_size=0.1, batch_size=N)),
    "adagrad-optax": (adagrad_optax, (0.1, 1e-2), solvers.Adagrad(step_size=0.1, batch_size=N, epsilon=1e-2)),
    "adagrad-torch": (adagrad_torch, (0.1, TINY), solvers.Adagrad(step_size=0.1, batch_size=N, epsilon=TINY)),
    "rmsprop-optax": (
        rmsprop_optax,
        (0.01, 0.8, 1e-2),
        solvers.RMSprop(step_size=0.01, batch_size=N, gamma=0.8, epsilon=1e-2),
    ),
    "rmsprop-torch": (
        rmsprop_torch,
        (0.01, 0.8, TINY),
        solvers.RMSprop(step_size=0.01, batch_size=N, gamma=0.8, epsilon=TINY),
    ),
    "adadelta": (adadelta, (0.5, 0.8, 1e-2), solvers.Adadelta(step_size=0.5, batch_size=N, gamma=0.8, epsilon=1e-2)),
    "adam": (
        adam,
        (0.05, 0.8, 0.9, 1e-2),
        solvers.Adam(step_size=0.05, batch_size=N, beta_1=0.8, beta_2=0.9, epsilon=1e-2),
    ),
}
# The published update and its parameters; the number of arrays in the rule's state and the rule.
BY_KERNEL = {
    "heavy_ball": (heavy_ball, (0.05, 0.8), 1, _kernels.heavy_ball),
    "nesterov": (nesterov, (0.05, 0.8), 1, _kernels.nesterov),
    "amsgrad-torch": (amsgrad_torch, (0.05, 0.8, 0.5, 1e-2), 3, _kernels.amsgrad),
}
LOSSES = ["logistic", "softmax", "squared"]


def make_data(loss):
    """Return X, y and the weights, of mean 1."""
    rng = np.random.default_rng(0)
    X, s = rng.standard_normal((N, P)), rng.uniform(0.5, 2, N)
    y = {"logistic": np.arange(N) % 2, "softmax": np.arange(N) % 3, "squared": rng.standard_normal((N, 2))}[loss]
    return X, y, s / s.mean()


def published(loss, update, parameters):
    """Return W and b after N_STEPS updates from zero."""
    X, y, s = make_data(loss)
    one = np.column_stack([X, np.ones(N)])
    x, state = np.zeros((P + 1, {"logistic": 1, "softmax": 3, "squared": 2}[loss])), defaultdict(float)
    for k in range(1, N_STEPS + 1):
        z = one @ x
        if loss == "logistic":
            r = expit(z) - y[:, None]
        elif loss == "softmax":
            r = softmax(z, axis=1) - np.eye(3)[y]
        else:
            r = z - y
        g = one.T @ (s[:, None] * r) / N + ALPHA * np.vstack([x[:P], 0 * x[P:]])
        x = x - update(g, state, k, *parameters)
    return x[:P].T, x[P]


def assert_same(actual, desired):
    for a, d in zip(actual, desired, strict=True):
        np.testing.assert_allclose(a, d, rtol=1e-10, atol=1e-10 * np.abs(d).max())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", BY_ESTIMATOR)
def test_estimators_step_as_published(name, loss):
    update, parameters, solver = BY_ESTIMATOR[name]
    X, y, s = make_data(loss)
    if loss == "squared":
        model = Ridge(alpha=ALPHA * N, solver=solver, tol=None, max_iter=N_STEPS, random_state=0)
    else:
        model = LogisticRegression(C=1 / (ALPHA * N), solver=solver, tol=None, max_iter=N_STEPS, random_state=0)
    model.fit(X, y, sample_weight=s)
    assert_same((model.coef_, model.intercept_), published(loss, update, parameters))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", BY_KERNEL)
def test_rules_step_as_published(name, loss):
    update, (step_size, *parameters), n_arrays, make = BY_KERNEL[name]
    X, y, s = make_data(loss)
    y = 2.0 * y - 1 if loss == "logistic" else y.astype(float)
    W, b = published(loss, update, (step_size, *parameters))
    problem = FiniteSum(X, y, s, np.full(len(b), ALPHA), loss, True)
    theta, rule = problem.zeros(), make(*(problem.zeros() for _ in range(n_arrays)), *parameters)
    for _ in range(N_STEPS):
        problem.kernels.rule_epoch(np.arange(N), N, np.full(len(b), step_size), theta, rule)
    assert_same((problem.coef(theta), problem.intercept(theta)), (W, b))


def test_sgd_on_one_row_steps_as_published():
    x, y, step_size = np.array([[1.0, -2.0, 0.5]]), np.array([3.0]), 0.05
    model = Ridge(alpha=ALPHA, solver=solvers.SGD(step_size=step_size), tol=None, max_iter=N_STEPS).fit(x, y)
    w, b = np.zeros(3), 0.0
    for _ in range(N_STEPS):
        r = x[0] @ w + b - y[0]
        w, b = w - sgd(r * x[0] + ALPHA * w, {}, 0, step_size), b - sgd(r, {}, 0, step_size)
    assert_same((model.coef_, [model.intercept_]), (w, [b]))
