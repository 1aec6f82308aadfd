"""The samples of rows that the first steps are taken on: weights, sizes, nesting, and no bias."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import LAYOUTS, LOSSES, assert_close, compiled, each, make_problem, random_point, theta_of
from reference import Problem, join

from skvr.problem import FiniteSum
from skvr.solvers.hessian import Columns
from skvr.solvers.sampling import FEWEST_ROWS, GROWTH, ROWS_PER_PARAMETER, growing_samples, row_shares


@each(weighted=[True, False], layout=LAYOUTS, loss=LOSSES)
def test_a_subset_is_the_problem_of_its_rows(loss, layout, weighted):
    P = make_problem(loss, weighted=weighted)
    problem, (W, b) = compiled(P, layout), random_point(P)
    assert problem.squared_row_norms is not None  # what is cached is of all rows
    rng = np.random.default_rng(3)
    rows = np.sort(rng.choice(np.flatnonzero(P.weight), 9, replace=False))
    factor = np.zeros(len(P.X))
    factor[rows] = rng.uniform(0.1, 10, 9)
    expected = Problem(P.X, P.y, P.sample_weight * factor, P.alpha, P.loss, P.fit_intercept)
    subset, theta = problem.subset(rows, factor[rows]), theta_of(problem, W, b)
    before = problem.objective(theta)
    assert_close(subset.objective(theta), expected.objective(W, b))
    value, gradient = subset.evaluate(theta, np.zeros(len(P.X) * problem.n_outputs))
    assert_close(value, expected.objective(W, b))
    assert_close(join(problem.coef(gradient), problem.intercept(gradient)), join(*expected.gradient(W, b)))
    assert_close(subset.weight, expected.weight)
    assert_close(subset.squared_row_norms[rows], (P.X**2).sum(axis=1)[rows])
    np.testing.assert_array_equal(problem.objective(theta), before)


def table(n, p, zeros, seed):
    """Return a problem with some heavy rows, some of weight zero, and its columns."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.exp(rng.standard_normal((n, 1)))
    weight = rng.uniform(0.1, 3, n) * (rng.random(n) >= zeros)
    weight[0] = 1
    problem = FiniteSum(X, rng.choice([-1.0, 1.0], n), weight, np.ones(1), "logistic", True)
    return problem, Columns(problem)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(2, 20_000), p=st.integers(1, 30), zeros=st.sampled_from([0.0, 0.4]), seed=st.integers(0, 2**32 - 1)
)
def test_samples_are_nested_and_grow_up_to_an_eighth(n, p, zeros, seed):
    problem, columns = table(n, p, zeros, seed)
    samples = list(growing_samples(problem, columns, np.random.default_rng(seed)))
    smallest = max(FEWEST_ROWS, int(ROWS_PER_PARAMETER * (p + 1) * 2))
    sizes = [sample.n_samples for sample in samples]
    if problem.n_samples < 3 * smallest:
        assert sizes == []
        return
    eighth = problem.n_samples // GROWTH
    expected = [eighth // GROWTH**k for k in range(6) if eighth // GROWTH**k >= smallest]
    assert sizes == (expected[::-1] or [smallest])
    for small, large in pairwise(samples):
        assert np.isin(small.rows, large.rows).all()
    for sample in samples:
        assert len(np.unique(sample.rows)) == sample.n_samples
        assert np.all(problem.weight[sample.rows] > 0)


def test_weighted_samples_are_unbiased():
    """E sum_S v_i / chance_i = sum_i v_i, for v that go with the chance of the rows, go against it, and are equal.

    The mean of 400 draws lies within 5 of its standard errors: by chance it does not once in a million.
    """
    problem, columns = table(4500, 4, 0.1, 0)
    problem.subset = lambda rows, weight: (rows, weight)
    q = np.zeros(4500)
    q[problem.used] = row_shares(problem, columns)
    assert q.sum() == pytest.approx(1)
    rows_used = problem.used
    values = np.array([q, np.where(q > 0, 1 / np.maximum(q, 1e-9), 0), q > 0]) / [[q.sum()], [1e6], [1e3]]
    estimates = []
    for seed in range(400):
        for rows, weight in growing_samples(problem, columns, np.random.default_rng(seed)):
            assert np.all(weight >= 1)
            estimates.append(values[:, rows] @ weight)
    estimates = np.array(estimates)
    assert len(estimates) == 400
    error = estimates.mean(axis=0) - values[:, rows_used].sum(axis=1)
    assert np.all(np.abs(error) <= 5 * estimates.std(axis=0) / np.sqrt(len(estimates)))
