"""Batches of a fixed size, of a share of the rows, and growing ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from problems import LOSSES, compiled, each, make_problem, random_point, theta_of
from reference import join
from sklearn.model_selection import GridSearchCV

from skvr import LogisticRegression, solvers
from skvr.solvers.batch_size import batch_rows

BATCHED = ["minibatch", "svrg", "adagrad", "rmsprop", "adadelta", "adam"]


class Rows:
    def __init__(self, n):
        self.n_samples = n


def data(n=400):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5))
    return X, (X @ rng.standard_normal(5) + rng.standard_normal(n) > 0).astype(int)


def test_sizes_in_rows_and_shares():
    assert batch_rows(7, Rows(100)) == 7
    assert batch_rows(700, Rows(100)) == 100
    assert batch_rows(0.25, Rows(100)) == 25
    assert batch_rows(1e-9, Rows(100)) == 1
    assert batch_rows("auto", Rows(100)) == 100
    assert batch_rows("auto", Rows(1000)) == 32
    assert batch_rows("geometric", Rows(100)) == 32
    assert batch_rows("adaptive", Rows(1)) == 1
    assert batch_rows(solvers.GeometricBatch(0.1), Rows(1000)) == 100


@given(
    n=st.integers(1, 10**6),
    first=st.integers(1, 10**6),
    rate=st.floats(1, 5),
    epoch=st.integers(0, 2000),
    seed=st.integers(0, 9),
)
def test_a_geometric_batch_is_start_times_rate_to_the_epoch_rounded_up_to_a_share_of_n(n, first, rate, epoch, seed):
    first = min(first, n)
    size = solvers.GeometricBatch(first, rate).next(Rows(n), first, first, epoch, None)
    exact = min(float(n), np.exp(min(700, np.log(first) + epoch * np.log(rate))))
    assert 1 <= size <= n
    near = {math.floor(exact * (1 + error)) for error in (-1e-9, 1e-9)}  # a power may be rounded to either side
    assert size in {-(-n // (n // min(n, max(1, rows)))) for rows in near}


def test_no_epoch_of_a_growing_batch_ends_on_a_few_rows():
    """One of 16383 in 32768 rows would leave a batch of two rows, whose step undoes the epoch."""
    sizes = [solvers.GeometricBatch(32, rate=2).next(Rows(32768), 32, 32, epoch, None) for epoch in range(12)]
    assert all(32768 % size in (0, *range(size // 2, size)) for size in sizes)


@given(n=st.integers(2, 2000), batch=st.integers(1, 2000), square=st.floats(0, 1e6), variance=st.floats(0, 1e6))
def test_an_adaptive_batch_is_the_smallest_whose_error_does_not_dominate(n, batch, square, variance):
    batch = min(batch, n)
    size = solvers.AdaptiveBatch().next(Rows(n), 1, batch, 1, lambda: (square, variance))
    rows = np.arange(1.0, n + 1)
    dominates = variance * (n - rows) / (rows * (n - 1)) > 0.5 * square
    smallest = max(batch, 1 + np.count_nonzero(dominates))
    # then all batches of an epoch alike; at a tie the rounding of the error decides
    assert size in {-(-n // (n // s)) for s in (smallest, min(n, smallest + 1), max(batch, smallest - 1))}


@each(loss=LOSSES, sampling=["shuffled", "lipschitz"], name=["MiniBatch", "SVRG"])
def test_the_measured_error_is_that_of_single_rows(name, sampling, loss):
    """E ||g_i - grad||^2 over the draws, written out with whole gradients."""
    P = make_problem(loss)
    problem = compiled(P)
    solver = getattr(solvers, name)(step_size=1e-3, batch_size=solvers.AdaptiveBatch(2), sampling=sampling)
    theta = theta_of(problem, *random_point(P))
    state = solver.init(problem, theta, np.random.default_rng(0))
    snapshot = None
    if name == "SVRG":
        solver._take_snapshot(problem, theta, state)
        snapshot = P.loss_gradients(join(*random_point(P)))
        theta[::2] += 0.1  # not along a direction in which softmax is constant
    x = join(problem.coef(theta), problem.intercept(theta))
    square, variance = solver._measure(problem, theta, state)
    assert_allclose(square, np.sum(P.full_gradient(x) ** 2), rtol=1e-10)
    used = P.weight > 0
    frequency = state.sampling.frequency if sampling == "lipschitz" else np.ones(len(P.X))
    rows = P.loss_gradients(x) - (0 if snapshot is None else snapshot)
    estimates = (rows / frequency[:, None, None])[used]
    q = frequency[used] / P.n
    assert_allclose(q.sum(), 1)
    mean = np.tensordot(q, estimates, axes=1)
    assert_allclose(variance, q @ np.sum((estimates - mean) ** 2, axis=(1, 2)), rtol=1e-9)


@each(batch_size=["geometric", "adaptive"])
def test_a_growing_batch_converges_where_a_fixed_one_stalls(batch_size):
    X, y = data()
    arguments = dict(C=0.01, solver="minibatch", step_size=0.5, max_iter=200, random_state=0)
    growing = LogisticRegression(batch_size=batch_size, tol=1e-10, **arguments).fit(X, y)
    fixed = LogisticRegression(batch_size=32, tol=None, **arguments).fit(X, y)
    assert growing.suboptimality_ <= 1e-10
    assert fixed.suboptimality_ > 1e-6


def test_the_pass_that_measures_the_error_is_counted():
    X, y = data()
    arguments = dict(solver="minibatch", step_size=1e-3, tol=None, max_iter=1)
    passes = [
        LogisticRegression(batch_size=batch_size, **arguments).fit(X, y).history_["passes"][-1]
        for batch_size in (32, "geometric", "adaptive")
    ]
    assert passes == [1, 1, 2]


@each(name=BATCHED, batch_size=[5, 0.3, "geometric", "adaptive", solvers.GeometricBatch(2, rate=2.0)])
def test_every_solver_with_batches_takes_every_kind(name, batch_size):
    X, y = data(60)
    model = LogisticRegression(solver=name, batch_size=batch_size, tol=None, max_iter=3, random_state=0).fit(X, y)
    assert np.all(np.isfinite(model.coef_))


def test_batches_are_reached_from_a_grid_search():
    X, y = data(60)
    for estimator, grid in (
        (LogisticRegression(solver="adam"), {"batch_size": [5, 0.5, "geometric"]}),
        (
            LogisticRegression(solver=solvers.MiniBatch(batch_size=solvers.GeometricBatch())),
            {"solver__batch_size__rate": [1.1, 2.0]},
        ),
    ):
        search = GridSearchCV(estimator.set_params(tol=None, max_iter=2), grid, cv=2, error_score="raise").fit(X, y)
        assert search.best_params_.keys() == grid.keys()


BAD = [
    (solvers.GeometricBatch(0), ValueError, "start of GeometricBatch must be a positive integer"),
    (solvers.GeometricBatch("geometric"), ValueError, "start of GeometricBatch"),
    (solvers.GeometricBatch(solvers.AdaptiveBatch()), TypeError, "start of GeometricBatch"),
    (solvers.GeometricBatch(rate=0.5), ValueError, "rate of GeometricBatch"),
    (solvers.AdaptiveBatch(2.5), ValueError, "start of AdaptiveBatch"),
    (2.5, ValueError, "share of the rows"),
    (1.0, ValueError, "share of the rows"),
    ("all", ValueError, "'adaptive'"),
    (None, TypeError, "batch_size must be"),
]


@pytest.mark.parametrize(("batch_size", "error", "message"), BAD, ids=lambda v: str(v)[:40])
def test_bad_batches_are_refused(batch_size, error, message):
    with pytest.raises(error, match=message):
        LogisticRegression(solver="minibatch", batch_size=batch_size).fit(*data())
