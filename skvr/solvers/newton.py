"""Damped Newton on the whole data: the Hessian, a Cholesky factor, the Armijo rule."""

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import softmax

from skvr.smoothness import CURVATURE
from skvr.solvers.base import Solver, new_state, next_steps
from skvr.solvers.step_size import constant

HESSIAN_BLOCK = 4  # times the rows of other passes' blocks: BLAS is faster on long products
ARMIJO = 1e-4
HALVINGS = 60
EPS = np.finfo(np.float64).eps
# Pivots and relative eigenvalues of the Hessian with unit diagonal below this are rounding errors.
RANK_TOLERANCE = 1e-14


class Newton(Solver):
    """Newton's method, w -= eta H^-1 grad F(w), halving eta from 1 until F falls enough.

    The first member of the family behind `Auto`: the batch is the whole data. For Ridge one step is the exact solution
    of the normal equations, and a second one removes its rounding errors. H is formed in columns that are centred and
    scaled to unit curvature, which changes neither F nor, in exact arithmetic, the step.

    Notes
    -----
    An epoch is one step, n (p K)^2 / 2 multiply-adds for the Hessian. `history_` counts it as two and a half effective
    passes: the gradient, half a pass along the line, and the Hessian by its rows.

    References
    ----------
    J. Nocedal and S. Wright, "Numerical optimization", 2006, sections 3.1 (Armijo rule) and 3.3 (Newton).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.Newton(), tol=1e-12).fit(X, y)
    >>> bool(clf.suboptimality_ <= 1e-12)
    True
    """

    adopts_intercept = True
    evaluates_every_epoch = True  # a pass is little beside the Hessian

    def check(self):
        pass  # no hyper-parameter

    def init(self, problem, theta, rng):
        mean, variance = column_moments(problem)
        if not problem.fit_intercept:
            variance += mean**2
            mean = np.zeros_like(mean)
        # Scaled so that the Hessian's diagonal, penalty included, is about 1 where the curvature is c.
        scale = np.sqrt(CURVATURE[problem.loss] * variance + problem.alpha.min())
        scale[scale == 0] = 1.0
        # With an intercept a constant column is zero once centred, not the rounding errors of centring it.
        empty = (variance == 0) & bool(problem.fit_intercept)
        data_scale = np.where(empty, np.inf, scale)
        return new_state(constant(1.0, problem), mean=mean, scale=scale, data_scale=data_scale, empty=empty, factors={})

    def epoch(self, problem, theta, state, rng):
        z = problem.raw_prediction(theta)
        shift = np.zeros(problem.n_outputs)
        loss, _, _ = problem.loss_in_shift(z, shift)
        gradient = problem.loss_gradient(problem.residual(z)) + problem.penalty_gradient(theta)
        direction = self._direction(problem, theta, state, z, gradient)
        _line_search(problem, theta, direction, gradient, z, loss)
        next_steps(state, 1)
        state.passes += 2.5

    def _direction(self, problem, theta, state, z, gradient):
        """Return -H^-1 gradient, flat as theta, by way of the centred and scaled columns (x - mean) / scale.

        There w~ = scale w and b~ = b + mean . w; the gradient in w~ is (g_w - mean g_b) / scale.
        """
        K, p = problem.n_outputs, problem.n_features
        g = np.zeros((K, p + 1))
        g_b = problem.intercept(gradient)
        g[:, :p] = (problem.coef(gradient) - np.outer(g_b, state.mean)) / state.scale
        g[:, p] = g_b
        g[:, :p][:, state.empty] = (
            problem.alpha[:, None] * problem.coef(theta)[:, state.empty] / state.scale[state.empty]
        )
        step = np.empty_like(g)
        if problem.loss == "squared":  # the Hessian is the data's alone: one factor for every distinct alpha
            if "gram" not in state.factors:
                state.factors["gram"] = hessian(problem, state, z)
            for alpha in np.unique(problem.alpha):
                if alpha not in state.factors:
                    state.factors[alpha] = _factorise(state.factors["gram"], problem, state, alpha)
                targets = problem.alpha == alpha
                step[targets] = _solve(state.factors[alpha], -g[targets].T).T
        else:
            factor = _factorise(hessian(problem, state, z), problem, state, problem.alpha[0])
            step[:] = _solve(factor, -g.ravel()).reshape(K, p + 1)
        direction = problem.zeros()
        w = step[:, :p] / state.scale
        problem.coef(direction)[:] = w
        if problem.fit_intercept:
            problem.intercept(direction)[:] = step[:, p] - w @ state.mean
        return direction


def _dense_blocks(problem, width=None):
    """Yield (row numbers, those rows as a dense float64 array)."""
    for rows, block in problem.blocks(width or problem.n_features):
        yield rows, block.toarray() if sp.issparse(block) else block


def column_moments(problem):
    """Return the weighted mean and variance of each column, the variance zero where only rounding errors vary."""
    mean = sum(problem.weight[rows] @ block for rows, block in _dense_blocks(problem)) / problem.n_samples
    variance = sum(problem.weight[rows] @ (block - mean) ** 2 for rows, block in _dense_blocks(problem))
    variance /= problem.n_samples
    variance[variance <= (64 * EPS * mean) ** 2] = 0.0
    return mean, variance


