"""The step sizes of one fit.

A schedule is a function of an array of step numbers k, shape (n_steps,), and of the number of epochs completed, that
returns an array of shape (n_steps, n_outputs): targets of Ridge with their own alpha have step sizes of their own.
"""

from dataclasses import dataclass

import numpy as np

STEPS_TOGETHER = 2**13  # arrays of many more are new pages whenever they are made: longer than the arithmetic


class Schedule:
    """The step sizes of one fit."""

    def steps(self, k, n_steps, epoch, short=1.0):
        """Return what a kernel takes as its next steps: their sizes, flat (n_steps x n_outputs), the last `short`."""
        starts = range(k, k + n_steps, STEPS_TOGETHER)
        numbers = (np.arange(first, min(first + STEPS_TOGETHER, k + n_steps), dtype=np.float64) for first in starts)
        sizes = np.concatenate([np.ascontiguousarray(self(some, epoch)) for some in numbers])
        sizes[-1:] *= short
        return sizes.ravel()


@dataclass
class ConstantSchedule(Schedule):
    """The same at every step."""

    step_size: np.ndarray

    def __call__(self, k, epoch):
        return np.full((len(k), len(self.step_size)), self.step_size)


@dataclass
class PLSchedule(Schedule):
    """(2k + 1) / (2 mu (k + 1)^2), entered at step `k0`."""

    mu: np.ndarray
    k0: np.ndarray

    def __call__(self, k, epoch):  # an output after the other: NumPy's loops are then as long as k
        u = 1 / (k + (self.k0 + 1)[:, None])
        return ((2 - u) * u / (2 * self.mu[:, None])).T  # in this form nothing overflows

    @classmethod
    def entered_at(cls, step_size, mu):
        """Return the schedule from the k0 on at which it has come down to `step_size`; from 0 where it starts below.

        With t = k0 + 1: (2 t - 1) / (2 mu t^2) = step_size, the larger root.
        """
        t = (1 + np.sqrt(np.maximum(1 - 2 * mu * step_size, 0))) / mu / (2 * step_size)
        return cls(mu, np.maximum(t - 1, 0))


@dataclass
class InverseScalingSchedule(Schedule):
    """step_size / (1 + decay k)^power."""

    step_size: np.ndarray
    decay: float
    power: float

    def __call__(self, k, epoch):
        with np.errstate(over="ignore"):
            return (self.step_size[:, None] / (1 + self.decay * k) ** self.power).T


@dataclass
class ExponentialSchedule(Schedule):
    """step_size rate^epoch."""

    step_size: np.ndarray
    rate: float

    def __call__(self, k, epoch):
        with np.errstate(over="ignore"):  # the step that overflows is met as any that is too large
            step_size = self.step_size * np.float64(self.rate) ** epoch
        return np.broadcast_to(step_size, (len(k), len(step_size)))


@dataclass
class SearchSchedule(Schedule):
    """1 / (multiple (L + alpha)): a kernel changes `L` as it goes."""

    L: np.ndarray
    problem: object
    multiple: float
    kernel: object

    def __call__(self, k, epoch):
        eta = 1 / (self.multiple * (self.L + self.problem.alpha))
        return np.broadcast_to(eta, (len(k), self.problem.n_outputs))

    def steps(self, k, n_steps, epoch, short=1.0):
        return self.kernel  # which looks at the rows of the batch, however few


def per_output(step_size, problem):
    """Return one step size an output, shape (n_outputs,)."""
    return np.full(problem.n_outputs, step_size, dtype=np.float64)


def constant(step_size, problem):
    """Return the schedule of a number, or of one number an output."""
    return ConstantSchedule(per_output(step_size, problem))


def inverse(L):
    """Return 1/L, and 1 where L = 0: there the gradient is zero and every step as good."""
    L = np.asarray(L, dtype=np.float64)
    return 1 / np.where(L > 0, L, 1.0)
