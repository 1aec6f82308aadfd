"""How rows are drawn, and the samples that first steps are taken on: weights, sizes, nesting, and no bias."""

from collections import Counter
from itertools import islice, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import CURVATURE, LAYOUTS, LOSSES, assert_close, compiled, each, make_problem, random_point, theta_of
from reference import Problem, join, random_below, shuffle, xoshiro256
from scipy.stats import chi2

from skvr import LogisticRegression, _kernels, solvers
from skvr.problem import FiniteSum
from skvr.smoothness import max_smoothness
from skvr.solvers.hessian import Columns
from skvr.solvers.sampling import FEWEST_ROWS, GROWTH, ROWS_PER_PARAMETER, SAMPLINGS, growing_samples, row_shares


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
    copy = problem.copied(rows, factor[rows])
    value, gradient = copy.evaluate(theta, np.zeros(9 * problem.n_outputs))
    assert_close(value, expected.objective(W, b))
    assert_close(join(problem.coef(gradient), problem.intercept(gradient)), join(*expected.gradient(W, b)))
    assert_close(copy.weight, expected.weight[rows])


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
    problem.copied = problem.subset  # whose rows have their numbers
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
    problem.subset = problem.copied = lambda rows, weight: (rows, weight)
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


# How an epoch's rows are drawn.


def uneven(loss="logistic", layout="dense", **kwargs):
    """A problem whose rows have very different norms."""
    P = make_problem(loss, n=60, **kwargs)
    P.X[::7] *= 10
    return compiled(P, layout)


@each(name=SAMPLINGS, weighted=[True, False])
def test_draws_are_rows_of_positive_weight(name, weighted):
    problem = uneven(weighted=weighted)
    draw = SAMPLINGS[name](problem).draw(np.random.default_rng(0))
    assert draw.dtype == np.int64
    assert len(draw) == problem.n_samples
    assert np.all(problem.weight[draw] > 0)
    if name in ("shuffled", "cyclic"):
        assert len(np.unique(draw)) == len(draw)
    assert (np.diff(draw) > 0).all() == (name == "cyclic")
    np.testing.assert_array_equal(draw, SAMPLINGS[name](problem).draw(np.random.default_rng(0)))


def test_the_random_bits_are_those_of_xoshiro256():
    """The first numbers from the state 1, 2, 3, 4, worked out by hand: 2^23 (1 + 4) + 1, and on."""
    assert list(islice(xoshiro256([1, 2, 3, 4]), 2)) == [41943041, 58720359]


@each(n=[0, 1, 2, 3, 10, 1000, 100_000])
def test_shuffles_are_those_of_the_slow_twin(n):
    for seed in (np.array([1, 0, 0, 0]), np.random.default_rng(n).integers(2**64, size=4, dtype=np.uint64)):
        rows = np.arange(5, n + 5)
        _kernels.shuffle(rows, seed.astype(np.uint64))
        assert rows.tolist() == shuffle(range(5, n + 5), seed)
        np.testing.assert_array_equal(np.sort(rows), np.arange(5, n + 5))


@each(n=[1, 2, 3, 1000, 2**40])
def test_independent_draws_are_those_of_the_slow_twin(n):
    seed = np.random.default_rng(n).integers(2**64, size=4, dtype=np.uint64)
    rows, bits = np.full(1000, -1), xoshiro256(seed)
    _kernels.draw(rows, n, seed)
    assert rows.tolist() == [random_below(n, bits) for _ in rows]
    assert len(np.unique(rows)) > min(n, 1000) / 2


@each(n=[2, 3, 5])
def test_all_orders_are_drawn_alike(n):
    """Pearson's chi-square is above its 1 - 1e-6 quantile once in a million seeds; the seed is fixed."""
    problem = FiniteSum(np.zeros((n, 2)), np.ones(n), np.ones(n), np.ones(1), "logistic", False)
    drawn, rng = SAMPLINGS["shuffled"](problem), np.random.default_rng(0)
    count = Counter(tuple(drawn.draw(rng).tolist()) for _ in range(24_000))
    orders = list(permutations(range(n)))
    assert count.keys() <= set(orders)
    expected = 24_000 / len(orders)
    statistic = sum((count[order] - expected) ** 2 / expected for order in orders)
    assert statistic <= chi2.ppf(1 - 1e-6, len(orders) - 1)


def test_every_row_is_as_likely_at_every_place():
    """Of 6,000 orders of 40 rows, the numbers of times that row i comes at place s: a chi-square with 39^2 degrees."""
    n, draws = 40, 6000
    count, rng = np.zeros((n, n)), np.random.default_rng(1)
    for _ in range(draws):
        rows = np.arange(n)
        _kernels.shuffle(rows, rng.integers(2**64, size=4, dtype=np.uint64))
        count[np.arange(n), rows] += 1
    statistic = ((count - draws / n) ** 2 / (draws / n)).sum()
    assert chi2.ppf(1e-6, (n - 1) ** 2) <= statistic <= chi2.ppf(1 - 1e-6, (n - 1) ** 2)


