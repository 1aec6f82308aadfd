"""The one stopping rule: when F is evaluated, when a fit ends, what it warns of, and the history it keeps."""

import math
import time
from collections import deque
from numbers import Real

import numpy as np
from sklearn.base import clone

from skvr._warnings import warn_of_convergence
from skvr.solvers.base import current_step_size
from skvr.solvers.step_size import PL, Exponential, InverseScaling, get_policy

FIRST_EVALUATIONS = 3
EVALUATION_GROWTH = 1.2  # an evaluation costs a pass: later ones are spaced so that all together cost a fraction
ESTIMATED_GROWTH = 1.02  # those that a solver's own estimate asks for may come closer
WAITING_GROWTH = 1.5  # those of a solver whose estimates are good from the start
PATIENCE = 5  # evaluations without progress

COLUMNS = (
    "epoch",
    "passes",
    "seconds",
    "objective",
    "gradient_norm",
    "bound",
    "step_size",
    "evaluation_passes",
    "evaluation_seconds",
)


class StoppingRule:
    """Certified suboptimality: bound <= tol F for every task.

    Without a tolerance (`tol` None) every epoch is evaluated for the history and nothing stops a fit.
    """

    def __init__(self, tol, every_epoch, converges_linearly, waits_for_estimate=False):
        self.tol = tol
        self.waits_for_estimate = waits_for_estimate
        self.every_epoch = every_epoch or tol is None
        self.converges_linearly = converges_linearly
        self.last_epoch = 0
        self.evaluation = None
        self.recent = deque()  # (bound, objective) of the last PATIENCE evaluations
        self.best_bound = self.best_objective = np.inf  # of those before

    def is_due(self, epoch, certificate, bound_estimate):
        """Whether the iterate after `epoch` is worth an evaluation.

        `bound_estimate` is a function that returns the solver's estimate of the bound, or None.
        """
        if self.every_epoch:
            return True
        if not self.waits_for_estimate:
            if epoch <= FIRST_EVALUATIONS or epoch >= EVALUATION_GROWTH * self.last_epoch:
                return True
            if epoch < ESTIMATED_GROWTH * self.last_epoch:
                return False
        elif epoch >= WAITING_GROWTH * self.last_epoch + 2 * PATIENCE:
            return True
        bound = bound_estimate()
        return bound is not None and bool((bound <= self._level(certificate)).all())

    def _level(self, certificate):
        """Return what the bound must come down to for tol to hold, or for rounding errors to take over."""
        if self.evaluation is None:  # F at w = 0 stands for F
            return self.tol * np.where(certificate.free, 1.0, certificate.scale)
        certified = ~np.isnan(self.evaluation.bound)
        return np.maximum(self.tol, self.evaluation.floor) * np.where(certified, self.evaluation.objective, 1.0)

    def update(self, epoch, evaluation):
        """Take an evaluation in; return why the fit ends: "tol", "rounding", "stalled" or None."""
        self.last_epoch, self.evaluation = epoch, evaluation
        if self.tol is None:
            return None
        if np.all(evaluation.gap <= self.tol):
            return "tol"
        bound = np.where(np.isnan(evaluation.bound), evaluation.gap, evaluation.bound)
        self.recent.append((bound, evaluation.objective.sum()))
        if len(self.recent) > PATIENCE:
            earlier_bound, earlier_objective = self.recent.popleft()
            self.best_bound = np.minimum(self.best_bound, earlier_bound)
            self.best_objective = min(self.best_objective, earlier_objective)
        stopped_falling = np.min([bound for bound, _ in self.recent], axis=0) >= self.best_bound
        if np.all((evaluation.gap <= self.tol) | (stopped_falling & (evaluation.gap <= evaluation.floor))):
            return "rounding"
        # F alone would end a fit whose bound still falls: below tol F it cannot fall by tol F.
        fall = self.best_objective - min(objective for _, objective in self.recent)
        if not self.converges_linearly and fall <= self.tol * evaluation.objective.sum() and stopped_falling.all():
            return "stalled"
        return None


class Stopwatch:
    """Adds up the `seconds` spent in its `with` blocks."""

    def __init__(self):
        self.seconds = 0.0

    def __enter__(self):
        self.start = time.perf_counter()

    def __exit__(self, *_):
        self.seconds += time.perf_counter() - self.start


