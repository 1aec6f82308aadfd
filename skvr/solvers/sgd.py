"""Gradient descent, stochastic and mini-batch: w -= eta g with g the gradient of all rows, of one, of some."""

import numpy as np

from skvr import _kernels
from skvr._validation import check_flag, check_number
from skvr.smoothness import batch_smoothness, descent_step_size, full_smoothness, strong_convexity
from skvr.solvers.base import batch_steps, new_state, next_steps
from skvr.solvers.batch_size import DEFAULT_BATCH
from skvr.solvers.batch_size import get_policy as get_batch_policy
from skvr.solvers.first_order import FirstOrder
from skvr.solvers.schedule import inverse
from skvr.solvers.step_size import PL, InverseScaling, get_policy

SMALLEST_START = 1e-3  # times 1/L: from a stationary point SGD may still move


class GD(FirstOrder):
    """Gradient descent: w -= eta grad F(w).

    The yardstick of the stochastic methods: one step an epoch, on the whole data.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta, which multiplies the gradient of F (mean weighted loss plus alpha/2 ||w||^2). "auto" is 1/L, with L the
        smoothness of F by power iteration on the data. Or a policy: "constant", "pl", "pl-literal", "inverse-scaling",
        "exponential", or an object of one (see :class:`~skvr.solvers.StepSize`).

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if the step size is none of these.

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
        state = new_state(None, gradient=None, batch=problem.n_samples)
        self._set_schedule(problem, theta, state, rng)
        return state

    def _safe_step_size(self, problem, theta, state, rng):
        return inverse(full_smoothness(problem, rng))

    def epoch(self, problem, theta, state, rng):
        state.gradient = problem.gradient(theta)
        eta = next_steps(state, 1)
        problem.coef(theta)[:] -= eta[:, None] * problem.coef(state.gradient)
        problem.intercept(theta)[:] -= eta * problem.intercept(state.gradient)
        self._end_epoch(problem, theta, state)

    def gradient_estimate(self, problem, theta, state):
        return state.gradient


class _StochasticGradient(FirstOrder):
    """sgd and minibatch, which differ in the batch and its smoothness only."""

    converges_linearly = False
    step_size_policies = (*FirstOrder.step_size_policies, "line-search")
    samplings = ("shuffled", "cyclic", "uniform", "lipschitz")
    streams = True

    def check(self):
        super().check()
        check_number("momentum", self.momentum, low=0, high=1, high_included=False)
        check_flag("nesterov", self.nesterov)
        check_flag("average", self.average)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum, got momentum=0.0. Set momentum=0.9, for example.")
        policy = get_policy(self.step_size)
        if self.momentum > 0 and policy is not None and policy.acts_per_step:
            raise ValueError(
                f"a line search is for steps along a gradient, and momentum={self.momentum!r} adds others: set "
                "momentum=0.0 or another step_size."
            )

    def init(self, problem, theta, rng):
        state = self._new_state(problem, self.average, velocity=problem.zeros() if self.momentum > 0 else None)
        self._set_schedule(problem, theta, state, rng)
        return state

    def _automatic_batch(self, problem):
        return DEFAULT_BATCH

    def _safe_step_size(self, problem, theta, state, rng):
        L = sum(batch_smoothness(problem, state.batch, state.sampling, rng))
        return (1 - self.momentum) * inverse(L)  # momentum adds up 1 / (1 - momentum) steps

    def _automatic_policy(self, problem):
        # The penalty of a stream fades with the rows seen: there is no mu to go by.
        return InverseScaling() if problem.is_chunk or np.any(strong_convexity(problem) == 0) else PL()

    def _automatic_start(self, problem, theta, state, rng):
        safe = self._safe_step_size(problem, theta, state, rng)
        best = (1 - self.momentum) * descent_step_size(problem, theta, state.batch, state.sampling, rng)
        return np.clip(best, SMALLEST_START * safe, safe)

    def epoch(self, problem, theta, state, rng):
        for rows in problem.slices(state.sampling.draw(rng), state.batch):
            self._advance(problem, rows, batch_steps(state, len(rows)), theta, state)
        self._end_epoch(problem, theta, state)

    def _advance(self, problem, rows, steps, theta, state):
        kernels = state.sampling.kernels
        if state.velocity is None:
            kernels.sgd_epoch(rows, state.batch, steps, theta, state.total, n_threads=problem.n_threads)
        else:
            rule = _kernels.nesterov if self.nesterov else _kernels.heavy_ball
            made = rule(state.velocity, self.momentum)
            kernels.rule_epoch(rows, state.batch, steps, theta, made, state.total, n_threads=problem.n_threads)


class SGD(_StochasticGradient):
    """Stochastic gradient descent: one row a step, w -= eta_k grad f_i(w).

    A constant step does not converge: F stalls at a noise floor proportional to it.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta_k, which multiplies the gradient of f_i = n s_i / S loss_i + alpha/2 ||w||^2, an unbiased estimate of the
        gradient of F. A number is a constant step; else a policy: "constant", "pl", "pl-literal", "inverse-scaling",
        "exponential", "line-search", or an object of one (see :class:`~skvr.solvers.StepSize`), which start at 1/L,
        L = max_i L_i, unless told. "auto" is "pl" entered at eta_0, and eta_0 / sqrt(1 + k/n) where alpha = 0: eta_0 is
        1/L, or less where the first gradients are mostly noise, by the lecture's descent inequality: ||grad F||^2 /
        mean g'Hg over the steps' gradients g, H a bound of the Hessian.
    sampling : {"shuffled", "cyclic", "uniform", "lipschitz"}, default="shuffled"
        How rows are drawn: every row once an epoch, in random order or in that of X; or independently, all alike or
        half in proportion to L_i, with weights 1 / (n q_i) and max_i L_i / (n q_i) in the place of L.
    momentum : float in [0, 1), default=0.0
        beta of the heavy ball v = beta v + eta_k grad f_i(w), w -= v. Automatic step sizes are multiplied by 1 - beta.
        On CSR rows a step with momentum costs O(p).
    nesterov : bool, default=False
        Whether to step w -= beta v + eta_k grad f_i(w) instead, with the same v.
    average : bool, default=False
        Whether to return the mean of all iterates (Polyak-Ruppert) instead of the last one.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these, if the step size is "pl" without a penalty, or
        a line search with momentum.

    References
    ----------
    The lecture "Finite-sum problems", eq. (SGD) and "Convergence. Smooth PL case". H. Robbins and S. Monro, "A
    stochastic approximation method", 1951. B. Polyak, "Some methods of speeding up the convergence of iteration
    methods", 1964. I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of initialization and momentum
    in deep learning", 2013, eq. 3 and 4. B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by
    averaging", 1992.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.SGD(step_size=0.01), tol=None, max_iter=50, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, step_size="auto", sampling="shuffled", momentum=0.0, nesterov=False, average=False):
        self.step_size = step_size
        self.sampling = sampling
        self.momentum = momentum
        self.nesterov = nesterov
        self.average = average


