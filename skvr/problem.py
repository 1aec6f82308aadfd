"""The finite sum F(w, b) that every solver minimises: data, objective, gradient.

    F(w, b) = 1/S sum_i s_i loss(y_i, x_i . w + b) + alpha/2 ||w||^2,    S = sum_i s_i

The intercept b is not penalised. Internally the weights are w_i = s_i n / S, with mean 1, so that
f_i = w_i loss_i + alpha/2 ||w||^2 and F is the plain mean of the f_i.
"""

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs

from skvr import _kernels
from skvr.parameters import Parameters

# Work of one kernel call, in multiply-adds: some 5 to 25 ms. Between calls Python sees Ctrl-C; and since the slices
# depend on the data alone, sums over slices have the same bits for any number of threads.
SLICE_WORK = 2**22
ROW_WORK = 16  # what a row costs beside its non-zeros, in multiply-adds per output
EPS, TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny
THREADS_SLICES = 4  # as long is a call that starts threads, which takes up to a tenth of a millisecond each
BLOCK_VALUES = 2**18  # values of X that are held as float64 at a time: 2 MB
FEW_ROWS = 64  # whose mean is what moments are taken about
FAR = 100  # how many variances the square of a mean may be from that: as many roundings the variance then has
# Outputs up to which the kernels take dense rows in less time than matrix products do; up to which these take fewer
# values at a time, since OpenBLAS multiplies small matrices as they are, in half the time; and the fewest rows.
KERNEL_OUTPUTS, SMALL_OUTPUTS = 10, 32
SMALL_PRODUCT_VALUES, FEWEST_ROWS = 2**15, 16


def _map_on_threads(function, items, n_threads):
    """Yield the results in order. Plain threads: joblib takes longer to start its own than most passes take."""
    with ThreadPoolExecutor(n_threads) as pool:
        yield from pool.map(function, items)


