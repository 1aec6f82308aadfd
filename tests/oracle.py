"""The truth: minima in extended precision, and what a fit may and may not say of them.

`np.longdouble` has 64 bits of mantissa and the exponents of 1e4932 on x86; where it is float64 (some ARM, MSVC) the
comparisons hold too, with rounding errors 2000 times as large (`EPS_LONG` enters every one).
"""

import warnings

import numpy as np
import scipy.sparse as sp
from reference import Problem, split
from sklearn.exceptions import ConvergenceWarning

from skvr import LogisticRegression, RidgeClassifier

EPS_32, EPS, EPS_LONG = np.finfo(np.float32).eps, np.finfo(np.float64).eps, np.finfo(np.longdouble).eps
ROUNDING = 1e-12  # of F, by which it may rise and its gradient still fall
CURVATURE = {"logistic": 1 / 4, "softmax": 1 / 2, "squared": 1.0}


def problem_of(model, X, y, weight):
    """Return the reference problem that a fitted estimator solves, in float64."""
    X = (X.toarray() if sp.issparse(X) else np.asarray(X)).astype(np.float64)
    weight = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=np.float64)
    y = np.asarray(y)
    if isinstance(model, LogisticRegression):
        K = len(model.classes_)
        codes = np.searchsorted(model.classes_, y)
        loss, y = ("logistic", 2.0 * codes - 1) if K == 2 else ("softmax", codes.astype(float))
        with np.errstate(under="ignore"):
            alpha = np.full(1 if K == 2 else K, 1 / (model.C * weight.sum()))
        return Problem(X, y, weight, alpha, loss, model.fit_intercept)
    if isinstance(model, RidgeClassifier):
        K = len(model.classes_)
        y = 2.0 * (y[:, None] == (model.classes_[1:] if K == 2 else model.classes_)) - 1
    Y = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
    with np.errstate(under="ignore"):
        alpha = np.resize(np.asarray(model.alpha, dtype=np.float64), Y.shape[1]) / weight.sum()
    return Problem(X, Y, weight, alpha, "squared", model.fit_intercept)


