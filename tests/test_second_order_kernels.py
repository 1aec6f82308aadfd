"""The kernels of the second-order solvers against NumPy, and their exponential and logarithm against wider numbers."""

import weakref

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from problems import (
    BOOLS,
    DTYPES,
    EPS,
    LAYOUTS,
    LOSSES,
    assert_close,
    compiled,
    each,
    make_problem,
    random_point,
    theta_of,
)
from reference import join
from scipy.special import expit

from skvr.problem import FiniteSum
from skvr.solvers.triangle import Triangle


def drawn(P, n_rows=31, seed=4):
    """Return rows of positive weight, repeats included, in random order, and a number for each."""
    rng = np.random.default_rng(seed)
    return rng.choice(np.flatnonzero(P.weight), n_rows), rng.uniform(0.1, 2, n_rows)


def stored(P, layout):
    """Whether a value of X is one that a kernel sees."""
    return np.full(P.X.shape, True) if layout == "dense" else P.X != 0


@each(fit_intercept=BOOLS, weighted=BOOLS, dtype=DTYPES, layout=LAYOUTS, loss=LOSSES)
def test_evaluate(loss, layout, dtype, weighted, fit_intercept):
    P = make_problem(loss, dtype=dtype, weighted=weighted, fit_intercept=fit_intercept)
    problem, (W, b) = compiled(P, layout, dtype), random_point(P)
    theta, rows = theta_of(problem, W, b), np.flatnonzero(P.weight)
    z = np.zeros(len(P.X) * problem.n_outputs)
    value, gradient = problem.evaluate(theta, z)
    assert_close(value, P.objective(W, b))
    assert_close(join(problem.coef(gradient), problem.intercept(gradient)), join(*P.gradient(W, b)))
    assert_close(z.reshape(len(P.X), -1)[rows], P.raw_prediction(W, b)[rows])

    # The kernel alone, which dense rows with several outputs leave to BLAS.
    again, value, total = np.zeros_like(z), np.zeros(problem.n_tasks), problem.zeros()
    problem.kernels.evaluate(rows, theta, again, value, total)
    assert_close(again, z)
    assert_close(value, P.loss_value(P.raw_prediction(W, b)).sum(axis=0))
    assert_close(join(problem.coef(total), problem.intercept(total)), P.loss_gradients(join(W, b)).sum(axis=0))


@each(weighted=BOOLS, layout=LAYOUTS, loss=LOSSES)
def test_losses_of_the_drawn_rows(loss, layout, weighted):
    P = make_problem(loss, weighted=weighted)
    problem, z = compiled(P, layout), P.raw_prediction(*random_point(P))
    rows, _ = drawn(P, 600)  # more than a block of 256
    value, r = np.zeros(problem.n_tasks), np.zeros(len(rows) * problem.n_outputs)
    problem.kernels.losses(rows, z.ravel(), value, r)
    assert_close(value, P.loss_value(z)[rows].sum(axis=0))
    assert_close(r.reshape(len(rows), -1), P.residual(z)[rows])


@each(layout=LAYOUTS, loss=LOSSES)
def test_reweighted_kernels_have_other_weights_and_own_them(layout, loss):
    P = make_problem(loss)
    problem, z = compiled(P, layout), P.raw_prediction(*random_point(P))
    weight = np.random.default_rng(0).uniform(0, 5, len(P.X))
    kernels, alive = problem.kernels.reweighted(weight), weakref.ref(weight)
    positive = P.weight > 0
    expected = P.residual(z)[positive] / P.weight[positive, None] * weight[positive, None]
    del weight, problem
    assert alive() is not None
    r = np.zeros(z.size)
    kernels.residuals(np.flatnonzero(positive), z.ravel(), np.zeros(z.shape[1]), r)
    assert_close(r.reshape(z.shape)[positive], expected)
    del kernels
    assert alive() is None


@each(weighted=BOOLS, dtype=DTYPES, layout=LAYOUTS)
def test_moments_and_norms(layout, dtype, weighted):
    P = make_problem("squared", dtype=dtype, weighted=weighted)
    problem, seen, (rows, _) = compiled(P, layout, dtype), stored(P, layout), drawn(P)
    rng = np.random.default_rng(5)
    centre, scale = rng.standard_normal(P.X.shape[1]), rng.uniform(0.5, 2, P.X.shape[1])
    moments = np.zeros((3, P.X.shape[1]))
    problem.kernels.add_moments(rows, centre, *moments)
    for power, moment in enumerate(moments):
        assert_close(moment, P.weight[rows] @ (seen * (P.X - centre) ** power)[rows])
    norms = np.zeros(len(P.X))
    problem.kernels.standardised_norms(rows, centre, 1 / scale, norms)
    expected = (((P.X - centre) / scale) ** 2).sum(axis=1)
    assert_close(norms, np.where(np.isin(np.arange(len(norms)), rows), expected, 0))


