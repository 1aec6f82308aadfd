"""Batch sizes: how many rows a step takes, fixed or growing from epoch to epoch."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

from skvr._validation import check_number

# Up to this many rows an automatic batch is the whole data: the step is then deterministic, and costs microseconds.
WHOLE_BATCH = 256
DEFAULT_BATCH = 32
GAIN = 0.5  # the largest E ||e_k||^2 / ||grad F||^2 of an adaptive batch: the square of the theta of Byrd et al. (2012)


class BatchSize(BaseEstimator):
    """A batch that grows: hyper-parameters only. `start` is a batch size as the solver takes it."""

    def check(self):
        """Raise unless every hyper-parameter is valid."""
        check_batch_size(self.start, f"start of {type(self).__name__}", may_grow=False)

    def next(self, problem, first, batch, epoch, measure):
        """Return the batch size after `epoch` epochs, from the `first` and the last one.

        `measure` is a function that returns ||grad F||^2 and the variance of a single row's gradient at the iterate.
        """
        raise AssertionError("abstract")


class GeometricBatch(BatchSize):
    """A batch of start rate^epoch rows, rounded up to n over a whole number, at most all rows.

    The error e_k of a batch gradient falls as 1 / batch: ||e_k||^2 = O(rate^-epoch) then keeps pace with a method that
    without error would converge linearly.

    Parameters
    ----------
    start : int, float or "auto", default="auto"
        The first batch size: rows, a share of the rows in (0, 1), or the solver's own.
    rate : float, default=1.2
        Growth per epoch, at least 1.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "Effect of error on convergence rate". M. Friedlander and M. Schmidt, "Hybrid
    deterministic-stochastic methods for data fitting", 2012, section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = LogisticRegression(C=0.01, solver="minibatch", step_size=0.1, batch_size=solvers.GeometricBatch(8))
    >>> clf = clf.set_params(tol=1e-3, random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-3)
    True
    """

    def __init__(self, start="auto", rate=1.2):
        self.start = start
        self.rate = rate

    def check(self):
        super().check()
        check_number("rate of GeometricBatch", self.rate, low=1)

    def next(self, problem, first, batch, epoch, measure):
        n, exponent = problem.n_samples, epoch * math.log(self.rate)
        if exponent >= math.log(n / first):
            return n
        return _alike(int(first * math.exp(exponent)), n)


class AdaptiveBatch(BatchSize):
    """A batch that grows when the error of its gradient dominates: E ||e_k||^2 > ||grad F||^2 / 2.

    With step 1/L the lecture's descent inequality loses ||e_k||^2 / (2L) where it gains ||grad F||^2 / (2L). Both are
    measured after every epoch, exactly and over all rows, for one pass that `history_` counts; the batch becomes the
    smallest for which the gain is twice the loss, rounded up to n over a whole number, and never shrinks. (Where a
    batch stalls E ||grad F||^2 is at most E ||e_k||^2; a gain that only balances the loss would let it stall there.)

    Parameters
    ----------
    start : int, float or "auto", default="auto"
        The first batch size: rows, a share of the rows in (0, 1), or the solver's own.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if `start` is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "Effect of error on convergence rate". R. Byrd, G. Chin, J. Nocedal and Y. Wu,
    "Sample size selection in optimization methods for machine learning", 2012, eq. 3.4.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = LogisticRegression(C=0.01, solver="minibatch", step_size=0.1, batch_size=solvers.AdaptiveBatch(8))
    >>> clf = clf.set_params(tol=1e-3, random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-3)
    True
    """

    def __init__(self, start="auto"):
        self.start = start

    def next(self, problem, first, batch, epoch, measure):
        n = problem.n_samples
        if batch == n:
            return n
        square, variance = measure()
        # The error of b rows drawn without replacement: variance (n - b) / (b (n - 1)) <= square / 2.
        share = variance / (variance + (n - 1) * GAIN * square) if variance > 0 else 0.0
        smallest = max(batch, min(n, math.ceil(n * share)))
        return _alike(smallest, n)


def _alike(batch, n):
    """Return the batch enlarged so that those of an epoch are alike: a short last one would have a larger error."""
    return -(-n // (n // batch))


POLICIES = {"geometric": GeometricBatch(), "adaptive": AdaptiveBatch()}


def check_batch_size(batch_size, name="batch_size", may_grow=True):
    """Raise unless `batch_size` is a positive integer, a share in (0, 1), "auto", or a policy if it may grow."""
    if may_grow and isinstance(batch_size, BatchSize):
        batch_size.check()
        return
    names = ["auto", *POLICIES] if may_grow else ["auto"]
    accepted = (
        f"{name} must be a positive integer (rows), a share of the rows in (0, 1), or one of {names}, "
        f"got {batch_size!r}"
    )
    if isinstance(batch_size, (bool, np.bool_)) or not isinstance(batch_size, (str, Real)):
        raise TypeError(f"{accepted} of type {type(batch_size).__name__}.")
    if isinstance(batch_size, str):
        valid = batch_size in names
    else:
        valid = batch_size >= 1 if isinstance(batch_size, Integral) else 0 < batch_size < 1
    if not valid:
        raise ValueError(f"{accepted}.")


def get_policy(batch_size):
    """Return the policy object for `batch_size`, or None where it does not grow."""
    if isinstance(batch_size, str):
        return POLICIES.get(batch_size)
    return batch_size if isinstance(batch_size, BatchSize) else None


def batch_rows(batch_size, problem, automatic=DEFAULT_BATCH):
    """Return the number of rows of the first step: at most n, and all of them for "auto" where n <= 256."""
    n = problem.n_samples
    policy = get_policy(batch_size)
    if policy is not None:
        batch_size = policy.start
        automatic = min(automatic, max(1, n // 2))  # it is to grow
    elif batch_size == "auto" and n <= WHOLE_BATCH:
        return n
    if batch_size == "auto":
        batch_size = automatic
    return min(int(batch_size) if isinstance(batch_size, Integral) else max(1, round(batch_size * n)), n)
