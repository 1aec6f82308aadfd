"""Small problems for tests of the kernels and the solvers: a reference problem, and its compiled twin."""

import numpy as np
import pytest
import reference
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skvr.problem import FiniteSum

RTOL, EPS = 1e-12, np.finfo(np.float64).eps

N_ROWS, N_FEATURES = 23, 17  # 17: one whole vector of 16 lanes and a rest
N_OUTPUTS = {"logistic": 1, "softmax": 3, "squared": 1, "squared-3": 3}
CURVATURE = {"logistic": 1 / 4, "softmax": 1 / 2, "squared": 1}
ALPHAS = np.array([0.05, 0.2, 1.0])  # of the targets of "squared-3"

LAYOUTS = ["dense", "int32", "int64"]  # dense rows, or CSR rows with such indices
LOSSES, DTYPES, BOOLS = list(N_OUTPUTS), ["float32", "float64"], [True, False]


def each(**axes):
    """Run a test on every combination of these arguments."""

    def parametrize(test):
        for name, values in axes.items():
            test = pytest.mark.parametrize(name, values)(test)
        return test

    return parametrize


def make_problem(
    loss, *, dtype="float64", weighted=True, fit_intercept=True, alpha=None, scale=1, n=N_ROWS, p=N_FEATURES, seed=0
):
    """Return a reference problem: X sparse, with an empty row and column, exact in `dtype`."""
    rng = np.random.default_rng(seed)
    K = N_OUTPUTS[loss]
    X = (scale * rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.4)).astype(dtype).astype(np.float64)
    X[5:6], X[:, 5:6] = 0, 0
    y = rng.standard_normal((n, K))
    if loss in ("logistic", "softmax"):
        y = rng.choice([-1.0, 1.0] if loss == "logistic" else [0.0, 1.0, 2.0], n)
    sample_weight = rng.uniform(0.1, 3, n) if weighted else np.ones(n)
    sample_weight[1::8] *= not weighted
    if alpha is None:
        alpha = ALPHAS if loss == "squared-3" else np.full(K, ALPHAS[0])
    return reference.Problem(X, y, sample_weight, alpha, loss.removesuffix("-3"), fit_intercept)


def compiled(P, layout="dense", dtype="float64"):
    """Return the FiniteSum of a reference problem."""
    X = P.X.astype(dtype)
    if layout != "dense":
        X = sp.csr_array(X)
        X.indices, X.indptr = X.indices.astype(layout), X.indptr.astype(layout)
    return FiniteSum(X, P.y, P.sample_weight, P.alpha, P.loss, P.fit_intercept)


def random_point(P):
    """Return W and b."""
    rng = np.random.default_rng(1)
    return 0.3 * rng.standard_normal((len(P.alpha), P.X.shape[1])), 0.3 * rng.standard_normal(len(P.alpha))


def theta_of(problem, W, b):
    theta = problem.zeros()
    problem.coef(theta)[:], problem.intercept(theta)[:] = W, b
    return theta


def assert_close(actual, desired):
    """Compare to 1e-12 of the largest entry: the rounding errors of a sum are relative to its largest terms."""
    assert_allclose(actual, desired, rtol=RTOL, atol=RTOL * np.max(np.abs(desired)))
