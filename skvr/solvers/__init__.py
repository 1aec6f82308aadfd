"""The solver module: every method by name, one class each, shared by the estimators.

A solver is chosen by name, ``LogisticRegression(solver="sag", step_size=0.1)``, or as an object with all its
hyper-parameters, ``LogisticRegression(solver=solvers.SAG(step_size=0.1))``.
"""

from skvr.solvers.adaptive import Adadelta, Adagrad, Adam, RMSprop
from skvr.solvers.auto import Auto
from skvr.solvers.base import Solver
from skvr.solvers.batch_size import AdaptiveBatch, BatchSize, GeometricBatch
from skvr.solvers.lbfgs import LBFGS
from skvr.solvers.newton import Newton
from skvr.solvers.preconditioned_svrg import PreconditionedSVRG
from skvr.solvers.sag import SAG, SAGA
from skvr.solvers.sdca import SDCA
from skvr.solvers.sgd import GD, SGD, MiniBatch
from skvr.solvers.solve import certify as certify
from skvr.solvers.solve import solve as solve
from skvr.solvers.step_size import PL, Constant, Exponential, InverseScaling, LineSearch, StepSize
from skvr.solvers.svrg import SVRG

SOLVERS = {
    "auto": Auto,
    "gd": GD,
    "sgd": SGD,
    "minibatch": MiniBatch,
    "sag": SAG,
    "saga": SAGA,
    "svrg": SVRG,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adadelta": Adadelta,
    "adam": Adam,
}

__all__ = [
    "GD",
    "LBFGS",
    "PL",
    "SAG",
    "SAGA",
    "SDCA",
    "SGD",
    "SOLVERS",
    "SVRG",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdaptiveBatch",
    "Auto",
    "BatchSize",
    "Constant",
    "Exponential",
    "GeometricBatch",
    "InverseScaling",
    "LineSearch",
    "MiniBatch",
    "Newton",
    "PreconditionedSVRG",
    "RMSprop",
    "Solver",
    "StepSize",
    "get_solver",
]


def get_solver(solver, step_size="auto", batch_size="auto"):
    """Return the solver object for an estimator's `solver`, `step_size` and `batch_size`.

    Parameters
    ----------
    solver : str or Solver
        A name of `SOLVERS` or a solver object.
    step_size : float, str or StepSize, default="auto"
        Passed to the solver of that name; with an object or with "auto" it must stay "auto".
    batch_size : int, float, str or BatchSize, default="auto"
        Likewise, for solvers that take batches.

    Returns
    -------
    Solver
        The object itself, or a new one.

    Raises
    ------
    ValueError
        If the name is unknown, or a step size or batch size is passed where it has no place.
    TypeError
        If `solver` is neither a name nor a solver object.

    Examples
    --------
    >>> from skvr.solvers import get_solver
    >>> get_solver("adam", step_size=0.01)
    Adam(step_size=0.01)
    """
    given = {
        name: value
        for name, value in (("step_size", step_size), ("batch_size", batch_size))
        if not (isinstance(value, str) and value == "auto")
    }
    if isinstance(solver, Solver):
        if given:
            accepted = _accepted(type(solver), given)
            if len(accepted) < len(given):
                refused = " and ".join(name for name in given if name not in accepted)
                raise ValueError(f"{_spell(given)}: {type(solver).__name__} takes no {refused}. Leave 'auto'.")
            corrected = type(solver)(**{**solver.get_params(deep=False), **accepted})
            raise ValueError(
                f"{_spell(given)} is the estimator's, but the solver is an object with parameters of its own. "
                f"Write solver=solvers.{corrected!r} (in a grid: "
                f"{', '.join('solver__' + name for name in given)})."
            )
        solver.check()
        return solver
    if not isinstance(solver, str):
        hint = f" Write solvers.{solver.__name__}()." if isinstance(solver, type) else ""
        raise TypeError(
            f"solver must be one of {list(SOLVERS)} or an object of skvr.solvers, got {solver!r} of type "
            f"{type(solver).__name__}.{hint}"
        )
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {list(SOLVERS)} or an object of skvr.solvers, got {solver!r}.")
    accepted = _accepted(SOLVERS[solver], given)
    if len(accepted) < len(given):
        refused = {name: value for name, value in given.items() if name not in accepted}
        if solver == "auto":
            raise ValueError(
                f"solver='auto' chooses its own {' and '.join(refused)}, but got {_spell(refused)}. Name a solver: "
                f"solver={'minibatch' if 'batch_size' in given else 'sag'!r}, {_spell(given)}."
            )
        takers = [name for name, cls in SOLVERS.items() if "batch_size" in cls._get_param_names()]
        raise ValueError(
            f"solver={solver!r} takes no batch_size, but got {_spell(refused)}. Leave batch_size='auto', or use one of "
            f"{takers}: solver='minibatch', {_spell(given)}."
        )
    made = SOLVERS[solver](**given)
    made.check()
    return made


def _accepted(cls, given):
    return {name: value for name, value in given.items() if name in cls._get_param_names()}


def _spell(given):
    return ", ".join(f"{name}={value!r}" for name, value in given.items())
