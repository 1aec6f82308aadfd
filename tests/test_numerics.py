"""Sums over many rows, products that underflow, and what float32 rows allow."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers
from skvr.problem import FiniteSum

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix])
def test_sums_over_ten_million_rows_do_not_drift(layout):
    """Slices of m rows are summed, then n/m slices in order: at most (m + n/m) eps, where one sum has n eps."""
    n = 10**7
    X = layout(np.ones((n, 1), dtype=np.float32))
    y = np.random.default_rng(0).standard_normal(n) + 0.1
    problem = FiniteSum(X, y, np.ones(n), np.zeros(1), "squared", True)
    size = len(next(problem.row_slices(problem._rows_per_slice)))
    bound = (size + n / size + 4) * EPS
    assert bound < 0.05 * n * EPS
    z = np.zeros(n)
    value, gradient, _ = problem.loss_in_shift(z, np.zeros(1))
    assert abs(value[0] - math.fsum(y * y / 2) / n) <= bound * value[0]
    mean, mean_size = math.fsum(y) / n, math.fsum(np.abs(y)) / n
    assert abs(gradient[0] + mean) <= bound * mean_size
    assert abs(problem.loss_gradient(-y)[0] + mean) <= bound * mean_size
    assert abs(problem.evaluate(problem.zeros(), z)[1][1] + mean) <= bound * mean_size


@pytest.mark.parametrize("solver", ["auto", "saga", "svrg"])
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge])
def test_float32_rows_lose_only_what_their_rounding_loses(cls, solver):
    """Of the rows as rounded the solution is that of float64, rounded once: half an eps of float32 an entry."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 8)).astype(np.float32)
    y = (X[:, 0] + rng.standard_normal(300) > 0).astype(float)
    settings = {"solver": solver, "tol": 1e-18, "max_iter": 5000, "random_state": 0}
    single, double = cls(**settings).fit(X, y), cls(**settings).fit(X.astype(np.float64), y)
    half = np.finfo(np.float32).eps / 2
    # tol of 1e-18 leaves ||w - w*||^2 <= 2 tol F / alpha
    alpha = 1 / 300
    left = 2 * np.sqrt(2 * 1e-18 * double.history_["objective"][-1] / alpha)
    assert np.all(np.abs(single.coef_ - double.coef_) <= half * np.abs(double.coef_) * (1 + 1e-6) + left)


LAZY = [  # the solvers whose CSR rows carry w as a product times what the rows have touched
    solvers.SGD(0.9999),
    solvers.SGD(0.9999, average=True),
    solvers.MiniBatch(0.9999, batch_size=2),
    solvers.MiniBatch(0.9999, batch_size=2, average=True, sampling="lipschitz"),
    solvers.SAG(0.9999),
    solvers.SAG(0.9999, initial_table="centred-gradient", average=True),
    solvers.SAGA(0.9999),
    solvers.SVRG(0.9999, batch_size=2),
    solvers.SVRG(0.9999, batch_size=1, snapshot="average"),
    solvers.SGD(0.9999, momentum=0.5),  # a rule of its own, without a product
]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge, RidgeClassifier])
@pytest.mark.parametrize("solver", LAZY, ids=str)
def test_lazy_sparse_weights_are_renormalised_before_they_underflow(solver, cls, classes):
    """A coordinate that no row touches shrinks to 1e-4 a step, to 1e-800 in an epoch: a product of all is zero.

    Rows of 3 of 3000 features: for other reasons coordinates are brought up to date every 3000 steps only.
    """
    n, p, alpha = 400, 3000, 1.0
    assert (1 - alpha * 0.9999) ** (n // 2) == 0.0
    rng = np.random.default_rng(0)
    X = sp.csr_array((0.1 * rng.standard_normal(3 * n), rng.integers(0, p, 3 * n), np.arange(0, 3 * n + 1, 3)), (n, p))
    X.sum_duplicates()
    y = rng.integers(1, 1 + classes, n)
    penalty = {"C": 1 / (alpha * n)} if cls is LogisticRegression else {"alpha": alpha * n}
    model = cls(solver=solver, tol=None, max_iter=3, fit_intercept=False, random_state=0, **penalty)
    dense, lazy = clone(model).fit(X.toarray(), y), clone(model).fit(X, y)
    assert np.abs(dense.coef_).max() > 1e-6
    np.testing.assert_allclose(lazy.coef_, dense.coef_, rtol=1e-12, atol=1e-12 * np.abs(dense.coef_).max())
