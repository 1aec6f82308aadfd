"""The Hessian of F as a matrix: formed from rows that are centred and scaled, factorised, applied to gradients.

In columns x~ = (x - mean) / scale, w~ = scale w and b~ = b + mean . w, F is the same function, and its Hessian has a
diagonal of about 1: the rounding errors of its factor then are those of the problem, not of the units of X.
"""

from copy import copy
from functools import partial

import numpy as np
import scipy.linalg
from scipy.special import softmax

from skvr._validation import FLOAT64
from skvr.smoothness import CURVATURE, refuse_overflow
from skvr.solvers.triangle import RANK_TOLERANCE, Triangle, sum_of_products
from skvr.solvers.woodbury import CentredRows, has_fewer_rows, is_cheap_by_rows

# Costs in values of X read by a pass: a multiply-add of BLAS, a value scaled for it, one of scattered values, and what
# the loss of a row costs an output beside its values. A pass takes a value of sparse rows as long as SPARSE of dense
# ones: beside it rows that are filled for BLAS cost so much less.
BLAS = 1 / 8
PACKED = 3
SCATTERED = 0.7
LOSS = 8
SPARSE = 4
# Columns up to which a kernel forms a Gram matrix in less time than BLAS; the products of one call, some 1 to 10 ms;
# and columns up to which a row takes as long as with so many.
KERNEL_COLUMNS, PRODUCTS, NARROW = 128, 2**26, 16
SCATTERED_VALUES = 2**24  # products of one kernel call: some 10 ms, between which Python sees Ctrl-C
# Values of a block of scaled rows, 0.5 MB, which stays in the cache between its making and the product; and its fewest
# rows, since every product reads and writes the whole matrix.
PACKED_VALUES, PACKED_ROWS = 2**16, 64
SURE_PENALTY = 100 * RANK_TOLERANCE  # beside a diagonal of 1


class Columns:
    """What centres and scales the columns of X: from weighted moments, to unit curvature, penalty included."""

    def __init__(self, problem):
        mean, variance = problem.column_moments()
        refuse_overflow(problem, problem.n_samples * (mean**2 + variance).sum())
        if not problem.fit_intercept:
            variance += mean**2
            mean = np.zeros_like(mean)
        self.mean, self.variance = mean, variance
        self.scale = self._scale(CURVATURE[problem.loss], problem.alpha.min())
        # With an intercept a constant column is zero once centred, not the rounding errors of centring it.
        self.empty = (variance == 0) & (mean != 0) & bool(problem.fit_intercept)
        self.data_scale = np.where(self.empty, np.inf, self.scale)
        # Where no mean is large beside its column's variation, centring may follow the sums.
        self.nearly_centred = bool(np.all(mean**2 <= 100 * variance, where=~self.empty))
        self._rows = self._triangle = None

    def _scale(self, curvature, penalty):
        scale = np.sqrt(curvature * self.variance + penalty)
        scale[scale == 0] = 1.0
        return scale

    def rows(self, problem):
        """Return the `CentredRows` of a problem, made once."""
        if not self.has_rows(problem):
            self._rows = CentredRows(problem, self)
        return self._rows

    def has_rows(self, problem):
        """Whether there are its `rows` already."""
        return self._rows is not None and self._rows.problem is problem

    def triangle(self, n):
        """Return a `Triangle` of n rows of zeros, in the place of the last where that had as many.

        A fit drops a matrix before it forms the next. Were its place given back in between, small arrays would settle
        in it, and the next triangle would take another.
        """
        if self._triangle is None or self._triangle.n != n:
            self._triangle = Triangle(n)
        self._triangle.values[:] = 0
        return Triangle(n, self._triangle.values)

    def scaled(self, problem, curvature):
        """Return what scales the columns to unit curvature where that of the loss is `curvature` on average."""
        columns = copy(self)
        columns.scale = self._scale(curvature, problem.alpha.min())
        return columns

    def unscaled(self):
        """Return what centres the columns alone."""
        columns = copy(self)
        columns.scale = np.ones_like(self.scale)
        return columns

    def of_no_effect(self, p):
        """Return what leaves p columns as they are."""
        columns = copy(self)
        columns.mean, columns.scale, columns.empty = np.zeros(p), np.ones(p), np.zeros(p, dtype=bool)
        return columns

    def penalty(self, alpha):
        """Return the penalty's curvature in w~ and b~: alpha / scale^2, and 0."""
        return np.append(alpha / self.scale**2, 0.0)

    def to_scaled(self, problem, gradient, theta):
        """Return a gradient, flat as theta, in w~ and b~, shape (n_outputs, n_features + 1): (g_w - mean g_b) / scale.

        Of a constant column nothing is left but its penalty.
        """
        g_b = problem.intercept(gradient)
        out = np.empty((problem.n_outputs, problem.n_features + 1))
        g = out[:, :-1]
        np.divide(problem.coef(gradient) - g_b[:, None] * self.mean, self.scale, out=g)
        if self.empty.any():
            penalty = problem.alpha[:, None] * problem.coef(theta)[:, self.empty]
            g[:, self.empty] = penalty / self.scale[self.empty]
        out[:, -1] = g_b
        return out

    def from_scaled(self, problem, step):
        """Return a step in w~ and b~ as a step in theta."""
        out = problem.zeros()
        w = step[:, :-1] / self.scale
        problem.coef(out)[:] = w
        if problem.fit_intercept:
            problem.intercept(out)[:] = step[:, -1] - w @ self.mean
        return out


