"""Symmetric matrices of n rows as their lower triangle: n (n + 1) / 2 numbers, as fast as n^2.

LAPACK's rectangular full packed format stores two halves of the triangle as one rectangle, on whose parts its matrix
products work: F. Gustavson, J. Wasniewski, J. Dongarra and J. Langou, "Rectangular full packed format for Cholesky's
algorithm", ACM TOMS 37, 2010. With h = ceil(n / 2), the columns j < h stand as they are, each below a row of the rest.
"""

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dtfttr, dtrttf

from skvr.solvers import lapack

BLOCK = 2**14  # entries that are scaled at a time: their factors stay in the cache
# Pivots and relative eigenvalues of a Hessian with unit diagonal below this are rounding errors.
RANK_TOLERANCE = 1e-14
SMALL = 512  # rows of a square of 2 MB: as such it is added to faster, by up to a third where the rows are few


class Triangle:
    """The lower triangle of a symmetric matrix.

    Parameters
    ----------
    n : int
        Rows of the matrix.
    values : ndarray of shape (n (n + 1) / 2,), default=None
        Its entries, kept and changed. Zero by default.
    """

    def __init__(self, n, values=None):
        self.n = n
        self.values = np.zeros(n * (n + 1) // 2) if values is None else values
        self.half = (n + 1) // 2

    @property
    def columns(self):
        """The rectangle, by its columns: they have n entries, and n + 1 where n is even."""
        return self.values.reshape(self.half, -1)

    def times(self, factor):
        """Return a multiple of the matrix."""
        return Triangle(self.n, factor * self.values)

    def position(self, i, j):
        """Return where entries (i, j), j <= i, stand in `values`."""
        odd, height = self.n % 2, self.columns.shape[1]
        return np.where(j < self.half, j * height + i + 1 - odd, (i - self.half + odd) * height + j - self.half)

    def runs(self):
        """Yield (i, rows, view): the entries (i, rows) or (rows, i), every one of the triangle once."""
        n, half, odd = self.n, self.half, self.n % 2
        for j, column in enumerate(self.columns):
            yield j, slice(j, n), column[j + 1 - odd :]
            i = half + j - odd
            if i >= half:
                yield i, slice(half, i + 1), column[: j + 1 - odd]

    def diagonal(self):
        """Return a copy of the diagonal."""
        return np.concatenate(self._diagonals())

    def set_diagonal(self, values):
        first, rest = self._diagonals()
        first[:], rest[:] = values[: self.half], values[self.half :]

    def _diagonals(self):
        """Return the views of the diagonal's entries j < h, and of the rest."""
        odd, height = self.n % 2, self.columns.shape[1]
        return self.values[1 - odd :: height + 1][: self.half], self.values[odd * height :: height + 1][: self.n // 2]

    def add_at(self, i, j, values):
        """Add to entries (i, j), j <= i, each named once."""
        self.values[self.position(i, j)] += values

    def scale(self, factor):
        """Multiply entry (i, j) by factor_i factor_j."""
        odd, height = self.n % 2, self.columns.shape[1]
        # Those of the columns j < h and of the rest, along the rectangle's columns and down each.
        along = factor[: self.half], factor[self.half - odd :]
        down = np.zeros((2, height))
        down[0, 1 - odd :], down[1, : self.n - self.half] = factor, factor[self.half :]
        step = max(1, BLOCK // height)
        for first in range(0, self.half, step):
            block = slice(first, first + step)
            entries = self.columns[block]
            rest = np.tri(len(entries), height, first - odd, dtype=bool)
            entries *= np.where(rest, along[1][block, None] * down[1], along[0][block, None] * down[0])

    def cholesky(self):
        """Become the Cholesky factor; return whether there is one."""
        self.values = np.require(self.values, np.float64, "CW")
        return lapack.cholesky(self.n, self.values)

    def solve(self, g):
        """Return the solution for a right side of shape (n,) or (n, m), by a Cholesky factor."""
        return lapack.solve(self.n, self.values, g.reshape(self.n, -1)).reshape(g.shape)

    def square(self):
        """Return a square matrix whose lower triangle is this."""
        return dtfttr(self.n, self.values, uplo="L")[0]


def sum_of_products(n, blocks, factor, zeros=Triangle):
    """Return the `Triangle` of `factor` times the sum of Z'Z over `blocks` Z, C-ordered and of n columns.

    A large one is zeros(n), to which the products are added.
    """
    if n <= SMALL:
        square = np.zeros((n, n), order="F")
        for Z in blocks:
            square = dsyrk(factor, Z.T, 1.0, square, lower=1, overwrite_c=1)
        return Triangle(n, dtrttf(square, uplo="L")[0])
    out = zeros(n)
    for Z in blocks:
        lapack.add_products(n, factor, Z, out.values)
    return out