@each(weighted=BOOLS, layout=LAYOUTS)
@settings(deadline=None, max_examples=25)
@given(offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]), scale=st.sampled_from([1e-6, 1.0, 1e6]), seed=st.integers(0, 999))
def test_variances_are_those_of_columns_far_from_zero(layout, weighted, offset, scale, seed):
    P = make_problem("squared", weighted=weighted, seed=seed)
    P = reference.Problem(scale * (P.X + offset), P.y, P.sample_weight, P.alpha, P.loss, True)
    mean, variance = compiled(P, layout).column_moments()
    share = P.weight / P.weight.sum()
    exact = P.X - share @ P.X
    assert_allclose(mean, share @ P.X, rtol=1e-14, atol=1e-14 * scale)
    assert_allclose(variance, share @ (exact - share @ exact) ** 2, rtol=1e-9, atol=(64 * EPS * scale * offset) ** 2)
    assert variance[5] == 0  # the constant column


@pytest.mark.parametrize("light", [1e-20, 1e-300, 5e-324])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_moments_do_not_rest_on_the_few_rows_that_they_are_taken_about(layout, light):
    """All but one row in a hundred weigh next to nothing, and the first rows of both kinds are far from the rest."""
    rng = np.random.default_rng(0)
    X = np.where(np.arange(2000)[:, None] % 100 == 50, 3.0, 1e6) + rng.standard_normal((2000, 5))
    weight = np.where(np.arange(2000) % 100 == 50, 1.0, light)
    X[:, 3] = 7.0
    P = reference.Problem(X, np.zeros((2000, 1)), weight, np.ones(1), "squared", True)
    mean, variance = compiled(P, layout).column_moments()
    share = weight / weight.sum()
    exact = X - share @ X
    assert_allclose(mean, share @ X, rtol=1e-12)
    assert_allclose(variance, share @ exact**2, rtol=1e-9, atol=1e-25)
    assert variance[3] == 0


@each(fit_intercept=BOOLS, dtype=DTYPES, layout=LAYOUTS)
@pytest.mark.parametrize("n_roots", [1, 3])
def test_scaled_rows(n_roots, layout, dtype, fit_intercept):
    P = make_problem("squared", dtype=dtype, fit_intercept=fit_intercept)
    problem, (rows, _) = compiled(P, layout, dtype), drawn(P)
    rng = np.random.default_rng(6)
    mean, scale = rng.standard_normal(P.X.shape[1]), rng.uniform(0.5, 2, P.X.shape[1])
    scale[3] = np.inf
    root = rng.standard_normal((len(rows), n_roots))
    out = np.full((len(rows), n_roots, P.X.shape[1] + 1), np.nan)
    problem.kernels.scaled_rows(rows, root.ravel(), mean, 1 / scale, out.ravel())
    standard = np.column_stack([(P.X - mean) / scale, np.full(len(P.X), float(fit_intercept))])
    assert_close(out, root[:, :, None] * standard[rows][:, None, :])


@each(dtype=DTYPES, layout=["int32", "int64"])
def test_add_gram(layout, dtype):
    P = make_problem("squared", dtype=dtype)
    rows, weight = drawn(P)
    Z = np.column_stack([P.X, np.ones(len(P.X))])[rows]
    out = Triangle(Z.shape[1])
    out.values += 1
    compiled(P, layout, dtype).kernels.add_gram(rows, weight, out.values)
    assert_close(out.square(), np.tril(1 + (Z.T * weight) @ Z))


@each(fit_intercept=BOOLS, weighted=BOOLS, dtype=DTYPES, layout=LAYOUTS)
@pytest.mark.parametrize(("p", "n_roots"), [*((p, 1) for p in range(1, 19)), (55, 1), (127, 1), (4, 3), (63, 2)])
def test_packed_gram_of_any_width(p, n_roots, layout, dtype, weighted, fit_intercept):
    """On all sides of a tile of 6 x 8, of more rows than are scaled at a time, with a column that is left out."""
    rng, n = np.random.default_rng(p), 600
    X = (rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.7) + 3).astype(dtype)
    weight = rng.integers(0, 3, n).astype(float) if weighted else np.ones(n)
    P = reference.Problem(X.astype(float), np.zeros((n, 1)), weight, np.ones(1), "squared", fit_intercept)
    mean, scale, root = rng.standard_normal(p), rng.uniform(0.5, 2, p), rng.standard_normal((n, n_roots))
    scale[0] = np.inf
    rows = np.flatnonzero(weight)
    standard = np.column_stack([(P.X - mean) / scale, np.full(n, float(fit_intercept))])
    Z = (root[:, :, None] * standard[:, None, :]).reshape(n, -1)[rows]
    out = Triangle(Z.shape[1])
    out.values += 1
    compiled(P, layout, dtype).kernels.add_packed_gram(rows, root.ravel(), mean, 1 / scale, out.values)
    assert_close(out.square(), np.tril(1 + Z.T @ Z))


@each(fit_intercept=BOOLS, weighted=BOOLS, dtype=DTYPES, layout=LAYOUTS, loss=LOSSES)
def test_gradient_changes(loss, layout, dtype, weighted, fit_intercept):
    P = make_problem(loss, dtype=dtype, weighted=weighted, fit_intercept=fit_intercept)
    problem, (W, b), (rows, weight) = compiled(P, layout, dtype), random_point(P), drawn(P)
    snapshot = P.residual(P.raw_prediction(0 * W, 0 * b))
    out = problem.zeros()
    problem.kernels.add_gradient_changes(rows, weight, theta_of(problem, W, b), snapshot.ravel(), out)
    change = P.loss_gradients(join(W, b)) - P.loss_gradients(join(0 * W, 0 * b))
    assert_close(join(problem.coef(out), problem.intercept(out)), np.einsum("s,skj->kj", weight, change[rows]))