def gram(problem, columns, weight):
    """Return the `Triangle` of mean_i weight_i (x~_i, 1)(x~_i, 1)'; `weight` has an entry a row of X."""
    if _cost_of_scattering(problem) < _cost_of_packing(problem, 1) and columns.nearly_centred:
        return _scattered_gram(problem, columns, weight)
    return packed_gram(problem, columns, np.sqrt(weight)[:, None])


def packed_gram(problem, columns, root):
    """Return the `Triangle` of Z'Z / n, the rows of Z being root_ik (x~_i, 1) for all k side by side."""
    size = root.shape[1] * (problem.n_features + 1)
    mean, inverse_scale = columns.mean, 1 / columns.data_scale
    if size <= KERNEL_COLUMNS:
        out, flat = Triangle(size), root.ravel()
        for rows in problem.row_slices(PRODUCTS // max(size, NARROW) ** 2):
            problem.kernels.add_packed_gram(rows, flat, mean, inverse_scale, out.values)
        out.values /= problem.n_samples
        return out
    height = max(PACKED_ROWS, PACKED_VALUES // size)
    block = np.empty((min(height, problem.n_samples), size))

    def scaled_rows(rows):
        Z = block[: len(rows)]
        problem.kernels.scaled_rows(rows, root[rows].ravel(), mean, inverse_scale, Z.ravel())
        return Z

    blocks = map(scaled_rows, problem.row_slices(height))
    return sum_of_products(size, blocks, 1 / problem.n_samples, columns.triangle)


def _scattered_gram(problem, columns, weight):
    """Gram matrix of the sparse rows as they are, centred and scaled afterwards."""
    p = problem.n_features
    out = columns.triangle(p + 1)
    products = _squared_nonzeros(problem).sum() / problem.n_samples
    for rows in problem.row_slices(max(1, int(SCATTERED_VALUES / max(1.0, products)))):
        problem.kernels.add_gram(rows, weight[rows], out.values)
    out.values /= problem.n_samples
    # sum of (x - m)(x - m)' = sum of x x' - s m' - m s' + total m m', for x and m with an entry 1 and 0 at their end
    sums = out.values[out.position(p, np.arange(p + 1))]
    mean = np.append(columns.mean, 0.0)
    centred = sums - sums[-1] * mean
    for i, rows, entries in out.runs():
        entries -= sums[i] * mean[rows]
        entries -= mean[i] * centred[rows]
    out.scale(np.append(1 / columns.data_scale, float(problem.fit_intercept)))
    return out


def hessian(problem, columns, z):
    """Return the `Triangle` of the Hessian of the mean weighted loss at raw predictions z, intercepts last.

    For K classes with probabilities p it consists of K x K blocks X' diag(w (p_k [k = m] - p_k p_m)) X / n: those off
    the diagonal are -Z'Z with Z the K matrices sqrt(w) p_k X side by side, those on it are formed apart, where
    p_k (1 - p_k) keeps its digits. For "squared" it is X' diag(w) X / n, for every target alike.
    """
    if problem.loss != "softmax":
        return gram(problem, columns, weight_of_rows(problem, z))
    K, q = problem.n_outputs, problem.n_features + 1
    p = probabilities(problem, z)
    H = packed_gram(problem, columns, np.sqrt(problem.weight)[:, None] * p)
    H.values *= -1
    others = p @ (1 - np.eye(K))
    i, j = (index.astype(np.int32) for index in np.nonzero(np.tri(q, dtype=bool)))
    in_block = Triangle(q).position(i, j)
    for k in range(K):
        own = gram(problem, columns, problem.weight * p[:, k] * others[:, k])
        H.values[H.position(k * q + i, k * q + j)] = own.values[in_block]
    return H


def class_covariance(problem, z):
    """Return the mean of w_i (diag(p_i) - p_i p_i') over the rows, K x K, and the share of each row in its trace.

    p are the probabilities of the classes at raw predictions z.
    """
    K = problem.n_outputs
    products, trace = np.zeros((K, K)), np.zeros(len(problem.weight))
    # Their probabilities, products and squares take as much as a block of packed rows, or as A.
    for rows in problem.row_slices(max(K, PACKED_VALUES // (4 * K))):
        p, weight = probabilities(problem, z.reshape(-1, K)[rows]), problem.weight[rows]
        products += (p * weight[:, None]).T @ p
        trace[rows] = weight * (1 - (p * p).sum(axis=1))
    np.fill_diagonal(products, 0.0)
    A = np.diag(products.sum(axis=1)) - products  # p_k (1 - p_k) from the other classes: 1 - p_k would lose its digits
    return A / problem.n_samples, trace / max(trace.sum() / problem.n_samples, FLOAT64.tiny)


def gram_product(problem, weight, V):
    """Return mean_i weight_i (x_i, 1)(x_i, 1)' V, the columns as they are."""
    out = np.zeros_like(V)
    for rows, block in problem.blocks():
        u = weight[rows, None] * (block @ V[:-1] + problem.fit_intercept * V[-1])
        out[:-1] += block.T @ u
        out[-1] += problem.fit_intercept * u.sum(axis=0)
    return out / problem.n_samples


def probabilities(problem, z):
    """Return those of the K classes at raw predictions z, shape (n_samples in X, K)."""
    return softmax(z.reshape(-1, problem.n_outputs), axis=1)


def weight_of_rows(problem, z):
    """Return the weights of the rows in the Hessian of one output: w_i times the second derivative of the loss at z."""
    if problem.loss != "logistic":
        return problem.weight
    size = problem.residual(z)  # w p, of which p (1 - p) is the curvature: to an absolute eps where p is nearly 1
    np.abs(size, out=size)
    return size * (1 - size / np.maximum(problem.weight, FLOAT64.tiny))


def roots_of_rows(problem, z):
    """Return L_i with L_i L_i' the Hessian of row i's weighted loss in its raw predictions, of shape (n, K, K).

    For "squared" it is that of one target, K = 1.
    """
    if problem.loss != "softmax":
        return np.sqrt(weight_of_rows(problem, z)[problem.used])[:, None, None]
    p = probabilities(problem, z)[problem.used]
    root = np.sqrt(p)
    L = root[:, None] * (np.eye(problem.n_outputs) - p[:, :, None])  # (I - p 1') diag(root)
    return np.sqrt(problem.weight[problem.used])[:, None, None] * L


def factorise(form, levels, penalties):
    """Return a `Factor` of level H + penalty for each level and penalty, H = form() a `Triangle`.

    Where the penalty alone makes sure that there is a Cholesky factor, the last takes the place of H.
    """
    H = form()
    factors = []
    for level, penalty in zip(levels, penalties, strict=True):
        if len(factors) == len(levels) - 1 and penalty[:-1].min() > SURE_PENALTY:
            H.values *= level
            factors.append(Factor(H, penalty, lambda level=level: form().times(level)))
        else:
            factors.append(Factor(H.times(level), penalty, partial(H.times, level)))
    return factors


class Factor:
    """A factorised Hessian plus penalty: Cholesky, or the eigenpairs that are not rounding errors where singular.

    Parameters
    ----------
    H : Triangle
        Of B blocks of q rows; overwritten.
    penalty : ndarray of shape (q,)
        Added to the diagonal of every block.
    anew : callable
        Returns H as it was, which is needed where it has no Cholesky factor.
    """

    def __init__(self, H, penalty, anew):
        self._to_unit_diagonal(H, penalty)
        self.cholesky = self.eigenpairs = None
        if H.cholesky() and H.diagonal().min() ** 2 > RANK_TOLERANCE:
            self.cholesky = H
            return
        H = anew()
        self._to_unit_diagonal(H, penalty)
        values, vectors = scipy.linalg.eigh(H.square(), lower=True, overwrite_a=True)
        kept = values > RANK_TOLERANCE * values[-1]
        self.eigenpairs = values[kept], vectors[:, kept]

    @property
    def is_whole(self):
        """Whether no eigenvalue was left out."""
        return self.eigenpairs is None

    def _to_unit_diagonal(self, H, penalty):
        """Add the penalty; scale H to a diagonal of 1, and keep the scale."""
        q = len(penalty)
        diagonal = H.diagonal().reshape(-1, q) + penalty
        B = len(diagonal)
        if B > 1:  # moving all classes together changes nothing, and the gradient has no part in it: give it curvature
            common = diagonal.sum(axis=0) / B**2
            k, m = np.nonzero(np.tri(B, k=-1))
            of_block = np.arange(q)
            H.add_at(q * k[:, None] + of_block, q * m[:, None] + of_block, common)
            diagonal += common
        diagonal = diagonal.ravel()
        unused = diagonal <= 0  # no data and no penalty: no gradient and no step
        diagonal[unused] = 1.0
        self.scale = 1 / np.sqrt(diagonal)
        H.scale(self.scale)
        H.set_diagonal(np.ones(H.n))

    def solve(self, g):
        """Return H^-1 g for g of shape (B q,) or (B q, m)."""
        g = (self.scale * g.T).T
        if self.cholesky is not None:
            solution = self.cholesky.solve(g)
        else:
            values, vectors = self.eigenpairs
            solution = vectors @ ((vectors.T @ g).T / values).T
        return (self.scale * solution.T).T


def cost_of_pass(problem):
    """Return what a gradient over the rows costs, in values of X read."""
    K = problem.n_outputs
    values = problem.values_per_row
    products = K if problem.is_sparse else min((1 + K) / 2, 4.5 + K * BLAS)  # a row is read once; BLAS for many
    return problem.n_samples * (products * values + K * LOSS)


def cost_of_gram(problem, columns=None, share=1.0):
    """Return what a Gram matrix and its factor cost, in values of X read; with products of rows that `columns` has.

    A matrix of the columns may be of a share of the rows.
    """
    return _cost_of_rows(problem, columns) if is_cheap_by_rows(problem) else _cost_of_gram_of_columns(problem, share)


def cost_of_hessian(problem, columns=None):
    """Return what the Hessian and its factor cost, in values of X read."""
    if has_fewer_rows(problem):
        return _cost_of_rows(problem, columns)
    if problem.loss != "softmax":
        return _cost_of_gram_of_columns(problem)
    q, K = problem.n_features + 1, problem.n_outputs
    return K * _cost_of_gram_of_columns(problem) + _cost_of_packing(problem, K) + (K * q) ** 3 / 3 * BLAS


def _cost_of_rows(problem, columns):
    n = problem.n_samples
    N = n * problem.n_outputs if problem.loss == "softmax" else n
    products = 0.0 if columns is not None and columns.has_rows(problem) else n * problem.n_features * (n / 2 * BLAS + 1)
    return products + N**3 / 3 * BLAS


def _cost_of_gram_of_columns(problem, share=1.0):
    gram = min(_cost_of_packing(problem, 1), _cost_of_scattering(problem))
    return share * gram + (problem.n_features + 1) ** 3 / 3 * BLAS


def _cost_of_packing(problem, blocks):
    size = blocks * (problem.n_features + 1)
    cost = problem.n_samples * (size**2 / 2 * BLAS + PACKED * size)
    return cost / SPARSE if problem.is_sparse else cost


def _cost_of_scattering(problem):
    if not problem.is_sparse:
        return np.inf
    return SCATTERED * _squared_nonzeros(problem).sum() / 2 + problem.n_features**2


def _squared_nonzeros(problem):
    """Return the squared number of stored values of each row of positive weight."""
    return np.diff(problem.X.indptr)[problem.used].astype(np.float64) ** 2
