"""The inverse of a Hessian by a matrix of the rows, where they are fewer than the columns: the Woodbury identity.

N. Higham, "Accuracy and stability of numerical algorithms", 2002, eq. 26.13 (Sherman-Morrison-Woodbury).
"""

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dtrttf

from skvr.problem import BLOCK_VALUES
from skvr.solvers.triangle import RANK_TOLERANCE, Triangle

FEWEST_COLUMNS = 200  # up to so many a matrix of the columns takes a fraction of a millisecond
LARGEST_COUPLED = 2000  # parameters of K classes, or K times their rows, up to which their whole Hessian is formed
COUPLED_PER_COLUMN = 2  # K times the rows over the columns: beyond, a Kronecker product of the columns is faster


def has_fewer_rows(problem):
    """Whether the Hessian has fewer rows that way: dense rows, fewer than columns that are many, and a penalty."""
    fewer = not problem.is_sparse and problem.n_features + 1 > max(problem.n_samples, FEWEST_COLUMNS)
    return fewer and bool(problem.alpha.min() > 0)


def is_cheap_by_rows(problem):
    """Whether so it is cheap, too: for K classes the other choice is a Kronecker product of the columns."""
    rows, columns = problem.n_samples * problem.n_outputs, problem.n_features + 1
    few = problem.loss != "softmax" or rows <= min(LARGEST_COUPLED, COUPLED_PER_COLUMN * columns)
    return few and has_fewer_rows(problem)


class CentredRows:
    """The rows of positive weight less the mean of the `Columns`, not scaled; their products X~ X~' once for all."""

    def __init__(self, problem, columns):
        self.problem, self.mean = problem, columns.mean
        self.varies = np.isfinite(columns.data_scale)
        n, p = problem.n_samples, problem.n_features
        self.products = np.zeros((n, n), order="F")
        width = max(1, BLOCK_VALUES // n)
        for first in range(0, p, width):
            block = slice(first, first + width)
            Z = np.ascontiguousarray((problem.X[problem.used, block] - self.mean[block]) * self.varies[block])
            dsyrk(1.0, Z.T, 1.0, self.products, trans=1, lower=1, overwrite_c=1)
        self.products += np.tril(self.products, -1).T

    def times(self, V):
        """Return X~ V for V of shape (n_features, m). Half a pass."""
        V = V * self.varies[:, None]
        return np.concatenate([block @ V for _, block in self.problem.blocks()]) - self.mean @ V

    def transposed_times(self, U):
        """Return X~' U for U of shape (n_samples, m). Half a pass."""
        out, first = -np.outer(self.mean, U.sum(axis=0)), 0
        for _, block in self.problem.blocks():
            out += block.T @ U[first : first + len(block)]
            first += len(block)
        return out * self.varies[:, None]


class RowFactor:
    """The inverse of the Hessian of F in scaled columns, of K outputs, of which those of "squared" are one: K = 1.

    The Hessian of the loss of row i in its raw predictions is L_i L_i', of shape (K, K). With U the matrix of the n K
    columns L_i (x) x~_i, x~_i the centred row, not scaled, the matrix

        M = I + 1 / (n alpha) U' U,    in blocks    (U' U)_ij = x~_i . x~_j L_i' L_j,

    has a Cholesky factor whatever X is. The block of the coefficients has the inverse

        A^-1 = 1/alpha (I - 1 / (n alpha) U M^-1 U') ,

    and the intercepts, which are not penalised, have the Schur complement 1/n L' M^-1 L, L the L_i' one below another.
    """

    def __init__(self, rows, scale, roots, alpha):
        self.rows, self.scale, self.L = rows, scale[:, None], roots
        n, K = roots.shape[:2]
        self.stacked = stacked = roots.transpose(0, 2, 1).reshape(-1, K)
        trace = np.diag(rows.products) @ (roots**2).sum(axis=(1, 2))  # of U'U, at least its largest eigenvalue
        self.alpha = max(alpha, RANK_TOLERANCE * trace / n)  # a smaller penalty is a rounding error of M
        self.is_whole = self.alpha == alpha
        M = stacked @ stacked.T
        blocks = M.reshape(n, K, n, K)
        blocks *= rows.products[:, None, :, None]  # in place: M may be the largest array of a fit
        M /= n * self.alpha
        self.M = Triangle(len(M), dtrttf(M.T, uplo="L")[0])
        self.M.set_diagonal(1 + self.M.diagonal())
        self.M.cholesky()
        self.of_intercepts = self.M.solve(stacked)
        schur = stacked.T @ self.of_intercepts / n
        self.schur_inverse = np.linalg.pinv(schur, rcond=RANK_TOLERANCE, hermitian=True)  # none moves all classes

    def solve(self, g):
        """Return the product with g of shape (K q,) or (K q, m), q = n_features + 1."""
        n, K = self.L.shape[:2]
        blocks = g.reshape(K, len(self.scale) + 1, -1)
        v, g_b = self.scale * blocks[:, :-1], blocks[:, -1]
        a = self.M.solve(self._transposed_times(v) / self.alpha)
        b = np.zeros_like(g_b)
        if self.rows.problem.fit_intercept:
            b = self.schur_inverse @ (g_b - self.stacked.T @ a / n)
            a += self.of_intercepts @ b
        w = self.scale / self.alpha * (v - self._times(a) / n)
        return np.concatenate([w, b[:, None]], axis=1).reshape(g.shape)

    def _transposed_times(self, v):
        """Return U' v for v of shape (K, p, m): (n K, m)."""
        K, p, m = v.shape
        products = self.rows.times(v.transpose(1, 0, 2).reshape(p, K * m))
        return (self.L.transpose(0, 2, 1) @ products.reshape(-1, K, m)).reshape(-1, m)

    def _times(self, a):
        """Return U a for a of shape (n K, m): (K, p, m)."""
        K, m = self.L.shape[1], a.shape[1]
        products = self.L @ a.reshape(-1, K, m)
        return self.rows.transposed_times(products.reshape(-1, K * m)).reshape(-1, K, m).transpose(1, 0, 2)
