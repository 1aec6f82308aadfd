"""Gradient descent, stochastic and mini-batch: w -= eta g with g the gradient of all rows, of one, of some."""

import numpy as np

from skvr.smoothness import batch_smoothness, descent_step_size, full_smoothness, intercept_curvature
from skvr.solvers import sampling
from skvr.solvers.base import Solver, batch_rows, n_batches, new_state, next_steps
from skvr.solvers.step_size import PL, InverseSqrt, constant, inverse

SMALLEST_START = 1e-3  # times 1/L: from a stationary point SGD may still move
NEGLIGIBLE_PENALTY = 1e-200  # mu below this is 0: the PL schedule of a smaller one overflows


class GD(Solver):
    """Gradient descent: w -= eta grad F(w).

    The yardstick of the stochastic methods: one step an epoch, on the whole data.

    Parameters
    ----------
    step_size : float or "auto", default="auto"
        eta, which multiplies the gradient of F (mean weighted loss plus alpha/2 ||w||^2). "auto" is 1/L, with L the
        smoothness of F by power iteration on the data.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if the step size is not a positive number or "auto".

    References
    ----------
    The lecture "Finite-sum problems", eq. (GD), read at x_k.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.GD(), tol=1e-2).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-2)
    True
    """

    def __init__(self, step_size="auto"):
        self.step_size = step_size

    def init(self, problem, theta, rng):
        eta = inverse(full_smoothness(problem, rng)) if self.step_size == "auto" else self.step_size
        return new_state(constant(eta, problem), gradient=None)

    def epoch(self, problem, theta, state, rng):
        state.gradient = problem.gradient(theta)
        eta = next_steps(state, 1)
        problem.coef(theta)[:] -= eta[:, None] * problem.coef(state.gradient)
        problem.intercept(theta)[:] -= eta * problem.intercept(state.gradient)
        state.passes += 1

    def gradient_estimate(self, problem, theta, state):
        return state.gradient


class _StochasticGradient(Solver):
    """sgd and minibatch, which differ in the batch and its smoothness only."""

    converges_linearly = False
    step_size_policies = ("pl", "pl-literal")

    def _schedule(self, problem, theta, batch, rng):
        if self.step_size not in ("auto", *self.step_size_policies):
            return constant(self.step_size, problem)
        mu = problem.alpha
        if problem.fit_intercept:
            mu = np.minimum(mu, intercept_curvature(problem))
        mu = np.where(mu < NEGLIGIBLE_PENALTY, 0.0, mu)
        if np.any(mu == 0) and self.step_size != "auto":
            raise ValueError(
                f"step_size={self.step_size!r} needs a strongly convex objective, but there is no penalty: set a "
                "finite C or a positive alpha, or use step_size='auto'."
            )
        if self.step_size == "pl-literal":
            return PL(mu, np.zeros_like(mu))
        largest = inverse(sum(batch_smoothness(problem, batch, rng)))
        if self.step_size == "auto":
            largest = np.clip(descent_step_size(problem, theta, batch, rng), SMALLEST_START * largest, largest)
        if np.any(mu == 0):
            return InverseSqrt(largest, n_batches(problem.n_samples, batch))
        return PL.entered_at(largest, mu)

    def _batch(self, problem):
        return 1

    def init(self, problem, theta, rng):
        batch = self._batch(problem)
        return new_state(self._schedule(problem, theta, batch, rng), batch=batch)

    def epoch(self, problem, theta, state, rng):
        for rows in problem.slices(sampling.shuffled(problem, rng), state.batch):
            eta = next_steps(state, n_batches(len(rows), state.batch))
            problem.kernels.sgd_epoch(rows, state.batch, eta, theta, n_threads=problem.n_threads)
        state.passes += 1


class SGD(_StochasticGradient):
    """Stochastic gradient descent: one row a step, w -= eta_k grad f_i(w).

    Rows come in shuffled epochs. A constant step does not converge: F stalls at a noise floor proportional to it.

    Parameters
    ----------
    step_size : float, "auto", "pl" or "pl-literal", default="auto"
        eta_k, which multiplies the gradient of f_i = n s_i / S loss_i + alpha/2 ||w||^2, an unbiased estimate of the
        gradient of F. A number is a constant step. "pl" is (2k + 1) / (2 mu (k + 1)^2) entered at the step k0 at which
        it equals 1/L, L = max_i L_i, with mu = alpha (with an intercept at most the curvature of the loss in it);
        "pl-literal" starts it at k = 0, where it is 1 / (2 mu) and first explodes. "auto" is "pl" entered at eta_0, and
        eta_0 / sqrt(1 + k/n) where alpha = 0: eta_0 is 1/L, or less where the first gradients are mostly noise, by the
        lecture's descent inequality: ||grad F||^2 / mean g'Hg over the steps' gradients g, H a bound of the Hessian.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if the step size is none of these, or is "pl" without a penalty.

    References
    ----------
    The lecture "Finite-sum problems", eq. (SGD) and "Convergence. Smooth PL case". H. Robbins and S. Monro, "A
    stochastic approximation method", 1951.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.SGD(step_size=0.01), tol=None, max_iter=50, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, step_size="auto"):
        self.step_size = step_size


class MiniBatch(_StochasticGradient):
    """Mini-batch stochastic gradient descent: w -= eta_k (1/b sum_{i in B} grad f_i(w)), b rows in B.

    Parameters
    ----------
    step_size : float, "auto", "pl" or "pl-literal", default="auto"
        As in `SGD`, with L the expected smoothness of a batch,
        L_B = n (b - 1) / (b (n - 1)) L_F + (n - b) / (b (n - 1)) max_i L_i.
    batch_size : int or "auto", default="auto"
        Rows a step, drawn in shuffled epochs; the last batch of an epoch may be smaller. "auto" is 32, and all rows
        for n <= 256. From 131,072 values of X a batch on, `n_jobs` threads share the steps on dense rows.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "Mini-batch SGD". O. Sebbouh, N. Gazagnadou, S. Jelassi, F. Bach and R. Gower,
    "Towards closing the gap between the theory and practice of SVRG", 2019, for L_B.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.MiniBatch(batch_size=10), tol=None, max_iter=100, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, step_size="auto", batch_size="auto"):
        self.step_size = step_size
        self.batch_size = batch_size

    def _batch(self, problem):
        return batch_rows(self.batch_size, problem)
