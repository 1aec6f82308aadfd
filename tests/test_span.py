"""L-BFGS in the span of the rows: the same function, and the same iterates, as over all columns."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from problems import BOOLS, DTYPES, LOSSES, assert_close, compiled, each, make_problem
from sklearn.base import clone

from skvr import LogisticRegression, Ridge
from skvr.solvers import LBFGS, lbfgs
from skvr.solvers.hessian import Columns
from skvr.solvers.span import FEWER, RowSpan, is_cheap_in_span


def in_span(rng, span):
    """Return parameters of random coefficients in the rows."""
    v = span.zeros()
    m = span.X.shape[0] * span.n_outputs
    v[:m] = rng.standard_normal(m)
    if span.fit_intercept:
        span.intercept(v)[:] = rng.standard_normal(span.n_outputs)
    whole = span.theta(v)
    centred = whole.copy()
    span.whole.intercept(centred)[:] = -span.whole.coef(whole) @ span.mean
    v[m : 2 * m] = span.whole.raw_prediction(centred)
    return v, whole


@each(loss=LOSSES, dtype=DTYPES, fit_intercept=BOOLS, weighted=BOOLS)
def test_is_the_same_function(loss, dtype, fit_intercept, weighted):
    """F, its raw predictions and its gradient, as the inner product with any direction, are those of the whole."""
    problem = compiled(make_problem(loss, dtype=dtype, fit_intercept=fit_intercept, weighted=weighted), "int32", dtype)
    span = RowSpan(problem, Columns(problem))
    rng = np.random.default_rng(0)
    (v, theta), (d, direction) = in_span(rng, span), in_span(rng, span)
    z, expected_z = np.zeros((2, problem.X.shape[0] * problem.n_outputs))
    value, gradient = span.evaluate(v, z)
    expected, whole_gradient = problem.evaluate(theta, expected_z)
    assert_close(value, expected)
    used = np.repeat(problem.weight > 0, problem.n_outputs)
    assert_close(z[used], expected_z[used])
    assert_close(span.dot_by_task(gradient, d), problem.dot_by_task(whole_gradient, direction))
    assert_close(span.squared_norm(v), problem.squared_norm(theta))


def few_rows(rng, classes):
    """Return sparse rows, fewer than columns, one of them constant, and their labels, or three targets for Ridge."""
    X = sp.random_array((40, 600), density=0.05, format="csr", rng=rng, data_sampler=rng.standard_normal).toarray()
    X[:, 7] = 0.3
    n_scores = classes or 3
    scores = X @ rng.standard_normal((600, n_scores)) + rng.standard_normal((40, n_scores))
    return sp.csr_array(X), scores if classes == 0 else np.argmax(scores, axis=1) if classes > 2 else scores[:, 0] > 0


@each(classes=[0, 2, 4], fit_intercept=BOOLS)
def test_iterates_are_those_over_all_columns(monkeypatch, classes, fit_intercept):
    X, y = few_rows(np.random.default_rng(1), classes)
    estimator = LogisticRegression(C=2.0) if classes else Ridge(alpha=0.5)
    weight = np.random.default_rng(2).uniform(0, 2, 40) * (np.arange(40) % 9 > 0)
    for epochs in (1, 4, 9):
        model = clone(estimator).set_params(
            solver=LBFGS("none"), tol=None, max_iter=epochs, fit_intercept=fit_intercept
        )
        model.fit(X, y, sample_weight=weight)
        with monkeypatch.context() as patch:
            patch.setattr(lbfgs, "is_cheap_in_span", lambda problem: False)
            whole = clone(model).fit(X, y, sample_weight=weight)
        assert_allclose(model.coef_, whole.coef_, rtol=0, atol=1e-9 * np.abs(whole.coef_).max())
        assert_allclose(model.intercept_, whole.intercept_, rtol=0, atol=1e-9 * np.abs(whole.intercept_).max())
        assert np.all(model.coef_[..., 7] == 0) or not fit_intercept


@pytest.mark.parametrize("classes", [0, 2, 4])
def test_goes_down_to_rounding(classes):
    X, y = few_rows(np.random.default_rng(3), classes)
    estimator = LogisticRegression(C=1e3) if classes else Ridge(alpha=1e-3)
    model = estimator.set_params(solver=LBFGS("none"), tol=1e-20, max_iter=3000).fit(X, y)
    assert np.all(model.suboptimality_ <= 1e-20)
    exact = clone(estimator).set_params(solver="auto", tol=1e-20).fit(X.toarray(), y)
    assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-8 * np.abs(exact.coef_).max())


def test_a_warm_start_need_not_lie_in_the_span():
    X, y = few_rows(np.random.default_rng(4), 2)
    model = LogisticRegression(solver=LBFGS("none"), tol=1e-16, max_iter=3000, warm_start=True).fit(X, y)
    expected = model.coef_
    model.coef_ = expected + np.random.default_rng(5).standard_normal(expected.shape)
    assert_allclose(model.fit(X, y).coef_, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_is_for_sparse_rows_much_fewer_than_columns():
    P = make_problem("logistic")
    n, p = P.X.shape
    wide = replace(P, X=np.tile(P.X, (1, FEWER * n // p + 1)))
    assert is_cheap_in_span(compiled(wide, "int32"))
    assert not is_cheap_in_span(compiled(P, "int32"))
    assert not is_cheap_in_span(compiled(wide))
    assert not is_cheap_in_span(compiled(replace(wide, alpha=np.zeros(1)), "int32"))