@pytest.mark.parametrize("call", [_kernels.shuffle, lambda rows, seed: _kernels.draw(rows, 6, seed)])
def test_what_cannot_be_shuffled_or_drawn_is_refused(call):
    seed = np.ones(4, dtype=np.uint64)
    for rows in (np.arange(6, dtype=np.int32), np.arange(6)[::2], np.arange(6.0), [1, 2]):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            call(rows, seed)
    for wrong in (np.ones(3, dtype=np.uint64), np.zeros(4, dtype=np.uint64)):
        with pytest.raises(ValueError, match="seed must"):
            call(np.arange(6), wrong)
    with pytest.raises(ValueError, match="n must be positive"):
        _kernels.draw(np.arange(6), 0, seed)


@each(loss=LOSSES, weighted=[True, False])
def test_lipschitz_draws_are_half_uniform_and_half_by_L(loss, weighted):
    problem = uneven(loss, weighted=weighted)
    drawn, n = SAMPLINGS["lipschitz"](problem), problem.n_samples
    L = CURVATURE[problem.loss] * problem.weight * ((problem.X**2).sum(axis=1) + 1)
    q = drawn.frequency[problem.used] / n
    assert_close(q, 0.5 / n + 0.5 * L[problem.used] / L.sum())
    assert np.all(max_smoothness(problem, drawn.frequency) <= 2 * L.sum() / n + problem.alpha)
    # Of 300 epochs a row's share lies within 5 standard errors: none of 60 rows once in ten thousand tests.
    rng, epochs = np.random.default_rng(0), 300
    count = np.bincount(np.concatenate([drawn.draw(rng) for _ in range(epochs)]), minlength=len(L))[problem.used]
    assert np.all(np.abs(count - epochs * n * q) <= 5 * np.sqrt(epochs * n * q))
    # f_i / (n q_i) with probability q_i has the mean F: its gradient in the kernels' weighting
    gradient, theta = problem.zeros(), theta_of(problem, *random_point(make_problem(loss, n=60)))
    z = problem.raw_prediction(theta)
    for i in np.arange(len(L))[problem.used]:
        r = np.zeros_like(z)
        drawn.kernels.residuals(np.array([i]), z, np.zeros(problem.n_outputs), r)
        problem.kernels.add_gradients(np.array([i]), r * drawn.frequency[i] / n, gradient)
    assert_close(gradient, problem.loss_gradient(problem.residual(z)))


def test_rows_without_curvature_are_drawn_uniformly():
    problem = FiniteSum(np.zeros((5, 2)), np.ones(5), np.ones(5), np.ones(1), "logistic", False)
    np.testing.assert_allclose(SAMPLINGS["lipschitz"](problem).frequency, 1)
    draws = SAMPLINGS["lipschitz"](problem).draw(np.random.default_rng(0))
    assert len(np.unique(draws)) > 1
    one = FiniteSum(np.ones((1, 2)), np.ones(1), np.ones(1), np.ones(1), "logistic", False)
    assert SAMPLINGS["lipschitz"](one).draw(np.random.default_rng(0)).tolist() == [0]


@each(solver=["sgd", "sag", "saga", "svrg"])
def test_rows_of_unlike_norms_need_fewer_epochs(solver):
    """max L_i is 50 times the mean L_i here, and at most twice with lipschitz draws."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 10))
    X[:5] *= 20
    y = (X @ rng.standard_normal(10) > 0).astype(int)
    epochs = {}
    for name in ("uniform", "lipschitz"):
        made = type(solvers.get_solver(solver))(sampling=name)
        tol = 1e-3 if solver == "sgd" else 1e-6
        model = LogisticRegression(C=0.01, solver=made, tol=tol, max_iter=5000, random_state=0)
        epochs[name] = model.fit(X, y).n_iter_[0]
        assert model.suboptimality_ <= model.tol
    assert epochs["lipschitz"] <= 0.5 * epochs["uniform"]


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (solvers.SAG(sampling="shuffled"), "SAG diverges with shuffled or cyclic rows"),
        (solvers.SAG(sampling="cyclic"), "SAG diverges"),
        (solvers.SAGA(sampling="cyclic"), "SAGA fails with cyclic rows"),
        (solvers.Adam(sampling="lipschitz"), "squared gradients"),
        (solvers.SGD(sampling="random"), r"one of \['shuffled', 'cyclic', 'uniform', 'lipschitz'\], got 'random'"),
        (solvers.SVRG(sampling=None), "got None"),
    ],
)
def test_draws_that_a_solver_cannot_take_are_refused(solver, message):
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(ValueError, match=message):
        LogisticRegression(solver=solver).fit(X, y)
