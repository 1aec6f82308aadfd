"""What a solver is: hyper-parameters, a first state, and one epoch."""

from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator

from skvr.smoothness import row_curvature


class Solver(BaseEstimator):
    """A method that minimises a `FiniteSum`; holds hyper-parameters only.

    The state of a fit (step number, tables, moments) is a namespace that `init` makes and `epoch` advances, so that one
    solver object can serve many fits.
    """

    # Sublinear methods also stop when F no longer falls.
    converges_linearly = True
    # Whether to continue from the best intercept that an evaluation finds; the textbook methods move b themselves.
    adopts_intercept = False
    # Whether the scale of the columns makes no difference, and whether `auto` may have chosen it: what to advise.
    scales_columns = False
    is_behind_auto = False
    evaluates_every_epoch = False
    # Whether `bound_estimate` is good from the first epoch on, so that an evaluation may wait for it.
    estimates_bound = False
    streams = False  # whether a step needs only the rows it draws, so that they may come in chunks (`partial_fit`)

    def check(self):
        """Raise unless every hyper-parameter is valid."""
        raise AssertionError("abstract")

    def resolve(self, problem):
        """Return the solver that runs on this problem: itself, except for `Auto`."""
        return self

    def check_rows(self, problem):
        """Raise if the squared norm of a row overflows. Half an effective pass."""
        row_curvature(problem)

    def init(self, problem, theta, rng):
        """Return the state at the start of a fit from the parameters `theta`."""
        raise AssertionError("abstract")

    def epoch(self, problem, theta, state, rng):
        """Advance `theta` and `state` by n row gradients, in place."""
        raise AssertionError("abstract")

    def iterate(self, problem, theta, state):
        """Return what the fit would return now: the last iterate, or the mean of all where the solver averages."""
        return theta if state.total is None else state.total / state.k

    def remember(self, problem, state):
        """Return what a later fit from this one's end can use, or None."""
        return None

    def resume(self, problem, theta, rng, memory):
        """Return the state at the start of a fit that goes on from one of which `memory` is left."""
        return self.init(problem, theta, rng)

    def gradient_estimate(self, problem, theta, state):
        """Return an estimate of the gradient of F that costs no pass, flat as theta, or None."""
        return None

    def bound_estimate(self, problem, theta, state, certificate):
        """Return an estimate of the certified bound that costs no pass, shape (n_tasks,), or None."""
        gradient = self.gradient_estimate(problem, theta, state)
        return None if gradient is None else certificate.measure(gradient)


def new_state(schedule, **state):
    """Return the state every solver has: `k` steps taken, `epoch` epochs, `passes` effective passes; and its own."""
    return SimpleNamespace(**{"schedule": schedule, "k": 0, "epoch": 0, "passes": 0.0, "total": None} | state)


def n_batches(n_rows, batch):
    """Return the number of batches that n_rows make, the last one perhaps smaller."""
    return -(-n_rows // batch)


def next_steps(state, n_steps, short=1.0):
    """Return the next steps as a kernel takes them, and count them; the last step size is multiplied by `short`."""
    steps = state.schedule.steps(state.k, n_steps, state.epoch, short)
    state.k += n_steps
    return steps


def batch_steps(state, n_rows):
    """Return the next steps over n_rows in batches, and count them.

    A short last batch of m of b rows takes m/b of the step: (m/b) L_m <= L_b, but the smoothness L_m of few rows may be
    many times L_b.
    """
    left = n_rows % state.batch
    return next_steps(state, n_batches(n_rows, state.batch), left / state.batch if left else 1.0)


def current_step_size(state):
    """Return the step size of the next step, shape (n_outputs,)."""
    return state.schedule(np.array([float(state.k)]), state.epoch)[0]
