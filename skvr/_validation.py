"""Checks of input that scikit-learn does not make: parameters, weights, the structure of sparse matrices."""

from functools import wraps
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight

FLOAT64 = np.finfo(np.float64)


def check_number(name, value, *, low=None, high=None, low_included=True, high_included=True, integer=False):
    """Raise unless `value` is a real number (an integer if `integer`) in the interval.

    Raises
    ------
    TypeError
        If the value is not a number of the kind.
    ValueError
        If it lies outside the interval or is nan.
    """
    kind = "an integer" if integer else "a number"
    interval = "".join(
        (
            "(" if low is None or not low_included else "[",
            "-inf" if low is None else f"{low}",
            ", ",
            "inf" if high is None else f"{high}",
            ")" if high is None or not high_included else "]",
        )
    )
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral if integer else Real):
        raise TypeError(f"{name} must be {kind} in {interval}, got {value!r} of type {type(value).__name__}.")
    above = low is None or value > low or (low_included and value == low)
    below = value < np.inf if high is None else value < high or (high_included and value == high)
    if not (above and below):
        raise ValueError(f"{name} must be {kind} in {interval}, got {value!r}.")


def check_count(name, value, kind, low):
    """Raise unless `value` is "auto" or an integer of at least `low`, called a `kind`."""
    accepted = f"{name} must be {kind} or 'auto', got {value!r}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (str, Integral)):
        raise TypeError(f"{accepted} of type {type(value).__name__}.")
    if not (value == "auto" if isinstance(value, str) else value >= low):
        raise ValueError(f"{accepted}.")


def check_flag(name, value):
    """Raise TypeError unless `value` is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_option(name, value, options):
    """Raise ValueError unless `value` is one of the `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {sorted(options)}, got {value!r}.")


def check_sparse_structure(X):
    """Raise ValueError if the index arrays of a sparse X contradict its shape.

    scipy and the kernels trust these arrays; a wrong one would read outside memory.
    """
    if not sp.issparse(X):
        return
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, got a sparse array of shape {X.shape}.")
    n_rows, n_columns = X.shape
    if X.format in ("csr", "csc"):
        major, minor = (n_rows, n_columns) if X.format == "csr" else (n_columns, n_rows)
        _check_compressed(X, major, minor, "row" if X.format == "csc" else "column")
    elif X.format == "bsr":
        height, width = X.blocksize
        _check_compressed(X, n_rows // height, n_columns // width, "block column")
    elif X.format == "coo":
        row, col = X.row, X.col
        if not len(row) == len(col) == len(X.data):
            raise ValueError(
                f"X.row, X.col and X.data must be equally long, got {len(row)}, {len(col)}, {len(X.data)}."
            )
        _check_range(row, n_rows, "row")
        _check_range(col, n_columns, "column")


def _check_compressed(X, major, minor, name):
    indptr, indices = np.asarray(X.indptr), np.asarray(X.indices)
    _check_index_type("indptr", indptr)
    _check_index_type("indices", indices)
    if indptr.shape != (major + 1,):
        raise ValueError(f"X.indptr must have shape ({major + 1},) for X of shape {X.shape}, got {indptr.shape}.")
    if indices.ndim != 1 or len(indices) != len(X.data):
        raise ValueError(
            f"X.indices and X.data must be equally long, got shapes {indices.shape} and {np.shape(X.data)}."
        )
    if indptr[0] != 0 or indptr[-1] > len(indices):
        raise ValueError(
            f"X.indptr must run from 0 to at most the number of entries, {len(indices)}; got {indptr[0]} to "
            f"{indptr[-1]}."
        )
    if np.any(indptr[1:] < indptr[:-1]):
        at = int(np.flatnonzero(indptr[1:] < indptr[:-1])[0])
        raise ValueError(
            f"X.indptr must not decrease, but goes from {indptr[at]} to {indptr[at + 1]} at position {at}."
        )
    _check_range(indices[: indptr[-1]], minor, name)


def _check_index_type(name, indices):
    if indices.dtype not in (np.int32, np.int64):
        raise ValueError(
            f"X.{name} must hold 32- or 64-bit integers, got {indices.dtype}. The constructors of scipy.sparse, for "
            "example csr_array((data, indices, indptr)), make them so."
        )


def _check_range(indices, limit, name):
    if len(indices) and not (indices.min() >= 0 and indices.max() < limit):
        bad = indices[(indices < 0) | (indices >= limit)][0]
        raise ValueError(f"X has a {name} index {bad}; with {limit} {name}s it must lie in 0 .. {limit - 1}.")


def canonical(X):
    """Return X, or the arrays of a CSR matrix in canonical format (sorted, no duplicates); else a cleaned copy.

    Duplicates stand for their sum, which the kernels' row norms would miss.
    """
    if not sp.issparse(X):
        return X
    fresh = sp.csr_matrix(X.shape, dtype=X.dtype)  # does not trust X's cached flags
    fresh.data, fresh.indices, fresh.indptr = X.data, X.indices, X.indptr  # its constructor would copy 64-bit indices
    if not fresh.has_canonical_format:
        fresh = fresh.copy()
        fresh.sum_duplicates()
        if not np.all(np.isfinite(fresh.data)):
            raise ValueError("Duplicate entries of X add up to a value that is not finite.")
    if fresh.indices.dtype != fresh.indptr.dtype:
        fresh.indices = fresh.indices.astype(fresh.indptr.dtype)
    return fresh


def check_sample_weight(sample_weight, X):
    """Return the weights as float64, refusing negative ones and a sum that is zero or not a normal number.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, if there is not one a row, or if float64 cannot hold their sum.
    """
    if sample_weight is None:
        return np.ones(X.shape[0])
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if np.any(weight < 0):
        row = int(np.flatnonzero(weight < 0)[0])
        raise ValueError(
            f"sample_weight must not be negative, got {weight[row]} for row {row}: the loss would be unbounded below. "
            "Give the row weight 0 to leave it out."
        )
    if not np.any(weight > 0):
        raise ValueError("sample_weight is zero for every row; at least one weight must be positive.")
    check_total_weight("sample_weight", weight)
    return weight


def check_total_weight(name, weight):
    """Raise ValueError unless float64 holds the sum of the weights: a subnormal one has lost digits."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not FLOAT64.tiny <= total <= FLOAT64.max:
        raise ValueError(
            f"{name} adds up to {total:g}, but must add up to {FLOAT64.tiny:.1e} to {FLOAT64.max:.1e}, more than which "
            "float64 cannot hold and less not to all digits. Scale the weights, and C or alpha with them."
        )


def unchanged_on_failure(method):
    """Decorate a method that puts the estimator's attributes back if it raises, Ctrl-C included."""

    @wraps(method)
    def unchanged(self, *args, **kwargs):
        before = vars(self).copy()
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return unchanged
