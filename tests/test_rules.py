"""The two ways a rule is applied, to all coordinates or to those that a batch touches; and sums of iterates."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import (
    ALPHAS,
    CURVATURE,
    LAYOUTS,
    LOSSES,
    N_OUTPUTS,
    assert_close,
    compiled,
    each,
    make_problem,
    random_point,
    theta_of,
)
from reference import join

from skvr import _kernels

# The number of arrays in a rule's state, and its parameters. Epsilon is 1: with a step of 1/L no rule amplifies
# rounding errors, for none of them divides by less than 1.
RULES = {
    "heavy_ball": (1, {"momentum": 0.6}),
    "nesterov": (1, {"momentum": 0.6}),
    "adagrad": (1, {"epsilon": 1.0}),
    "rmsprop": (1, {"gamma": 0.8, "epsilon": 1.0}),
    "adadelta": (2, {"gamma": 0.8, "rho": 0.7, "epsilon": 1.0}),
    "adam": (2, {"beta_1": 0.6, "beta_2": 0.9, "epsilon": 1.0}),
    "amsgrad": (3, {"beta_1": 0.6, "beta_2": 0.5, "epsilon": 1.0}),
}
CLOSED_FORM = ["adagrad", "rmsprop", "adadelta"]  # x rests where its gradient is zero
PENALTIES = {"none": 0 * ALPHAS, "some": np.array([0.0, 0.2, 0.0]), "all": ALPHAS}


def wider(P, n_empty):
    """Return the problem with more columns, all zero, between its own: a batch then touches few features."""
    X = np.zeros((len(P.X), P.X.shape[1] + n_empty))
    X[:, np.linspace(0, X.shape[1] - 1, P.X.shape[1]).astype(int)] = P.X
    return replace(P, X=X)


def draw(P, batch, n_drawn=40):
    """Return rows of positive weight, repeats included, and decreasing steps from 1/L on, of each target its own."""
    order = np.random.default_rng(3).choice(np.flatnonzero(P.weight), n_drawn)
    L = CURVATURE[P.loss] * np.max(P.weight * (np.sum(P.X**2, axis=1) + 1)) + P.alpha.max()
    shares = np.array([1.0, 0.7, 0.4])[: len(P.alpha)] if P.loss == "squared" else np.ones(len(P.alpha))
    return order, shares / L / np.sqrt(1 + np.arange(-(-n_drawn // batch))[:, None])


def run(name, P, problem, order, steps, batch, cuts=(), total=True):
    """Return (W, b) and the sum of the iterates, zero if none is asked for, with a new call at each of `cuts`."""
    n_arrays, parameters = RULES[name]
    theta = theta_of(problem, *random_point(P))
    sums = problem.zeros()
    rule = getattr(_kernels, name)(*(np.zeros(theta.size) for _ in range(n_arrays)), **parameters)
    for first, last in pairwise(sorted({0, *cuts, len(steps)})):
        rows, eta = order[first * batch : last * batch], steps[first:last].ravel()
        problem.kernels.rule_epoch(rows, batch, eta, theta, rule, sums if total else None)
    return [join(problem.coef(a), problem.intercept(a)) for a in (theta, sums)]


@each(layout=LAYOUTS, penalty=PENALTIES, loss=LOSSES, name=RULES)
def test_lazy_where_there_is_a_closed_form_and_a_batch_touches_few_features(name, loss, penalty, layout):
    alpha = PENALTIES[penalty] if loss == "squared-3" else np.full(N_OUTPUTS[loss], PENALTIES[penalty].max())
    for n_empty in (0, 100):  # columns
        P = wider(make_problem(loss, alpha=alpha), n_empty)
        problem = compiled(P, layout)
        rule = getattr(_kernels, name)(*(problem.zeros() for _ in range(RULES[name][0])), **RULES[name][1])
        possible = layout != "dense" and not alpha.any() and name in CLOSED_FORM
        for batch in (1, 2, 7, 40):
            few = P.X.shape[1] > 3 * batch * np.count_nonzero(P.X) / len(P.X)
            assert problem.kernels.is_lazy(rule, batch) == (possible and few)


@each(layout=LAYOUTS, penalty=PENALTIES, batch=[1, 7, 40], loss=LOSSES, name=RULES)
def test_rule_and_sum_of_iterates(name, loss, batch, penalty, layout):
    P = wider(make_problem(loss, alpha=PENALTIES[penalty][: N_OUTPUTS[loss]]), 200)
    order, steps = draw(P, batch)
    problem = compiled(P, layout)
    at = [
        join(*getattr(reference, name)(P, *random_point(P), order[: k * batch], steps[:k], batch, **RULES[name][1]))
        for k in range(1, len(steps) + 1)
    ]
    theta, total = run(name, P, problem, order, steps, batch)
    assert_close(theta, at[-1])
    assert_close(total, sum(at))
    theta, total = run(name, P, problem, order, steps, batch, cuts=range(1, len(steps), 3))
    assert_close(theta, at[-1])
    assert_close(total, sum(at))
    theta, total = run(name, P, problem, order, steps, batch, total=False)
    assert_close(theta, at[-1])
    assert not total.any()


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(RULES)),
    loss=st.sampled_from(LOSSES),
    batch=st.integers(1, 9),
    n_drawn=st.integers(0, 60),
    n_features=st.sampled_from([1, 9, 60, 300]),
    density=st.sampled_from([0.02, 0.1, 0.5, 1.0]),
    cuts=st.lists(st.integers(0, 59), max_size=4),
    fit_intercept=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_lazy_rules_equal_dense_ones(name, loss, batch, n_drawn, n_features, density, cuts, fit_intercept, seed):
    P = make_problem(loss, alpha=np.zeros(N_OUTPUTS[loss]), fit_intercept=fit_intercept, seed=seed)
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((len(P.X), n_features)) * (rng.random((len(P.X), n_features)) < density)
    P = replace(P, X=X)
    order, steps = draw(P, batch, n_drawn)
    dense = run(name, P, compiled(P), order, steps, batch)
    cuts = [c for c in cuts if c < len(steps)]
    for actual, desired in zip(run(name, P, compiled(P, "int32"), order, steps, batch, cuts), dense, strict=True):
        assert_close(actual, desired)


def test_a_sum_that_does_not_fit_is_refused():
    problem = compiled(make_problem("squared"))
    theta, order = problem.zeros(), np.zeros(1, dtype=np.int64)
    for total in (theta[1:].copy(), theta.astype(np.float32), list(theta)):
        with pytest.raises((TypeError, ValueError), match=r"arguments|size"):
            problem.kernels.rule_epoch(order, 1, np.ones(1), theta, _kernels.heavy_ball(problem.zeros(), 0.5), total)