def hessian(problem, state, z):
    """Return the Hessian of the mean weighted loss in centred and scaled columns, each output's intercept last.

    For K classes with probabilities p it consists of K x K blocks X' diag(w (p_k [k = m] - p_k p_m)) X / n: those off
    the diagonal are -Z'Z with Z the K matrices sqrt(w) p_k X side by side, those on it are formed apart, where
    p_k (1 - p_k) keeps its digits. For "squared" it is X' diag(w) X / n, for every target alike.
    """
    K = problem.n_outputs if problem.loss == "softmax" else 1
    q = problem.n_features + 1
    coupled = np.zeros((K * q, K * q))
    own = np.zeros((K, q, q))
    for rows, block in _dense_blocks(problem, K * q / HESSIAN_BLOCK):
        columns = np.empty((block.shape[0], q))
        columns[:, :-1] = (block - state.mean) / state.data_scale
        columns[:, -1] = problem.fit_intercept
        columns *= np.sqrt(problem.weight[rows, None])
        curvature = np.ones((len(columns), 1))
        if problem.loss == "logistic":
            e = np.exp(-np.abs(z[rows]))
            curvature = (e / (1 + e) ** 2)[:, None]
        elif problem.loss == "softmax":
            p = softmax(z.reshape(-1, K)[rows], axis=1)
            curvature = p * (p @ (1 - np.eye(K)))
            products = (p[:, :, None] * columns[:, None, :]).reshape(len(columns), K * q)
            coupled -= products.T @ products
        for k in range(K):
            root = columns * np.sqrt(curvature[:, k, None])
            own[k] += root.T @ root
    for k in range(K):
        coupled[k * q : (k + 1) * q, k * q : (k + 1) * q] = own[k]
    return coupled / problem.n_samples


def _factorise(H, problem, state, alpha):
    """Return the factorised Hessian with its penalty: (scale, Cholesky factor), or (scale, eigenpairs) where singular.

    scale brings the diagonal to 1.
    """
    q = problem.n_features + 1
    K = len(H) // q
    H = H.copy()
    H[np.diag_indices(K * q)] += np.tile(np.append(alpha / state.scale**2, 0.0), K)
    if K > 1:  # moving all classes together changes nothing, and the gradient has no part in it: give it some curvature
        for j in range(q):
            H[j::q, j::q] += np.trace(H[j::q, j::q]) / K**2
    unused = np.flatnonzero(np.diag(H) <= 0)  # no data and no penalty: no gradient and no step
    H[unused, unused] = 1.0
    scale = 1 / np.sqrt(np.diag(H))
    H *= np.outer(scale, scale)
    try:
        factor = scipy.linalg.cho_factor(H, lower=True)
        if np.diag(factor[0]).min() ** 2 > RANK_TOLERANCE:
            return scale, factor, None
    except scipy.linalg.LinAlgError:
        pass
    values, vectors = scipy.linalg.eigh(H)
    kept = values > RANK_TOLERANCE * values[-1]
    return scale, None, (values[kept], vectors[:, kept])


def _solve(factorised, g):
    scale, factor, eigenpairs = factorised
    g = (scale * g.T).T
    if factor is not None:
        return (scale * scipy.linalg.cho_solve(factor, g).T).T
    values, vectors = eigenpairs
    return (scale * (vectors @ ((vectors.T @ g).T / values).T).T).T


def _line_search(problem, theta, direction, gradient, z, loss):
    """Step to theta + eta direction with the first eta = 1, 1/2, ... that satisfies the Armijo rule, each task its own.

    F is followed along the line on the raw predictions alone. Where the promised change is at rounding level, eta = 1
    stands.
    """
    K = problem.n_outputs
    dz = problem.raw_prediction(direction)
    w, d = problem.coef(theta), problem.coef(direction)
    slope = problem.by_task(np.einsum("kj,kj->k", problem.coef(gradient), d))
    slope += problem.by_task(problem.intercept(gradient) * problem.intercept(direction))
    start = loss + problem.by_task(problem.penalty(theta))
    eta = np.ones(problem.n_tasks)
    rounding = 8 * EPS * np.abs(start)
    for _ in range(HALVINGS):
        per_output = np.broadcast_to(eta, (K,))
        trial, _, _ = problem.loss_in_shift(z + (dz.reshape(-1, K) * per_output).ravel(), np.zeros(K))
        coef = w + per_output[:, None] * d
        value = trial + problem.by_task(0.5 * problem.alpha * np.einsum("kj,kj->k", coef, coef))
        accepted = value <= start + ARMIJO * eta * slope + rounding
        if accepted.all():
            break
        eta = np.where(accepted, eta, eta / 2)
    problem.coef(theta)[:] = w + per_output[:, None] * d
    problem.intercept(theta)[:] += per_output * problem.intercept(direction)
