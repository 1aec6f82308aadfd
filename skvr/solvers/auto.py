"""`auto`, the default: the method for the problem at hand."""

import numpy as np

from skvr.smoothness import CURVATURE, row_curvature
from skvr.solvers.base import Solver
from skvr.solvers.newton import Newton
from skvr.solvers.sag import SAGA
from skvr.solvers.step_size import constant, inverse

# Newton pays while its dense Hessian is cheap to form and to factorise: sizes in parameters (p + 1 a Hessian block) and
# in multiply-adds. Ridge forms it once for all targets and steps.
NEWTON_PARAMETERS = 1000
NEWTON_WORK = 5e10
NEGLIGIBLE_CURVATURE = 1e-200


class Auto(Solver):
    """Damped Newton while its Hessian is cheap, else SAGA in scaled columns. Nothing to tune.

    Newton for up to 1000 parameters, (p + 1) K for logistic regression and p + 1 for Ridge, and up to
    n ((p + 1) K)^2 = 5e10; `ScaledSAGA` beyond. The estimator's `solver_` says which ran.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> LogisticRegression().fit(X, y).solver_
    Newton()
    """

    def check(self):
        pass  # no hyper-parameter

    def resolve(self, problem):
        blocks = 1 if problem.loss == "squared" else problem.n_outputs
        parameters = (problem.n_features + 1) * blocks
        cheap = problem.n_samples * parameters**2 <= NEWTON_WORK
        return Newton() if parameters <= NEWTON_PARAMETERS and cheap else ScaledSAGA()


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

    def _set_step_size(self, problem, state):
        metric = diagonal_metric(problem)
        state.metric, group = np.unique(metric, return_inverse=True)
        state.group = group.astype(np.int64)
        eta = self.step_size
        if eta == "auto":
            largest_alpha = problem.alpha * metric[:-1].max()
            eta = inverse(3 * (row_curvature(problem, metric).max() + largest_alpha))
        state.schedule = constant(eta, problem)


def diagonal_metric(problem):
    """Return M, one entry a feature and, last, the intercept's: inverse curvatures rounded to powers of 4."""
    c = CURVATURE[problem.loss]
    curvature = np.append(c * problem.second_moment() + problem.alpha.min(), c)
    curvature = np.where(curvature > NEGLIGIBLE_CURVATURE, curvature, c)  # a column of zeros, in effect
    return 4.0 ** -np.round(np.log2(curvature) / 2)
