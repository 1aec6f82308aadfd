"""Step sizes: what a solver multiplies the gradient of F with at its step k = 0, 1, ...

A schedule is a function of an array of step numbers k, shape (n_steps,), that returns an array of shape
(n_steps, n_outputs): targets of Ridge with their own alpha have step sizes of their own.
"""

from dataclasses import dataclass
from numbers import Real

import numpy as np


@dataclass
class Constant:
    """The same step size at every step."""

    step_size: np.ndarray

    def __call__(self, k):
        return np.broadcast_to(self.step_size, (len(k), len(self.step_size)))


@dataclass
class PL:
    """(2k + 1) / (2 mu (k + 1)^2), entered at step `k0`: the lecture's schedule for the PL inequality.

    With k0 = 0 it starts at 1 / (2 mu), which explodes for a small mu; entered where it equals 1/L it starts at the
    largest step that is safe.
    """

    mu: np.ndarray
    k0: np.ndarray

    def __call__(self, k):
        k = k[:, None] + self.k0
        return (2 * k + 1) / (k + 1) / (2 * self.mu * (k + 1))

    @classmethod
    def entered_at(cls, step_size, mu):
        """Return the schedule from the k0 on at which it has come down to `step_size`; from 0 where it starts below.

        With t = k0 + 1: (2 t - 1) / (2 mu t^2) = step_size, the larger root.
        """
        t = (1 + np.sqrt(np.maximum(1 - 2 * mu * step_size, 0))) / mu / (2 * step_size)
        return cls(mu, np.maximum(t - 1, 0))


@dataclass
class InverseSqrt:
    """step_size / sqrt(1 + k / period)."""

    step_size: np.ndarray
    period: int

    def __call__(self, k):
        return self.step_size / np.sqrt(1 + k[:, None] / self.period)


def check_step_size(step_size, names=()):
    """Raise unless `step_size` is a positive number, "auto", or one of the policies `names`."""
    names = ["auto", *names]
    accepted = f"step_size must be a positive number or one of {names}, got {step_size!r}"
    if isinstance(step_size, (bool, np.bool_)) or not isinstance(step_size, (str, Real)):
        raise TypeError(f"{accepted} of type {type(step_size).__name__}.")
    if not (step_size in names if isinstance(step_size, str) else 0 < step_size < np.inf):
        raise ValueError(f"{accepted}.")


def constant(step_size, problem):
    """Return the schedule of a number, or of one number an output."""
    return Constant(np.broadcast_to(np.asarray(step_size, dtype=np.float64), (problem.n_outputs,)))


def inverse(L):
    """Return 1/L, and 1 where L = 0: there the gradient is zero and every step as good."""
    L = np.asarray(L, dtype=np.float64)
    return 1 / np.where(L > 0, L, 1.0)
