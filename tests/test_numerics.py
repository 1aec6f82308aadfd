"""Sums over many rows, and what float32 rows allow."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from skvr import LogisticRegression, Ridge
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