class History:
    """One record per evaluation; also prints it where `verbose`."""

    def __init__(self, verbose):
        self.verbose = verbose
        self.records = []
        self.solver, self.evaluation = Stopwatch(), Stopwatch()

    def add(self, epoch, passes, evaluation, step_size):
        """Append a record; several targets are added up."""
        record = (
            epoch,
            passes,
            self.solver.seconds,
            evaluation.objective.sum(),
            math.sqrt((evaluation.gradient_norm**2).sum()),
            evaluation.bound.sum(),
            np.max(step_size),
            len(self.records) + 1.0,
            self.evaluation.seconds,
        )
        self.records.append(record)
        if self.verbose:
            print(
                f"epoch {epoch:6d}  passes {passes:8.1f}  seconds {self.solver.seconds:9.3f}  "
                f"objective {record[3]:.10e}  bound {record[5]:.3e}  step size {record[6]:.3e}"
            )

    def as_dict(self):
        """Return the records as a dict of arrays, one a column."""
        columns = {name: np.array([record[i] for record in self.records]) for i, name in enumerate(COLUMNS)}
        columns["epoch"] = columns["epoch"].astype(np.int64)
        return columns


def warn_of(reason, rule, problem, solver, step_size, max_iter, n_iter):
    """Warn that the fit ended short of tol: the bound reached, the likely cause, one thing to do."""
    evaluation = rule.evaluation
    if evaluation.separated:
        warn_of_convergence(
            "The classes are linearly separable and there is no penalty: the loss falls towards 0 as the coefficients "
            "grow, and no finite optimum exists. The coefficients are those at which the fit stopped. Set a finite C."
        )
        return
    if reason in ("tol", "callback"):
        return
    certified = not np.any(np.isnan(evaluation.bound))
    quantity = "a certified relative suboptimality" if certified else "a relative gradient"
    reached = f"{type(solver).__name__} reached {quantity} of {np.max(evaluation.gap):.2e}, not tol={rule.tol:g}"
    if reason == "rounding":
        message = (
            f"{reached}: rounding. The gradient is at the level of rounding errors and no longer falls; the "
            "coefficients are as exact as float64 allows. Pass a larger tol."
        )
    else:
        ended = (
            f"in max_iter={max_iter} epochs"
            if reason is None
            else f"and the objective has stopped falling (after {n_iter} epochs)"
        )
        message = f"{reached}, {ended}. {_advice(problem, solver, step_size)}"
    warn_of_convergence(message)


def _advice(problem, solver, step_size):
    """Name the likely cause of slow convergence and one thing to do."""
    given = getattr(solver, "step_size", "auto")
    if isinstance(given, Real):
        automatic = clone(solver).set_params(step_size="auto")
        state = automatic.init(problem, problem.zeros(), np.random.default_rng(0))
        relative = float(np.max(step_size / current_step_size(state)))
        if not 0.01 <= relative <= 2:
            size = "large" if relative > 2 else "small"
            return (
                f"The step size {given:g} is probably too {size}: it is {relative:.2g} times the automatic one. "
                "Use step_size='auto'."
            )
    elif solver.converges_linearly and isinstance(get_policy(given), (Exponential, InverseScaling, PL)):
        return f"The step size {given!r} decreases to zero. Use step_size='auto' or 'constant'."
    if solver.scales_columns:
        return "Increase max_iter."
    rms = np.sqrt(problem.second_moment())
    used = rms > 0
    if np.any(used) and rms[used].max() > 10 * rms[used].min():
        scaler = "MaxAbsScaler" if problem.is_sparse else "StandardScaler"
        return (
            f"The columns of X differ in scale by up to {rms[used].max() / rms[used].min():.1e} (column "
            f"{int(np.argmax(rms))} is the largest). Scale them, for example with sklearn.preprocessing.{scaler}."
        )
    if not solver.converges_linearly:
        return (
            f"{type(solver).__name__} converges sublinearly at best. Use a larger tol, tol=None for a fixed number of "
            "epochs, or solver='auto'."
        )
    return "Increase max_iter." if solver.is_behind_auto else "Increase max_iter, or use solver='auto'."
