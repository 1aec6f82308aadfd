"""The changes that L-BFGS remembers, and what they correct: the compact form of the two-loop recursion.

With the changes s_i of theta and y_i of the gradient, oldest first, as the rows of S and Y, R the upper triangle of
S Y', and D its diagonal, the recursion on a gradient g from a first matrix B_0 is

    a = R^-1 S g,    q = B_0 (g - Y' a),    c = R^-T (D a - Y q),    B g = q + S' c,

four products of matrices where the loops have 4 m of vectors.

R. Byrd, J. Nocedal and R. Schnabel, "Representations of quasi-Newton matrices and their use in limited memory
methods", 1994, theorem 2.2.
"""

import numpy as np

CAPACITY = 20  # pairs that there is a place for from the beginning
TINY = np.finfo(np.float64).tiny  # smaller products have no inverse


class Pairs:
    """The last `memory` pairs (s, y) of a problem's vectors; each task has a, c, R and D of its own."""

    def __init__(self, problem, memory):
        self.problem, self.memory = problem, memory
        capacity, size = min(memory, CAPACITY), problem.zeros().size
        self.S, self.Y = np.empty((capacity, size)), np.empty((capacity, size))
        self.clear()

    def __len__(self):
        return len(self.slots)

    def clear(self):
        """Forget all."""
        self.slots = []  # the rows of S and Y, oldest first
        self.inverse = np.empty((self.problem.n_tasks, 0, 0))  # R^-1, likewise

    @property
    def last(self):
        """The newest pair."""
        return self.S[self.slots[-1]], self.Y[self.slots[-1]]

    def add(self, s, y):
        """Remember a pair, in the place of the oldest where there is no other."""
        if self.memory == 0:
            return
        d = self.problem.dot_by_task(s, y)
        known = d > TINY  # a task that did not move learns nothing
        if not known.all():
            s, y = (self.problem.times_task(known.astype(np.float64), change) for change in (s, y))
            d = np.where(known, d, 1.0)
        slot, column = len(self), self._products(self.S, y)
        if slot == self.memory:  # R without the oldest is its trailing block, and so is R^-1
            slot, column, self.inverse = self.slots.pop(0), column[:, 1:], self.inverse[:, 1:, 1:]
        elif slot == len(self.S):
            more = min(slot, self.memory - slot)
            self.S, self.Y = (np.pad(stack, [(0, more), (0, 0)]) for stack in (self.S, self.Y))
        m = len(self)
        inverse = np.zeros((len(d), m + 1, m + 1))
        inverse[:, :m, :m] = self.inverse
        inverse[:, :m, m] = -times(self.inverse, column) / d[:, None]
        inverse[:, m, m] = 1 / d
        self.inverse = inverse
        self.slots.append(slot)
        self.S[slot], self.Y[slot] = s, y

    def remove(self, g):
        """Return a, of shape (n_tasks, pairs), and g - Y' a."""
        a = times(self.inverse, self._products(self.S, g))
        return a, g - self._combination(a, self.Y)

    def changes(self, a):
        """Return S' a: the change of theta of which Y' a is that of the gradient."""
        return self._combination(a, self.S)

    def correct(self, a, q):
        """Return q + S' c."""
        scaled = a / self.inverse.diagonal(axis1=1, axis2=2)  # D a: of a triangle the inverse has the inverse diagonal
        c = times(self.inverse.transpose(0, 2, 1), scaled - self._products(self.Y, q))
        return q + self._combination(c, self.S)

    def _products(self, stack, v):
        """Return those of a stack's vectors with v: (n_tasks, pairs)."""
        return self.problem.dot_by_task(stack[: len(self)], v)[self.slots].T

    def _combination(self, factors, stack):
        """Return the sum of a stack's vectors times `factors`."""
        by_slot = np.empty(factors.shape[::-1])
        by_slot[self.slots] = factors.T
        return self.problem.combine(by_slot, stack[: len(self)])


def times(matrices, vectors):
    """Return the product of each matrix with its vector."""
    return (matrices @ vectors[:, :, None])[:, :, 0]