class FiniteSum(Parameters):
    """The objective F over the rows with positive weight.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), C-ordered, or CSR matrix in canonical format
        The rows, float32 or float64. Never copied.
    y : ndarray of float64
        Labels -1 and 1 ("logistic"), class numbers ("softmax"), or targets of shape (n_samples, n_targets)
        ("squared").
    sample_weight : ndarray of shape (n_samples,), float64
        The s_i, at least one positive. Rows of weight zero are left out.
    alpha : ndarray of shape (n_outputs,), float64
        The alpha of F; targets of "squared" may differ in it.
    loss : {"logistic", "softmax", "squared"}
        The loss; see `skvr/cpp/losses.hpp`.
    fit_intercept : bool
        Whether b is fitted; else it stays 0.
    n_jobs : int or None
        Threads for the passes over all rows, and for steps on large batches of dense rows.
    mean_weight : float or None
        For a chunk of more data: the mean of all weights, which the s_i are divided by. None: their own mean.
    """

    def __init__(self, X, y, sample_weight, alpha, loss, fit_intercept, n_jobs=None, mean_weight=None):
        self.is_chunk = mean_weight is not None
        self.X, self.loss, self.fit_intercept, self.n_jobs = X, loss, fit_intercept, n_jobs
        self.is_sparse = sp.issparse(X)
        self.n_features = X.shape[1]
        self.n_outputs = len(alpha)
        self.n_tasks = 1 if loss == "softmax" else self.n_outputs
        self.alpha = np.ascontiguousarray(alpha, dtype=np.float64)
        self.y = np.ascontiguousarray(y, dtype=np.float64)
        positive = sample_weight > 0
        self.rows = None if positive.all() else np.flatnonzero(positive).astype(np.int64)
        self.n_samples = int(np.count_nonzero(positive))
        if self.is_chunk:
            self.weight = sample_weight / mean_weight
        elif np.all(sample_weight == 1):  # as they are: no second array of n numbers
            self.weight = np.ascontiguousarray(sample_weight)
        else:  # by the largest first: a sum of weights may be subnormal or overflow where the weights do not
            relative = sample_weight / sample_weight.max()
            self.weight = relative * (self.n_samples / relative.sum())
        arguments = (loss, self.y.ravel(), self.weight, self.alpha, fit_intercept)
        if self.is_sparse:
            self.kernels = _kernels.csr(X.data, X.indices, X.indptr, self.n_features, *arguments)
        else:
            self.kernels = _kernels.dense(X, *arguments)
        self.values_per_row = X.nnz / X.shape[0] if self.is_sparse else self.n_features
        self._rows_per_block = max(1, int(BLOCK_VALUES / max(1.0, self.values_per_row)))
        self._multiplies = self.n_outputs > KERNEL_OUTPUTS and not self.is_sparse
        values = SMALL_PRODUCT_VALUES if self.n_outputs <= SMALL_OUTPUTS else BLOCK_VALUES
        self._rows_per_product = max(FEWEST_ROWS, int(values / max(1.0, self.values_per_row)))
        self._rows_per_slice = max(1, int(SLICE_WORK / (self.n_outputs * (self.values_per_row + ROW_WORK))))

    def subset(self, rows, weight):
        """Return the finite sum over `rows`, each of them `weight` times as heavy as here; X is shared."""
        subset = copy(self)
        for of_all_rows in ("squared_row_norms", "value_at_zero", "_row_numbers"):
            subset.__dict__.pop(of_all_rows, None)
        subset.rows, subset.n_samples = rows, len(rows)
        relative = self.weight[rows] * weight
        subset.weight = np.zeros_like(self.weight)
        subset.weight[rows] = relative * (len(rows) / relative.sum())
        subset.kernels = self.kernels.reweighted(subset.weight)
        return subset

    @property
    def size_of_X(self):
        """Bytes that X takes."""
        X = self.X
        return sum(a.nbytes for a in (X.data, X.indices, X.indptr)) if self.is_sparse else X.nbytes

    def copied(self, rows, weight):
        """Return the same as `subset`, with a copy of the rows: side by side a few are faster than where they were."""
        weight = self.weight[rows] * weight
        return FiniteSum(self.X[rows], self.y[rows], weight, self.alpha, self.loss, self.fit_intercept, self.n_jobs)

    def single_output(self):
        """Return the finite sum of the same rows and weights with one output and no penalty."""
        y, alpha = np.zeros(self.X.shape[0]), np.zeros(1)
        return FiniteSum(self.X, y, self.weight, alpha, "squared", self.fit_intercept, self.n_jobs)

    # The rows, whole or in slices

    def slices(self, order, batch=1):
        """Cut `order` in slices of about `SLICE_WORK`, whole batches each; of several where threads share a batch."""
        rows = self._rows_per_slice * (THREADS_SLICES if self.kernels.is_large_batch(batch) else 1)
        size = max(1, rows // batch) * batch
        return [order[first : first + size] for first in range(0, len(order), size)]

    def row_slices(self, size):
        """Yield the numbers of the rows of positive weight, in order, `size` at a time."""
        for first in range(0, self.n_samples, size):
            yield self._row_numbers[first : first + size]

    @cached_property
    def _row_numbers(self):
        return np.arange(self.n_samples, dtype=np.int64) if self.rows is None else self.rows

    @cached_property
    def n_threads(self):
        """Number of threads that may run, at least 1."""
        return effective_n_jobs(self.n_jobs)

    def _map_slices(self, function):
        """Return the results of `function` on the slices of all rows, in order, computed on `n_jobs` threads."""
        slices = self.row_slices(self._rows_per_slice)
        n_threads = 1 if self.n_samples <= self._rows_per_slice else self.n_threads
        return map(function, slices) if n_threads == 1 else _map_on_threads(function, slices, n_threads)

    def _mean_of_slices(self, function):
        """Return the sum of `function`, which returns new arrays, over the slices of all rows, divided by their number.

        It needs the memory of two: all gradients together may be more than X.
        """
        parts = self._map_slices(function)
        total = next(parts)
        for part in parts:
            total += part
        total /= self.n_samples
        return total

    @property
    def used(self):
        """What selects the rows of positive weight from an array with an entry a row."""
        return slice(None) if self.rows is None else self.rows

    def draw_from(self, positions):
        """Return the row numbers at `positions` among the rows of positive weight."""
        return positions if self.rows is None else self.rows[positions]

    def blocks(self):
        """Yield (row numbers, those rows of X as float64) for blocks of `BLOCK_VALUES` values."""
        for rows in self.row_slices(self._rows_per_block):
            yield rows, self._values(rows)

    def _values(self, rows):
        """Return the rows of X of a slice from `row_slices`, as float64; a view where they are that already."""
        selected = slice(rows[0], rows[-1] + 1) if self.rows is None else rows
        return self.X[selected].astype(np.float64, copy=False)

    # For dense rows and many outputs X W' and R' X are matrix products, a block of rows at a time.

    def _product_blocks(self, rows):
        for first in range(0, len(rows), self._rows_per_product):
            block = rows[first : first + self._rows_per_product]
            yield block, self._values(block)

    def _multiply(self, X, theta):
        return X @ self.coef(theta).T + self.intercept(theta)

    def _add_product(self, r, X, gradient):
        self.coef(gradient)[:] += r.T @ X
        if self.fit_intercept:
            self.intercept(gradient)[:] += r.sum(axis=0)

    # Passes over all rows

    def raw_prediction(self, theta, out=None):
        """Return x_i . w + b for every row: shape (n_samples in X, n_outputs), flat. Half an effective pass."""
        z = np.zeros(self.X.shape[0] * self.n_outputs) if out is None else out

        def predict(rows):
            if not self._multiplies:
                self.kernels.raw_predictions(rows, theta, z)
                return
            for block, X in self._product_blocks(rows):
                z.reshape(-1, self.n_outputs)[block] = self._multiply(X, theta)

        for _ in self._map_slices(predict):
            pass
        return z

    def residual(self, z, shift=None, out=None):
        """Return the derivatives of the weighted losses in the raw predictions z + shift, flat as `z`."""
        shift = np.zeros(self.n_outputs) if shift is None else shift
        out = np.zeros_like(z) if out is None else out
        for _ in self._map_slices(lambda rows: self.kernels.residuals(rows, z, shift, out)):
            pass
        return out

    def loss_gradient(self, residual):
        """Return the gradient of the mean weighted loss, 1/n sum_i r_i x_i, flat as theta. Half an effective pass."""

        def gradient(rows):
            out = self.zeros()
            if not self._multiplies:
                self.kernels.add_gradients(rows, residual, out)
                return out
            for block, X in self._product_blocks(rows):
                self._add_product(residual.reshape(-1, self.n_outputs)[block], X, out)
            return out

        return self._mean_of_slices(gradient)

    def residual_gradient(self, theta, out=None):
        """Return `residual` at theta, held in `out` if given, and its `loss_gradient`. One effective pass."""
        residual = np.zeros(self.X.shape[0] * self.n_outputs) if out is None else out
        r, no_shift = residual.reshape(-1, self.n_outputs), np.zeros(self.n_outputs)

        def gradient(rows):
            out = self.zeros()
            if not self._multiplies:
                self.kernels.residual_gradient(rows, theta, residual, out)
                return out
            for block, X in self._product_blocks(rows):
                r[block] = self._multiply(X, theta)
                self.kernels.residuals(block, residual, no_shift, residual)
                self._add_product(r[block], X, out)
            return out

        return residual, self._mean_of_slices(gradient)

    def evaluate(self, theta, z):
        """Return F of each task, shape (n_tasks,), and its gradient, flat as theta; fill `z` in.

        One effective pass; half at zero.
        """
        if not theta.any():
            z[:] = 0.0
            gradient = self.loss_gradient(self.residual(z, out=z))  # in place: no second array of n numbers
            z[:] = 0.0
            return self.value_at_zero, gradient

        def sums(rows):
            value, gradient = np.zeros(self.n_tasks), self.zeros()
            if not self._multiplies:
                self.kernels.evaluate(rows, theta, z, value, gradient)
                return value, gradient
            for block, X in self._product_blocks(rows):
                z.reshape(-1, self.n_outputs)[block] = self._multiply(X, theta)
                r = np.zeros((len(block), self.n_outputs))
                self.kernels.losses(block, z, value, r.ravel())
                self._add_product(r, X, gradient)
            return value, gradient

        value, gradient = np.zeros(self.n_tasks), self.zeros()
        for of_slice in self._map_slices(sums):  # added as they come: all gradients together may be more than X
            value += of_slice[0]
            gradient += of_slice[1]
        value = value / self.n_samples + self.by_task(self.penalty(theta))
        return value, gradient / self.n_samples + self.penalty_gradient(theta)

    def mean_loss(self, z):
        """Return the mean weighted loss at raw predictions z of each task, shape (n_tasks,)."""

        def sums(rows):
            value, residual = np.zeros(self.n_tasks), np.zeros(len(rows) * self.n_outputs)
            self.kernels.losses(rows, z, value, residual)
            return value

        return sum(self._map_slices(sums)) / self.n_samples

    def loss_in_shift(self, z, shift):
        """Return the mean weighted loss at z + shift with its gradient and Hessian in `shift`.

        Returns
        -------
        value : ndarray of shape (n_tasks,)
            One value for a classifier, one a target for "squared".
        gradient : ndarray of shape (n_outputs,)
        hessian : ndarray of shape (n_outputs, n_outputs)
            For "squared" of shape (1, 1): the targets have all the same, and none between them.
        """
        K, V = self.n_outputs, self.n_tasks
        C = K if self.loss == "softmax" else 1

        def sums(rows):
            out = np.zeros(V + K + C * C)
            self.kernels.loss_in_shift(rows, z, shift, out[:V], out[V : V + K], out[V + K :])
            return out

        total = sum(self._map_slices(sums)) / self.n_samples
        return total[:V], total[V : V + K], total[V + K :].reshape(C, C)

    def objective(self, theta):
        """Return F of each task, shape (n_tasks,)."""
        return self.mean_loss(self.raw_prediction(theta)) + self.by_task(self.penalty(theta))

    @cached_property
    def value_at_zero(self):
        """F of each task at theta = 0, shape (n_tasks,); costs no pass."""
        if self.loss == "squared":
            return self.weight @ self.y.reshape(-1, self.n_outputs) ** 2 / (2 * self.n_samples)
        return np.full(1, np.log(max(2, self.n_outputs)))  # log 2, or log K, whatever the labels are

    def gradient(self, theta):
        """Return the gradient of F, flat as theta. One effective pass."""
        return self.residual_gradient(theta)[1] + self.penalty_gradient(theta)

    @cached_property
    def squared_row_norms(self):
        """||x_i||^2 of every row of positive weight, shape (n_samples in X,); inf where it overflows."""
        return self.standardised_row_norms(np.zeros(self.n_features), np.ones(self.n_features))

    def standardised_row_norms(self, mean, scale):
        """Return ||(x_i - mean) / scale||^2 of every row of positive weight, shape (n_samples in X,). Half a pass."""
        norms = np.zeros(self.X.shape[0])
        for _ in self._map_slices(lambda rows: self.kernels.standardised_norms(rows, mean, 1 / scale, norms)):
            pass
        return norms

    def _moments(self, centre):
        """Return the weighted means of [x_j stored], x_j - centre_j and its square, the last two of stored values."""

        def sums(rows):
            out = np.zeros((3, self.n_features))
            self.kernels.add_moments(rows, centre, *out)
            return out

        return sum(self._map_slices(sums)) / self.n_samples

    def column_moments(self):
        """Return the weighted mean and variance of each column, the variance 0 where only rounding errors vary.

        Half an effective pass, about the mean of a few rows; as much again where that is far from a column's.
        """
        few = self.draw_from(np.linspace(0, self.n_samples - 1, min(self.n_samples, FEW_ROWS)).astype(np.int64))
        sums = np.zeros((3, self.n_features))
        self.kernels.add_moments(few, np.zeros(self.n_features), *sums)
        mean = sums[1] / max(self.weight[few].sum(), TINY)
        for _ in range(2):
            centre = mean
            stored, shift, square = self._moments(centre)
            missing = 1 - stored  # the zeros that CSR rows do not store
            missing[missing <= self.n_samples * EPS] = 0.0  # the rounding of the sum
            shift -= missing * centre
            mean = centre + shift
            variance = square + missing * centre**2 - shift**2
            rounding = (64 * EPS * mean) ** 2
            variance[variance <= rounding] = 0.0
            if np.all(shift**2 <= FAR * np.maximum(variance, rounding)):
                break
        return mean, variance

    def second_moment(self):
        """Return the weighted mean of x_ij^2 of each column, shape (n_features,). Half a pass."""
        return self._moments(np.zeros(self.n_features))[2]