class Long:
    """F of a reference problem in extended precision, at parameters x = (w, b) of shape (K, p + 1)."""

    def __init__(self, P):
        long = np.longdouble
        self.loss, self.alpha, self.fit_intercept = P.loss, P.alpha.astype(long), P.fit_intercept
        weight = P.sample_weight.astype(long)
        self.share = weight / weight.sum()
        self.X = np.hstack([P.X.astype(long), np.full((len(P.X), 1), long(P.fit_intercept))])
        self.penalty = np.append(np.ones(P.X.shape[1], long), 0) * self.alpha[:, None]
        self.y = P.y.astype(long)
        self.own = np.eye(len(P.alpha))[P.y.astype(int)].astype(long) if P.loss == "softmax" else None

    def terms(self, x):
        """Return the mean losses (n_tasks,), residuals (n, K) and curvatures (n, K, K), the weights included."""
        z = self.X @ x.T
        share = self.share[:, None]
        if self.loss == "squared":
            r = z - self.y
            h = np.broadcast_to(np.eye(z.shape[1]), (*z.shape, z.shape[1]))
            return (share * r**2).sum(axis=0) / 2, share * r, share[:, :, None] * h
        if self.loss == "logistic":
            t = -self.y[:, None] * z
            e = np.exp(-np.abs(t))
            sigma = np.where(t > 0, 1, e) / (1 + e)  # the probability of the other class
            value = np.maximum(t, 0) + np.log1p(e)
            return (share * value).sum(axis=0), -share * self.y[:, None] * sigma, (share * e / (1 + e) ** 2)[:, :, None]
        largest = np.eye(z.shape[1], dtype=bool)[z.argmax(axis=1)]
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        others = np.where(largest, 0, e).sum(axis=1, keepdims=True)  # they would lose their digits in 1 + others
        q = e / (1 + others)
        rest = np.where(largest, others, 1 + others - e) / (1 + others)  # 1 - q
        value = np.log1p(others[:, 0]) - (z * self.own).sum(axis=1)
        h = q[:, :, None] * np.where(np.eye(z.shape[1]), rest[:, :, None], -q[:, None, :])
        return (self.share @ value)[None], share * np.where(self.own, -rest, q), share[:, :, None] * h

    def objective(self, x):
        """Return F of each task."""
        penalty = (self.penalty * x**2).sum(axis=1) / 2
        return self.terms(x)[0] + (penalty if self.loss == "squared" else penalty.sum(keepdims=True))

    def newton(self, x, steps=100):
        """Return the parameters after damped Newton steps from `x` on F of all tasks; F rises by ROUNDING at most."""
        K, q = x.shape
        for _ in range(steps):
            _, r, h = self.terms(x)
            gradient = (r.T @ self.X + self.penalty * x).ravel()
            H = np.zeros((K, q, K, q), np.longdouble)
            for k in range(K):
                for m in range(K):
                    H[k, :, m] = (self.X * h[:, k, m, None]).T @ self.X
                H[k, :, k] += np.diag(self.penalty[k])
            if self.loss == "softmax":  # equal shifts of all classes change nothing: give them a curvature
                H[:, -1, :, -1] += np.longdouble(1) / K
            step = _solve(H.reshape(K * q, K * q), gradient).reshape(x.shape)
            before, eta = self.objective(x).sum(), np.longdouble(1)
            while not self.objective(x - eta * step).sum() < before and eta > 1e-12:
                eta /= 2
            if eta <= 1e-12:  # at its rounding errors, where the gradient may still fall
                eta, rise = np.longdouble(1), self.objective(x - step).sum() - before
                falls = self.gradient_square(x - step).sum() < self.gradient_square(x).sum() / 2
                if rise > ROUNDING * before or not falls:
                    break
            x = x - eta * step
        return x

    def minimum(self, x):
        """Return the better end of Newton from `x` and from 0: where a loss is saturated, Newton gets stuck."""
        return min(self.newton(x), self.newton(0 * x), key=lambda end: self.objective(end).sum())

    def gradient_square(self, x):
        """Return ||grad_w F||^2 + ||grad_b F||^2 of each task."""
        _, r, _ = self.terms(x)
        squares = ((r.T @ self.X + self.penalty * x) ** 2).sum(axis=1)
        return squares if self.loss == "squared" else squares.sum(keepdims=True)