class MiniBatch(_StochasticGradient):
    """Mini-batch stochastic gradient descent: w -= eta_k (1/b sum_{i in B} grad f_i(w)), b rows in B.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        As in `SGD`, with L the expected smoothness of the first batch: for rows drawn without replacement
        L_B = n (b - 1) / (b (n - 1)) L_F + (n - b) / (b (n - 1)) max_i L_i.
    batch_size : int, float, str or policy, default="auto"
        Rows a step; the last batch of an epoch may be smaller. A float in (0, 1) is a share of the rows; "geometric"
        and "adaptive", or an object of :class:`~skvr.solvers.GeometricBatch` or :class:`~skvr.solvers.AdaptiveBatch`,
        grow. "auto" is 32, and all rows for n <= 256. From 131,072 values of X a batch on, `n_jobs` threads share the
        steps on dense rows.
    sampling : {"shuffled", "cyclic", "uniform", "lipschitz"}, default="shuffled"
        As in `SGD`.
    momentum : float in [0, 1), default=0.0
        As in `SGD`.
    nesterov : bool, default=False
        As in `SGD`.
    average : bool, default=False
        As in `SGD`.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these, if the step size is "pl" without a penalty, or
        a line search with momentum.

    References
    ----------
    The lecture "Finite-sum problems", "Mini-batch SGD". O. Sebbouh, N. Gazagnadou, S. Jelassi, F. Bach and R. Gower,
    "Towards closing the gap between the theory and practice of SVRG", 2019, for L_B. As in `SGD` for the rest.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.MiniBatch(batch_size=10), tol=None, max_iter=100, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    @property
    def converges_linearly(self):
        """Whether it may: as gradient descent with an error that vanishes, where the batch grows to all rows."""
        return get_batch_policy(self.batch_size) is not None and self.sampling in ("shuffled", "cyclic")

    def __init__(
        self,
        step_size="auto",
        batch_size="auto",
        sampling="shuffled",
        momentum=0.0,
        nesterov=False,
        average=False,
    ):
        self.step_size = step_size
        self.batch_size = batch_size
        self.sampling = sampling
        self.momentum = momentum
        self.nesterov = nesterov
        self.average = average
