"""Steps on batches that threads share: the formulas hold, and no number of threads changes a bit."""

import os
from dataclasses import replace

import numpy as np
import pytest
import reference
from numpy.testing import assert_array_equal
from problems import CURVATURE, DTYPES, LOSSES, assert_close, compiled, each, make_problem, theta_of
from reference import join

from skvr import LogisticRegression, Ridge, _kernels, solvers

LARGE = 2**17  # values of X in a batch
# Features and rows a batch: several parts of a batch, one of them short; several slices of the coefficients.
SHAPES = {"narrow": (700, 190), "wide": (8200, 17)}
RULES = {
    "nesterov": (1, {"momentum": 0.6}),
    "rmsprop": (1, {"gamma": 0.8, "epsilon": 1.0}),
    "adam": (2, {"beta_1": 0.6, "beta_2": 0.9, "epsilon": 1.0}),
}
METHODS = ["minibatch", "minibatch-search", "svrg", *RULES]


def large_problem(loss, shape, dtype="float64", **data):
    """Return a problem of two batches and a half, the rows in an order of two epochs, steps of at most 1/L."""
    p, batch = SHAPES[shape]
    n = 2 * batch + batch // 2
    P = make_problem(loss, n=n, **data)
    rng = np.random.default_rng(4)
    P = replace(P, X=rng.standard_normal((n, p)).astype(dtype).astype(np.float64))
    order = np.concatenate([rng.permutation(np.flatnonzero(P.weight)) for _ in range(2)])
    L = CURVATURE[P.loss] * np.max(P.weight * (np.sum(P.X**2, axis=1) + 1)) + P.alpha.max()
    shares = np.array([1.0, 0.7, 0.4])[: len(P.alpha)] if P.loss == "squared" else np.ones(len(P.alpha))
    return P, order, np.tile(shares / L, (-(-len(order) // batch), 1)), batch


def point(P):
    rng = np.random.default_rng(1)
    K, p = len(P.alpha), P.X.shape[1]
    return rng.standard_normal((K, p)) / p, 0.3 * rng.standard_normal(K)


def run(method, P, problem, order, steps, batch, n_threads):
    """Return the last (W, b), the sum of the iterates and the last L of a line search."""
    theta, total = theta_of(problem, *point(P)), problem.zeros()
    kernels, options = problem.kernels, {"total": total, "n_threads": n_threads}
    L = np.full(problem.n_tasks, 0.01)
    if method == "minibatch":
        kernels.sgd_epoch(order, batch, steps.ravel(), theta, **options)
    elif method == "minibatch-search":
        search = _kernels.LineSearch(L, problem.squared_row_norms + P.fit_intercept, 2.0, 0.9)
        kernels.sgd_epoch(order, batch, search, theta, **options)
    elif method == "svrg":
        residual = problem.residual(problem.raw_prediction(theta))
        kernels.svrg_epoch(order, batch, steps.ravel(), theta, residual, problem.loss_gradient(residual), **options)
    else:
        n_arrays, parameters = RULES[method]
        rule = getattr(_kernels, method)(*(problem.zeros() for _ in range(n_arrays)), **parameters)
        kernels.rule_epoch(order, batch, steps.ravel(), theta, rule, **options)
    return [join(problem.coef(x), problem.intercept(x)) for x in (theta, total)] + [L]


@each(dtype=DTYPES, shape=SHAPES, loss=LOSSES, method=METHODS)
def test_large_batches_follow_the_formula(method, loss, shape, dtype):
    P, order, steps, batch = large_problem(loss, shape, dtype)
    problem = compiled(P, dtype=dtype)
    assert problem.kernels.is_large_batch(batch)
    W, b = point(P)
    at, search = [], reference.LineSearch(np.full(problem.n_tasks, 0.01), 2.0, 0.9)
    for k in range(1, len(steps) + 1):
        rows, eta = order[: k * batch], steps[:k]
        if method == "minibatch-search":
            search = reference.LineSearch(np.full(problem.n_tasks, 0.01), 2.0, 0.9)
            x = reference.minibatch(P, W, b, rows, search, batch)
        elif method == "minibatch":
            x = reference.minibatch(P, W, b, rows, eta, batch)
        elif method == "svrg":
            x = reference.svrg(P, W, b, [rows], [eta], batch)
        else:
            x = getattr(reference, method)(P, W, b, rows, eta, batch, **RULES[method][1])
        at.append(join(*x))
    theta, total, L = run(method, P, problem, order, steps, batch, n_threads=2)
    assert_close(theta, at[-1])
    assert_close(total, sum(at))
    assert_close(L, search.L)


@each(fit_intercept=[True, False], shape=SHAPES, loss=LOSSES, method=METHODS)
def test_threads_do_not_change_a_bit(method, loss, shape, fit_intercept):
    P, order, steps, batch = large_problem(loss, shape, fit_intercept=fit_intercept)
    problem = compiled(P)
    alone = run(method, P, problem, order, steps, batch, n_threads=1)
    for n_threads in (2, 3, 4, 1000):
        for together, one in zip(run(method, P, problem, order, steps, batch, n_threads), alone, strict=True):
            assert_array_equal(together, one)


def test_what_is_a_large_batch():
    for p in (1, 512, 1000, LARGE):
        dense = compiled(replace(make_problem("squared"), X=np.zeros((23, p))))
        sparse = compiled(replace(make_problem("squared"), X=np.ones((23, p))), "int32")
        smallest = max(16, -(-LARGE // p))
        for batch in (1, smallest - 1, smallest, 2 * smallest):
            assert dense.kernels.is_large_batch(batch) == (batch >= smallest)
            assert not sparse.kernels.is_large_batch(batch)


@pytest.mark.parametrize(
    "solver",
    [
        solvers.MiniBatch(batch_size=300),
        solvers.SVRG(batch_size=300),
        solvers.Adam(step_size=0.01, batch_size=300),
    ],
    ids=lambda solver: type(solver).__name__,
)
def test_n_jobs_does_not_change_a_bit_of_a_fit(solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 500))  # 300 rows of 500 values: a large batch
    y = X[:, 0] + 0.1 * rng.standard_normal(1000)
    for make, target in ((Ridge, y), (LogisticRegression, y > 0)):
        fits = [make(solver=solver, tol=None, max_iter=3, random_state=0, n_jobs=n).fit(X, target) for n in (1, 2, 4)]
        for fit in fits[1:]:
            assert_array_equal(fit.coef_, fits[0].coef_)
            assert_array_equal(fit.intercept_, fits[0].intercept_)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux lists them")
def test_threads_end_with_the_call():
    P, order, steps, batch = large_problem("logistic", "narrow")
    problem = compiled(P)
    before = set(os.listdir("/proc/self/task"))
    run("minibatch", P, problem, order, steps, batch, n_threads=4)
    assert set(os.listdir("/proc/self/task")) <= before