def _solve(H, g):
    """Solve H x = g by Cholesky in extended precision, which LAPACK has not; directions of no curvature stay at 0."""
    scale = np.sqrt(np.diag(H))
    inverse = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0)
    A, b = inverse[:, None] * H * inverse, inverse * g
    L = np.zeros_like(A)
    for j in range(len(A)):
        pivot = A[j, j] - L[j, :j] @ L[j, :j]
        if pivot > 8 * EPS_LONG:
            L[j, j] = np.sqrt(pivot)
            L[j + 1 :, j] = (A[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
    used = np.flatnonzero(np.diag(L) > 0)
    x = np.zeros_like(b)
    for j in used:
        x[j] = (b[j] - L[j, :j] @ x[:j]) / L[j, j]
    for j in used[::-1]:
        x[j] = (x[j] - L[j + 1 :, j] @ x[j + 1 :]) / L[j, j]
    return inverse * x


def parameters(model):
    """Return the (w, b) of a fitted estimator, shape (K, p + 1), in extended precision."""
    W = np.atleast_2d(model.coef_).astype(np.longdouble)
    b = np.broadcast_to(np.atleast_1d(model.intercept_).astype(np.longdouble), len(W))
    return np.column_stack([W, b])


def gradient_error(P, x):
    """Return a bound of the rounding error of ||grad F|| in float64, shape (n_tasks,).

    A sum of m products is off by at most m eps times the sum of their sizes. That is p + 2 products in z_i, whose error
    passes through the loss with its curvature c, and n in a gradient entry; 8 more for the residual and the weights.
    The entries of b stand for the error of a best intercept.
    """
    X = np.hstack([np.abs(P.X), np.full((len(P.X), 1), float(P.fit_intercept))])
    n, q = P.n, X.shape[1]
    x = x.astype(np.float64)
    z = X @ np.abs(x).T + (np.abs(P.y) if P.loss == "squared" else 1.0)
    size = (n + 8) * np.abs(P.residual(P.raw_prediction(*split(x)))) + (q + 9) * CURVATURE[P.loss] * (P.weight * z.T).T
    error = EPS * (size.T @ X / n)
    error[:, :-1] += 2 * EPS * P.alpha[:, None] * np.abs(x[:, :-1])
    squares = (error**2).sum(axis=1)
    return np.sqrt(squares if P.loss == "squared" else squares.sum(keepdims=True))


def objective_error(P, x):
    """Return a bound of the rounding error of F in extended precision, shape (n_tasks,): as in `gradient_error`."""
    W, b = split(np.abs(x.astype(np.float64)))
    z = np.abs(P.X) @ W.T + b + (np.abs(P.y) if P.loss == "squared" else 0.0)
    r = np.abs(P.residual(P.raw_prediction(*split(x.astype(np.float64)))))
    through_z = (len(x.T) + 2) * (r * z).sum(axis=0) / P.n
    through_z = through_z if P.loss == "squared" else through_z.sum(keepdims=True)
    return EPS_LONG * (through_z + (P.n + 8) * P.objective(*split(x.astype(np.float64))))


def assert_certified(model, X, y, weight=None):
    """Check that F - F* <= suboptimality_ F, F* in extended precision and the rounding of ||grad F|| granted."""
    P = problem_of(model, X, y, weight)
    F, x = Long(P), parameters(model)
    objective, alpha = F.objective(x), P.alpha if P.loss == "squared" else P.alpha[:1]
    best = F.minimum(x)
    gap = objective - F.objective(best)  # never above the true gap
    relative = np.atleast_1d(model.suboptimality_)
    interpolated = 64 * EPS**2 * F.objective(0 * x) * (2 if P.loss == "squared" else 1)  # bounds up to here count as 0
    certified = np.where(relative == 0, interpolated, relative * objective)
    certified *= 1 + (len(x.T) + 8) * EPS  # a sum of squares, and a quotient
    bound = (np.sqrt(2 * alpha * certified) + gradient_error(P, x)) ** 2 / (2 * alpha)
    rounding = objective_error(P, x) + objective_error(P, best)
    if model.tol is None or model.coef_.dtype == np.float32:  # b is not b*: a difference of two F in float64 is added
        rounding += objective_error(P, x) * (EPS / EPS_LONG)
    assert np.all(gap <= bound + rounding), (gap / objective, bound / objective)


def assert_right_or_warned(fit, model, X, y, weight=None):
    """Fit; the coefficients must be finite, what is certified true, and a warning given just where tol is not reached.

    Returns
    -------
    list of str
        The warnings.
    """
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        fit()
    assert all(issubclass(warning.category, ConvergenceWarning) for warning in record), record[0].message
    assert np.all(np.isfinite(model.coef_))
    assert np.all(np.isfinite(model.intercept_))
    certified = np.atleast_1d(model.suboptimality_)
    if not np.any(np.isnan(certified)):  # there is a penalty
        if model.tol is not None:
            if model.coef_.dtype == np.float64:
                assert bool(record) == bool(np.max(certified) > model.tol)
            elif not record:  # float32 cannot keep a smaller tol, which is no reason to warn
                assert np.max(certified) <= max(model.tol, EPS_32)
        assert_certified(model, X, y, weight)
    return [str(warning.message) for warning in record]
