"""Epochs over rows that come in chunks, one epoch a chunk: what `partial_fit` does."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from skvr.solvers.base import current_step_size
from skvr.solvers.solve import not_finite


@dataclass
class Stream:
    """What is kept between the chunks; never changed in place, so that a failed call leaves it as it was.

    Attributes
    ----------
    rng : draws the rows.
    n_samples, weight : the number of rows of positive weight seen, and the sum S of their weights.
    theta : the last iterate, flat; its layout depends on whether the rows are sparse.
    is_sparse : whether they are.
    state : the solver's, without what belongs to a chunk; None before the first.
    solver : a copy of what ran last; where it has changed a chunk starts anew, from the last iterate.
    step_size : of the next step, shape (n_outputs,).
    """

    rng: np.random.Generator
    n_samples: int = 0
    weight: float = 0.0
    theta: np.ndarray = None
    is_sparse: bool = False
    state: object = None
    solver: object = None
    step_size: np.ndarray = None

    def seen(self, sample_weight):
        """Return the stream with these rows counted."""
        stream = deepcopy(self)
        stream.n_samples += int(np.count_nonzero(sample_weight))
        stream.weight += float(sample_weight.sum())
        return stream

    def run(self, solver, problem):
        """Advance by one epoch over the chunk `problem`; return what a fit would return now.

        Raises
        ------
        ValueError
            If a coefficient stops being finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            if self.state is None or not _equal(solver, self.solver):
                self.solver = clone(solver)
                self.state = solver.init(problem, self.theta, self.rng)
            else:
                solver.go_on(problem, self.theta, self.state, self.rng)
            solver.epoch(problem, self.theta, self.state, self.rng)
            if not np.all(np.isfinite(self.theta)):
                raise not_finite(problem, solver, self.state, self.state.epoch)
        self.step_size = np.array(current_step_size(self.state))
        self.state.sampling = self.state.schedule = None  # they hold the chunk
        return solver.iterate(problem, self.theta, self.state)


def _equal(solver, other):
    """Whether two solvers are of one class and have the same parameters, those of policies included."""
    return type(solver) is type(other) and _plain(solver) == _plain(other)


def _plain(solver):
    return {name: repr(value) for name, value in solver.get_params().items()}
