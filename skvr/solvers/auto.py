"""`auto`, the default: the method for the problem at hand."""

import numpy as np

from skvr.smoothness import CURVATURE, row_curvature
from skvr.solvers.base import Solver
from skvr.solvers.lbfgs import LBFGS
from skvr.solvers.sag import SAGA
from skvr.solvers.schedule import constant, inverse
from skvr.solvers.sdca import SDCA
from skvr.solvers.woodbury import is_cheap_by_rows

# A Gram matrix of the columns is kept up to this size whatever X is, up to the next if there are as many rows, and in
# any case while it is at most the last share of X. So is one of the rows, but for the second.
SMALL_GRAM, LARGE_GRAM, GRAM_OF_X = 1000, 3000, 1 / 20
# Values a row. In columns scaled to equal curvature no eigenvalue of the Hessian is above it.
SHORT_ROW = 32
# SDCA needs about this many epochs for a digit at the most, where L-BFGS does not need more passes.
DUAL_CONDITION = 100
NEGLIGIBLE_CURVATURE = 1e-200


class Auto(Solver):
    """The method for the problem at hand. Nothing to tune.

    With p features:

    - `LBFGS` with preconditioner "hessian" while a matrix of p + 1 columns is cheap: p + 1 <= 1000, or p + 1 <= 3000
      and n, or (p + 1)^2 at most a twentieth of the values of X; or one of n dense rows, fewer than the columns: n <=
      1000, or n^2 at most a twentieth of the values, and n K <= 2000 and 2 (p + 1) for K classes;
    - else `LBFGS` with preconditioner "diagonal" for rows of at most 32 values on average;
    - else `SDCA` for one output if c mean w_i ||x_i||^2 <= 100 n alpha, c the largest curvature of the loss;
    - else `LBFGS` without preconditioner.

    The estimator's `solver_` says which ran; `verbose` prints why.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> LogisticRegression().fit(X, y).solver_
    LBFGS()
    """

    def check(self):
        pass  # no hyper-parameter

    def resolve(self, problem):
        return self.choose(problem)[0]

    def choose(self, problem):
        """Return the solver for a problem, and the reason in a few words."""
        n, columns = problem.n_samples, problem.n_features + 1
        values = problem.X.nnz if problem.is_sparse else problem.X.size
        if is_cheap_by_rows(problem) and (n <= SMALL_GRAM or n**2 <= GRAM_OF_X * values):
            return LBFGS(), f"a matrix of {n} rows is cheap beside {columns} columns"
        if columns <= max(SMALL_GRAM, min(n, LARGE_GRAM)) or columns**2 <= GRAM_OF_X * values:
            return LBFGS(), f"a matrix of {columns} columns is cheap beside {n} rows"
        many = f"{columns} columns are too many for a matrix"
        values_per_row = values / problem.X.shape[0]
        if values_per_row <= SHORT_ROW:
            return LBFGS(
                "diagonal"
            ), f"{many}, and rows of {values_per_row:.0f} values nearly orthogonal in scaled ones"
        if problem.n_outputs > 1:
            return LBFGS("none"), f"{many}, {problem.n_outputs} outputs for SDCA"
        c = CURVATURE[problem.loss]
        mean = c * (problem.weight @ problem.squared_row_norms) / n
        if problem.alpha[0] > 0 and mean <= DUAL_CONDITION * n * problem.alpha[0]:
            return SDCA(), f"{many}, and the penalty is strong enough for the dual"
        return LBFGS("none"), f"{many}, and the penalty too weak for the dual"


class ScaledSAGA(SAGA):
    """SAGA in columns scaled to equal curvature: w_j -= eta M_j (SAGA's gradient estimate)_j.

    This is SAGA on the columns x_j sqrt(M_j), with the penalty rewritten so that F is the same; M_j is
    1 / (c mean w_i x_ij^2 + alpha), rounded to a power of 4 so that the lazy updates of CSR rows need few products.

    Parameters
    ----------
    step_size : float or "auto", default="auto"
        eta, which multiplies the scaled estimate of the gradient of F. "auto" is 1/(3L) with L = max_i L_i in the
        scaled columns.

    References
    ----------
    A. Defazio, F. Bach and S. Lacoste-Julien, "SAGA", 2014, eq. 7.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> X = scale(X) * [1, 1000, 1, 1]
    >>> clf = LogisticRegression(solver=solvers.ScaledSAGA(), random_state=0).fit(X, y)
    >>> bool(clf.suboptimality_ <= 1e-4)
    True
    """

    adopts_intercept = True
    scales_columns = True
    step_size_policies = ()
    sampling, average = "uniform", False  # not parameters

    def __init__(self, step_size="auto"):
        self.step_size = step_size

    def _set_schedule(self, problem, theta, state, rng):
        metric = diagonal_metric(problem)
        state.metric, group = np.unique(metric, return_inverse=True)
        state.group = group.astype(np.int64)
        eta = self.step_size
        if eta == "auto":
            largest_alpha = problem.alpha * metric[:-1].max()
            eta = inverse(3 * (row_curvature(problem, metric).max() + largest_alpha))
        state.schedule = constant(eta, problem)

    def _advance(self, problem, rows, steps, theta, state):
        arrays = theta, state.table, state.sum
        state.n_seen = problem.kernels.saga_epoch(rows, steps, *arrays, state.n_seen, state.metric, state.group)


def diagonal_metric(problem):
    """Return M, one entry a feature and, last, the intercept's: inverse curvatures rounded to powers of 4."""
    c = CURVATURE[problem.loss]
    curvature = np.append(c * problem.second_moment() + problem.alpha.min(), c)
    curvature = np.where(curvature > NEGLIGIBLE_CURVATURE, curvature, c)  # a column of zeros, in effect
    return 4.0 ** -np.round(np.log2(curvature) / 2)
