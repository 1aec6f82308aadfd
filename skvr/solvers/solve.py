"""The epoch loop that all solvers share."""

from dataclasses import dataclass

import numpy as np

from skvr.certificate import Certificate
from skvr.smoothness import max_smoothness
from skvr.solvers.base import Solver, current_step_size
from skvr.solvers.stopping import History, StoppingRule, warn_of


@dataclass
class Result:
    """What a fit found.

    Attributes
    ----------
    n_iter : epochs run.
    suboptimality : certified bound / F of each task; nan where alpha = 0.
    history : dict of arrays, one entry an evaluation.
    solver : what ran.
    step_size : of each output, at the end.
    memory : what a later fit can start with, or None.
    """

    n_iter: int
    suboptimality: np.ndarray
    history: dict
    solver: Solver
    step_size: np.ndarray
    memory: object = None


def solve(problem, solver, theta, *, tol, max_iter, rng, verbose=0, memory=None, task=None):
    """Run `solver` on `problem` from the parameters `theta`, which it changes, until the stopping rule holds.

    With `tol` the intercept ends as the best one for the coefficients. `memory` is that of an earlier fit's `Result`,
    `task` what callbacks are told of each epoch, and may ask to stop.

    Raises
    ------
    ValueError
        If the parameters or F stop being finite, naming the step size and L; if row norms overflow.
    """
    chosen = solver.resolve(problem)
    if verbose and chosen is not solver:
        print(f"auto: {chosen!r}, since {solver.choose(problem)[1]}")
    solver = chosen
    solver.check_rows(problem)
    certificate = Certificate(problem)
    every_epoch = verbose > 0 or task is not None or solver.evaluates_every_epoch
    rule = StoppingRule(tol, every_epoch, solver.converges_linearly, solver.estimates_bound)
    history = History(verbose)
    reason = None
    with np.errstate(over="ignore", invalid="ignore"):
        with history.solver:
            state = solver.init(problem, theta, rng) if memory is None else solver.resume(problem, theta, rng, memory)
        iterate, stop = theta, False
        for epoch in range(1, max_iter + 1):
            if task is not None:
                task.begin_epoch(iterate)
            with history.solver:
                solver.epoch(problem, theta, state, rng)
            if not np.isfinite(theta).all():
                raise not_finite(problem, solver, state, epoch)
            if task is not None:
                iterate = solver.iterate(problem, theta, state)
                stop = task.end_epoch(iterate)
            if not (
                epoch == max_iter
                or stop
                or rule.is_due(epoch, certificate, lambda: solver.bound_estimate(problem, theta, state, certificate))
            ):
                continue
            iterate = solver.iterate(problem, theta, state)
            with history.evaluation:
                evaluation = certificate.evaluate(iterate, np.inf if tol is None else tol)
            if evaluation is None:
                raise not_finite(problem, solver, state, epoch)
            if tol is None:  # (w, b) is what the fit returns
                evaluation = evaluation.at_iterate()
            elif solver.adopts_intercept:
                problem.intercept(theta)[:] = evaluation.intercept
            step_size = current_step_size(state)
            history.add(epoch, state.passes, evaluation, step_size)
            reason = rule.update(epoch, evaluation) or ("callback" if stop else None)
            if reason is not None:
                break
    theta[:] = iterate
    if tol is not None:
        problem.intercept(theta)[:] = evaluation.intercept
        warn_of(reason, rule, problem, solver, step_size, max_iter, epoch)
    suboptimality = np.where(np.isnan(evaluation.bound), np.nan, evaluation.gap)
    memory = solver.remember(problem, state)
    return Result(epoch, suboptimality, history.as_dict(), solver, np.array(step_size), memory)


def certify(problem, theta):
    """Return the certified relative suboptimality of (w, b) as it stands, shape (n_tasks,); nan where alpha = 0."""
    evaluation = Certificate(problem).evaluate(theta).at_iterate()
    return np.where(np.isnan(evaluation.bound), np.nan, evaluation.gap)


def not_finite(problem, solver, state, epoch):
    """Return the error of a fit that diverged, naming the step size and L."""
    step_size = float(np.max(current_step_size(state)))
    L = float(np.max(max_smoothness(problem)))
    given = getattr(solver, "step_size", "auto") != "auto"
    remedy = "Use a smaller step_size, or 'auto'." if given else "Scale the columns of X."
    return ValueError(
        f"{type(solver).__name__} diverged: a coefficient or the objective is not finite after epoch {epoch}. The step "
        f"size is {step_size:.3g}, and 1/L = {1 / L:.3g} with L = max_i L_i = {L:.3g}. {remedy}"
    )
