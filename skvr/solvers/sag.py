"""SAG and SAGA: a table of the last gradient of every row, and steps along its mean."""

import numpy as np

from skvr.smoothness import max_smoothness
from skvr.solvers import sampling
from skvr.solvers.base import Solver, new_state, next_steps
from skvr.solvers.step_size import constant, inverse


class SAG(Solver):
    """Stochastic average gradient: g_i <- grad loss_i(w), w -= eta (mean of the g_i + alpha w).

    The table starts at the gradients of the starting point (one pass). A row's gradient is a multiple of x_i, so the
    table takes one number a row and output. Converges linearly where alpha > 0.

    Parameters
    ----------
    step_size : float or "auto", default="auto"
        eta, which multiplies an estimate of the gradient of F (mean weighted loss plus alpha/2 ||w||^2). "auto" is
        1/L, L = max_i L_i with the sample weights and the intercept inside.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if the step size is not a positive number or "auto".

    Notes
    -----
    Rows are drawn uniformly with replacement: with shuffled or cyclic rows SAG diverges at 1/L.

    References
    ----------
    The lecture "Finite-sum problems", "SAG". M. Schmidt, N. Le Roux and F. Bach, "Minimizing finite sums with the
    stochastic average gradient", 2017, algorithm 1 and section 4 (exact lazy updates, step 1/L).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.SAG(), tol=1e-6, random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-6)
    True
    """

    _saga = False
    _step_divisor = 1

    def __init__(self, step_size="auto"):
        self.step_size = step_size

    def _step_size(self, problem, state):
        return inverse(self._step_divisor * max_smoothness(problem))

    def init(self, problem, theta, rng):
        table = problem.residual(problem.raw_prediction(theta))
        state = new_state(None, table=table, mean=problem.loss_gradient(table), metric=None, group=None)
        eta = self._step_size(problem, state) if self.step_size == "auto" else self.step_size
        state.schedule = constant(eta, problem)
        state.passes = 1.0
        return state

    def epoch(self, problem, theta, state, rng):
        for rows in problem.slices(sampling.uniform(problem, rng)):
            problem.kernels.sag_epoch(
                rows,
                next_steps(state, len(rows)),
                theta,
                state.table,
                state.mean,
                problem.n_samples,
                self._saga,
                state.metric,
                state.group,
            )
        state.passes += 1

    def gradient_estimate(self, problem, theta, state):
        return state.mean + problem.penalty_gradient(theta)


class SAGA(SAG):
    """SAGA: w -= eta (grad loss_i(w) - g_i + mean of the g + alpha w), then g_i <- grad loss_i(w).

    The unbiased sibling of SAG: one row's change counts fully where SAG counts it with 1/n.

    Parameters
    ----------
    step_size : float or "auto", default="auto"
        eta, which multiplies an unbiased estimate of the gradient of F (mean weighted loss plus alpha/2 ||w||^2).
        "auto" is 1/(3L), L = max_i L_i with the sample weights and the intercept inside.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if the step size is not a positive number or "auto".

    References
    ----------
    A. Defazio, F. Bach and S. Lacoste-Julien, "SAGA: a fast incremental gradient method with support for non-strongly
    convex composite objectives", 2014, eq. 7 and theorem 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.SAGA(), tol=1e-6, random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-6)
    True
    """

    _saga = True
    _step_divisor = 3
