"""SAG and SAGA: a table of the last gradient of every row, and steps along its mean."""

import numpy as np

from skvr._validation import check_option
from skvr.smoothness import max_smoothness
from skvr.solvers import sampling
from skvr.solvers.base import Solver, new_state, next_steps
from skvr.solvers.step_size import constant, inverse


class SAG(Solver):
    """Stochastic average gradient: g_i <- grad loss_i(w), w -= eta (mean of the g_i + alpha w).

    A row's gradient is a multiple of x_i, so the table takes one number a row and output. Converges linearly where
    alpha > 0.

    Parameters
    ----------
    step_size : float or "auto", default="auto"
        eta, which multiplies an estimate of the gradient of F (mean weighted loss plus alpha/2 ||w||^2). "auto" is
        1/L, L = max_i L_i with the sample weights and the intercept inside.
    initial_table : {"zeros", "gradient"}, default="zeros"
        The g_i before a row is first drawn. "zeros" leaves such rows out of the mean (its divisor is the number of rows
        drawn so far), so that the first epoch is like SGD's; a warm start begins as "gradient" does. "gradient" starts
        at the gradients of the starting point, for one pass; from zero, at 1/L, the first epoch then often overshoots.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    Notes
    -----
    Rows are drawn uniformly with replacement: with shuffled or cyclic rows SAG diverges at 1/L.

    References
    ----------
    The lecture "Finite-sum problems", "SAG". M. Schmidt, N. Le Roux and F. Bach, "Minimizing finite sums with the
    stochastic average gradient", 2017, algorithm 1 and section 4 (running count, exact lazy updates, step 1/L).

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

    def __init__(self, step_size="auto", initial_table="zeros"):
        self.step_size = step_size
        self.initial_table = initial_table

    def check(self):
        super().check()
        check_option("initial_table", self.initial_table, ("zeros", "gradient"))

    def _set_step_size(self, problem, state):
        L = max_smoothness(problem)
        state.schedule = constant(inverse(L) if self.step_size == "auto" else self.step_size, problem)

    def init(self, problem, theta, rng):
        state = new_state(None, metric=None, group=None)
        if self.initial_table == "zeros" and not theta.any():
            state.table = np.full(problem.X.shape[0] * problem.n_outputs, np.nan)
            state.sum, state.n_seen = problem.zeros(), 0
        else:
            state.table, gradient = problem.residual_gradient(theta)
            state.sum, state.n_seen = problem.n_samples * gradient, problem.n_samples
            state.passes = 1.0
        self._set_step_size(problem, state)
        return state

    def epoch(self, problem, theta, state, rng):
        kernel = problem.kernels.saga_epoch if self._saga else problem.kernels.sag_epoch
        for rows in problem.slices(sampling.uniform(problem, rng)):
            state.n_seen = kernel(
                rows,
                next_steps(state, len(rows)),
                theta,
                state.table,
                state.sum,
                state.n_seen,
                state.metric,
                state.group,
            )
        state.passes += 1

    def gradient_estimate(self, problem, theta, state):
        return state.sum / state.n_seen + problem.penalty_gradient(theta)


class SAGA(SAG):
    """SAGA: w -= eta (grad loss_i(w) - g_i + mean of the g + alpha w), then g_i <- grad loss_i(w).

    The unbiased sibling of SAG: one row's change counts fully where SAG counts it with 1/n. The table starts at the
    gradients of the starting point (one pass).

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
    initial_table = "gradient"  # not a parameter: the estimate is unbiased only over a whole table

    def __init__(self, step_size="auto"):
        self.step_size = step_size

    def _set_step_size(self, problem, state):
        L = max_smoothness(problem)
        state.schedule = constant(inverse(3 * L) if self.step_size == "auto" else self.step_size, problem)
