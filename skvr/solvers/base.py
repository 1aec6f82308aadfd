"""What a solver is: hyper-parameters, a first state, and one epoch."""

from numbers import Integral
from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator

from skvr.solvers.step_size import check_step_size

# Up to this many rows an automatic batch is the whole data: the step is then deterministic, and costs microseconds.
WHOLE_BATCH = 256
DEFAULT_BATCH = 32


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
    step_size_policies = ()

    def check(self):
        """Raise unless every hyper-parameter is valid."""
        check_step_size(self.step_size, self.step_size_policies)
        if hasattr(self, "batch_size"):
            check_batch_size(self.batch_size)

    def resolve(self, problem):
        """Return the solver that runs on this problem: itself, except for `Auto`."""
        return self

    def init(self, problem, theta, rng):
        """Return the state at the start of a fit from the parameters `theta`."""
        raise AssertionError("abstract")

    def epoch(self, problem, theta, state, rng):
        """Advance `theta` and `state` by n row gradients, in place."""
        raise AssertionError("abstract")

    def gradient_estimate(self, problem, theta, state):
        """Return an estimate of the gradient of F that costs no pass, flat as theta, or None."""
        return None

    def bound_estimate(self, problem, theta, state, certificate):
        """Return an estimate of the certified bound that costs no pass, shape (n_tasks,), or None."""
        gradient = self.gradient_estimate(problem, theta, state)
        return None if gradient is None else certificate.measure(gradient)


def new_state(schedule, **state):
    """Return the state every solver has, `k` steps taken and `passes` effective passes made, with its own."""
    return SimpleNamespace(schedule=schedule, k=0, passes=0.0, **state)


def n_batches(n_rows, batch):
    """Return the number of batches that n_rows make, the last one perhaps smaller."""
    return -(-n_rows // batch)


def next_steps(state, n_steps):
    """Return the step sizes of the next steps, flat (n_steps x n_outputs), and count them."""
    eta = state.schedule(np.arange(state.k, state.k + n_steps, dtype=np.float64))
    state.k += n_steps
    return np.ascontiguousarray(eta).ravel()


def current_step_size(state):
    """Return the step size of the next step, shape (n_outputs,)."""
    return state.schedule(np.array([float(state.k)]))[0]


def check_batch_size(batch_size):
    """Raise unless `batch_size` is "auto" or a positive integer."""
    check_count("batch_size", batch_size, "a positive integer", low=1)


def check_count(name, value, kind, low):
    """Raise unless `value` is "auto" or an integer of at least `low`, called a `kind`."""
    accepted = f"{name} must be {kind} or 'auto', got {value!r}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (str, Integral)):
        raise TypeError(f"{accepted} of type {type(value).__name__}.")
    if not (value == "auto" if isinstance(value, str) else value >= low):
        raise ValueError(f"{accepted}.")


def batch_rows(batch_size, problem, automatic=DEFAULT_BATCH):
    """Return the number of rows a step: at most n, and all of them for "auto" where n <= 256."""
    if batch_size == "auto":
        batch_size = problem.n_samples if problem.n_samples <= WHOLE_BATCH else automatic
    return min(batch_size, problem.n_samples)