@each(fit_intercept=BOOLS, weighted=BOOLS, dtype=DTYPES, layout=LAYOUTS, loss=["logistic", "squared"])
def test_sdca_epoch_follows_the_formula(loss, layout, dtype, weighted, fit_intercept):
    P = make_problem(loss, dtype=dtype, weighted=weighted, fit_intercept=fit_intercept)
    problem, (W, b), (rows, _) = compiled(P, layout, dtype), random_point(P), drawn(P, 60)
    square = 0.7 * fit_intercept
    dual = 0.1 * np.random.default_rng(7).standard_normal(len(P.X))
    theta, r = theta_of(problem, W, b), dual.copy()
    for part in (rows[:25], rows[25:]):
        problem.kernels.sdca_epoch(part, float(P.n), problem.squared_row_norms, square, theta, r)
    W, b, expected = reference.sdca(P, W, b, rows, dual, square)
    assert_close(join(problem.coef(theta), problem.intercept(theta)), join(W, b))
    assert_close(r, expected)


@pytest.mark.parametrize("loss", ["softmax", "squared-3"])
def test_sdca_is_for_one_output(loss):
    problem = compiled(make_problem(loss))
    theta, r = problem.zeros(), np.zeros(len(problem.X) * 3)
    with pytest.raises(ValueError, match="one output"):
        problem.kernels.sdca_epoch(np.arange(3), 3.0, problem.squared_row_norms, 0.0, theta, r)


@settings(deadline=None, max_examples=300)
@given(
    q=st.floats(-8, 9).map(lambda e: 10.0**e),
    z=st.floats(-1e3, 1e3),
    y=st.sampled_from([-1.0, 1.0]),
    weight=st.sampled_from([1e-3, 1.0, 1e3]),
    start=st.floats(0, 1),
)
@example(q=1e9, z=-1e3, y=1.0, weight=1e3, start=1.0)
def test_a_dual_step_is_exact_at_any_size(q, z, y, weight, start):
    """r = weight loss'(u) at the new prediction u = c - q r, to the rounding errors of u."""
    problem = FiniteSum(np.ones((2, 1)), np.array([y, 1.0]), np.ones(2), np.full(1, 1 / q), "logistic", False)
    kernels = problem.kernels.reweighted(np.array([weight, 1.0]))
    r, theta = np.array([-y * weight * start, 0.0]), np.array([z, 0.0])
    c = z + q * r[0]
    kernels.sdca_epoch(np.zeros(1, dtype=np.int64), 1.0, np.ones(2), 0.0, theta, r)
    u = c - q * r[0]
    error = 16 * EPS * (abs(c) + abs(u))
    assert abs(r[0] + y * weight * expit(-y * u)) <= error * (1 / q + weight) + 4 * EPS * weight


# exp and log1p, through the logistic loss: margins of every size, and around -708, where exp ends.
MARGINS = [np.logspace(-300, 5, 3001), np.random.default_rng(0).uniform(0, 760, 6000), np.arange(690, 810)]
MARGINS = np.concatenate(MARGINS)
MARGINS = np.concatenate([-MARGINS[::-1], [0.0], MARGINS])
NEGLIGIBLE = np.exp(-708.0)  # below, the kernels' exp is 0


def test_logistic_residuals_to_the_last_digits():
    """-1 / (1 + exp(z)): 1 ulp of exp, and half an ulp for the sum and the quotient each."""
    n = len(MARGINS)
    e = np.exp(-np.abs(MARGINS.astype(np.longdouble)))
    expected = -np.where(MARGINS > 0, e, 1) / (1 + e)
    for y, sign in ((1.0, 1.0), (-1.0, -1.0)):
        problem = FiniteSum(np.zeros((n, 1)), np.full(n, y), np.ones(n), np.zeros(1), "logistic", True)
        r = problem.residual(sign * MARGINS)
        assert np.all(np.abs(r * sign - expected) <= 2 * EPS * np.abs(expected) + NEGLIGIBLE)


def test_logistic_losses_to_the_last_digits():
    """log(1 + exp(-z)): 1 ulp of exp and 2 of log1p, half an ulp for the sum."""
    problem = FiniteSum(np.zeros((1, 1)), np.ones(1), np.ones(1), np.zeros(1), "logistic", True)
    row, r = np.zeros(1, dtype=np.int64), np.zeros(1)
    for z in MARGINS[::3]:
        value, z = np.zeros(1), np.array([z])
        problem.kernels.losses(row, z, value, r)
        wide = z.astype(np.longdouble)
        expected = np.log1p(np.exp(-np.abs(wide))) - np.minimum(wide, 0)
        assert abs(value - expected) <= 3 * EPS * expected + NEGLIGIBLE, z
