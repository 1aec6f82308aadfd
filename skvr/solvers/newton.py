"""Damped Newton on the whole data: the Hessian, a Cholesky factor, the Armijo rule."""

import numpy as np

from skvr.solvers.base import Solver, new_state
from skvr.solvers.hessian import Columns
from skvr.solvers.preconditioner import Hessian
from skvr.solvers.schedule import constant

ARMIJO = 1e-4
HALVINGS = 60
EPS = np.finfo(np.float64).eps


class Newton(Solver):
    """Newton's method, w -= eta H^-1 grad F(w), halving eta from 1 until F falls enough.

    For Ridge one step is the exact solution of the normal equations, and a second one removes its rounding errors. H is
    formed in columns that are centred and scaled to unit curvature, which changes neither F nor, in exact arithmetic,
    the step.

    Notes
    -----
    An epoch is one step, n (p K)^2 / 2 multiply-adds for the Hessian. `history_` counts it as two and a half effective
    passes: the gradient, half a pass along the line, and the Hessian by its rows.

    References
    ----------
    J. Nocedal and S. Wright, "Numerical optimization", 2006, sections 3.1 (Armijo rule) and 3.3 (Newton).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.Newton(), tol=1e-12).fit(X, y)
    >>> bool(clf.suboptimality_ <= 1e-12)
    True
    """

    adopts_intercept = True
    scales_columns = True
    evaluates_every_epoch = True  # a pass is little beside the Hessian

    def check(self):
        pass  # no hyper-parameter

    def check_rows(self, problem):
        pass  # `Columns` does

    def init(self, problem, theta, rng):
        return new_state(constant(1.0, problem), columns=Columns(problem), hessian=None)

    def epoch(self, problem, theta, state, rng):
        z = np.zeros(problem.X.shape[0] * problem.n_outputs)
        value, gradient = problem.evaluate(theta, z)
        if state.hessian is None or problem.loss != "squared":  # there it is the data's alone
            state.hessian = Hessian(problem, state.columns, z)
        direction = -state.hessian.solve(gradient, theta)
        _line_search(problem, theta, direction, gradient, z, value)
        state.k += 1
        state.passes += 2.5


def _line_search(problem, theta, direction, gradient, z, start):
    """Step to theta + eta direction with the first eta = 1, 1/2, ... that satisfies the Armijo rule, each task its own.

    `start` is F at theta. F is followed along the line on the raw predictions alone. Where the promised change is at
    rounding level, eta = 1 stands.
    """
    K = problem.n_outputs
    dz = problem.raw_prediction(direction)
    w, d = problem.coef(theta), problem.coef(direction)
    slope = problem.dot_by_task(gradient, direction)
    eta = np.ones(problem.n_tasks)
    rounding = 8 * EPS * np.abs(start)
    for _ in range(HALVINGS):
        per_output = np.broadcast_to(eta, (K,))
        trial = problem.mean_loss(z + (dz.reshape(-1, K) * per_output).ravel())
        coef = w + per_output[:, None] * d
        value = trial + problem.by_task(0.5 * problem.alpha * np.einsum("kj,kj->k", coef, coef))
        accepted = value <= start + ARMIJO * eta * slope + rounding
        if accepted.all():
            break
        eta = np.where(accepted, eta, eta / 2)
    problem.coef(theta)[:] = w + per_output[:, None] * d
    problem.intercept(theta)[:] += per_output * problem.intercept(direction)
