"""Adagrad, RMSprop, Adadelta, Adam: a step size of its own for every coordinate. The formulas are in cpp/rules.hpp."""

import math

import numpy as np

from skvr import _kernels
from skvr._validation import check_flag, check_number
from skvr.smoothness import max_smoothness, sign_curvature
from skvr.solvers.base import n_batches, next_steps
from skvr.solvers.batch_size import DEFAULT_BATCH
from skvr.solvers.first_order import FirstOrder
from skvr.solvers.step_size import Constant, InverseScaling


class _Adaptive(FirstOrder):
    """What the four rules share: mini-batch gradients, and the automatic step size."""

    converges_linearly = False
    samplings = ("shuffled", "cyclic", "uniform")
    refused_samplings = {  # noqa: RUF012
        "lipschitz": "the weights of its rows would enter the squared gradients that the rule divides by"
    }
    streams = True
    n_moments = 1  # vectors of state, flat as theta

    def _rule(self, moments, k):
        """Return the compiled rule, which changes `moments`, after k steps."""
        raise AssertionError("abstract")

    def _first_step(self):
        """Return the largest change of a coordinate at the first step, for step size 1."""
        return 1.0

    def check(self):
        super().check()
        check_number("epsilon", self.epsilon, low=0, low_included=False)

    def _largest_change(self, problem, theta):
        """Return the size of a step in every coordinate at once that lowers F most, by its quadratic upper bound.

        The first step of every rule moves each coordinate by about the same eta against the sign s of its gradient,
        which changes F by at most -eta ||g||_1 + eta^2 s'Hs / 2, H an upper bound of the Hessian: best at
        eta = ||g||_1 / s'Hs.
        """
        g = problem.gradient(theta)
        size = problem.by_task(np.abs(problem.coef(g)).sum(axis=1) + np.abs(problem.intercept(g)))
        curvature = sign_curvature(problem, np.sign(g))
        eta = size / np.where(curvature > 0, curvature, 1.0)
        return np.broadcast_to(eta, (problem.n_outputs,))

    def _safe_step_size(self, problem, theta, state, rng):
        return self._largest_change(problem, theta) / self._first_step()

    def _automatic_policy(self, problem):
        return InverseScaling()

    def init(self, problem, theta, rng):
        state = self._new_state(problem, moments=[problem.zeros() for _ in range(self.n_moments)])
        self._set_schedule(problem, theta, state, rng)
        state.row_L = np.max(max_smoothness(problem))
        return state

    def _start_of_chunk(self, problem, theta, state, rng):
        # The first chunk's, chosen at the start; a step has the size of a coefficient, 1 / ||x||.
        return state.start * min(1.0, np.sqrt(state.row_L / np.max(max_smoothness(problem))))

    def _automatic_batch(self, problem):
        rule = self._rule([np.zeros(1)] * self.n_moments, 0)  # of its kind: no state is needed to ask
        if not problem.is_sparse or problem.kernels.is_lazy(rule, DEFAULT_BATCH):
            return DEFAULT_BATCH
        # A step costs O(p), so a batch should have as many non-zeros.
        return max(DEFAULT_BATCH, -(-problem.n_features * problem.X.shape[0] // max(1, problem.X.nnz)))

    def epoch(self, problem, theta, state, rng):
        rule = self._rule(state.moments, state.k)
        for rows in problem.slices(state.sampling.draw(rng), state.batch):
            steps = next_steps(state, n_batches(len(rows), state.batch))
            problem.kernels.rule_epoch(rows, state.batch, steps, theta, rule, n_threads=problem.n_threads)
        self._end_epoch(problem, theta, state)


class Adagrad(_Adaptive):
    """Adagrad: v += g^2, w -= eta g / sqrt(v + epsilon), coordinate by coordinate.

    Steps of rare features diminish slowly. Not invariant to the scale of a column: standardise first.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta: the first step changes a coordinate by about eta, whatever the size of its gradient. "auto" is constant,
        the eta at which a quadratic upper bound of F says that the first step lowers F most.
        Or a policy: "constant", "pl", "pl-literal", "inverse-scaling", "exponential", or an object of one.
    batch_size : int, float, str or policy, default="auto"
        Rows a step. "auto" is 32 (on CSR rows whose every coordinate is stepped, as many as make a batch's non-zeros
        outnumber the features), and all rows for n <= 256. Otherwise as in `MiniBatch`.
    sampling : {"shuffled", "cyclic", "uniform"}, default="shuffled"
        How rows are drawn: every row once an epoch, in random order or in that of X; or independently.
    epsilon : float, default=1e-6
        Added to v inside the root; in the units of a squared gradient of F.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "Adagrad". J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for
    online learning and stochastic optimization", 2011.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.Adagrad(step_size=0.1), tol=None, max_iter=100, random_state=0)
    >>> clf.fit(scale(X), y).score(scale(X), y) > 0.9
    True
    """

    def __init__(self, step_size="auto", batch_size="auto", sampling="shuffled", epsilon=1e-6):
        self.step_size = step_size
        self.batch_size = batch_size
        self.sampling = sampling
        self.epsilon = epsilon

    def _automatic_policy(self, problem):
        return Constant()  # the sum v makes the steps decrease

    def _rule(self, moments, k):
        return _kernels.adagrad(*moments, self.epsilon)


class RMSprop(_Adaptive):
    """RMSprop: v = gamma v + (1 - gamma) g^2, w -= eta g / sqrt(v + epsilon), coordinate by coordinate.

    Not invariant to the scale of a column: standardise first.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta: a step changes a coordinate by about eta, the first by eta / sqrt(1 - gamma). "auto" starts where a
        quadratic upper bound of F says that such a step lowers F most, and decreases as 1 / sqrt(1 + epochs).
        Or a policy: "constant", "pl", "pl-literal", "inverse-scaling", "exponential", or an object of one.
    batch_size : int, float, str or policy, default="auto"
        Rows a step. "auto" is 32 (on CSR rows whose every coordinate is stepped, as many as make a batch's non-zeros
        outnumber the features), and all rows for n <= 256. Otherwise as in `MiniBatch`.
    sampling : {"shuffled", "cyclic", "uniform"}, default="shuffled"
        How rows are drawn: every row once an epoch, in random order or in that of X; or independently.
    gamma : float in [0, 1), default=0.9
        Decay of the running mean of g^2, per step.
    epsilon : float, default=1e-6
        Added to v inside the root; in the units of a squared gradient of F.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "RMSProp". T. Tieleman and G. Hinton, "Lecture 6.5: RMSProp", 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.RMSprop(step_size=0.01), tol=None, max_iter=100, random_state=0)
    >>> clf.fit(scale(X), y).score(scale(X), y) > 0.9
    True
    """

    def __init__(self, step_size="auto", batch_size="auto", sampling="shuffled", gamma=0.9, epsilon=1e-6):
        self.step_size = step_size
        self.batch_size = batch_size
        self.sampling = sampling
        self.gamma = gamma
        self.epsilon = epsilon

    def check(self):
        super().check()
        check_number("gamma", self.gamma, low=0, high=1, high_included=False)

    def _first_step(self):
        return 1 / math.sqrt(1 - self.gamma)

    def _rule(self, moments, k):
        return _kernels.rmsprop(*moments, self.gamma, self.epsilon)


class Adadelta(_Adaptive):
    """Adadelta: like RMSprop, with the running size of the past steps in the place of a step size.

    v = gamma v + (1 - gamma) g^2, s = sqrt(delta + epsilon) / sqrt(v + epsilon) g, w -= eta s,
    delta = rho delta + (1 - rho) s^2. Not invariant to the scale of a column: standardise first.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta, 1 in the paper, which multiplies the rule's own step. "auto" is at most 1, less where the first step would
        be larger than a quadratic upper bound of F allows, and decreases as 1 / sqrt(1 + epochs).
        Or a policy: "constant", "pl", "pl-literal", "inverse-scaling", "exponential", or an object of one.
    batch_size : int, float, str or policy, default="auto"
        Rows a step. "auto" is 32 (on CSR rows whose every coordinate is stepped, as many as make a batch's non-zeros
        outnumber the features), and all rows for n <= 256. Otherwise as in `MiniBatch`.
    sampling : {"shuffled", "cyclic", "uniform"}, default="shuffled"
        How rows are drawn: every row once an epoch, in random order or in that of X; or independently.
    gamma : float in [0, 1), default=0.9
        Decay of the running mean of g^2, per step.
    rho : float in [0, 1) or None, default=None
        Decay of the running mean of s^2, per step. None is `gamma`, as in the paper.
    epsilon : float, default=1e-6
        Added inside both roots, to squared gradients of F and to squared steps: sqrt(epsilon) is the scale of the
        first steps.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "Adadelta". M. Zeiler, "ADADELTA: an adaptive learning rate method", 2012,
    algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.Adadelta(step_size=1.0), tol=None, max_iter=200, random_state=0)
    >>> clf.fit(scale(X), y).score(scale(X), y) > 0.9
    True
    """

    n_moments = 2

    def __init__(self, step_size="auto", batch_size="auto", sampling="shuffled", gamma=0.9, rho=None, epsilon=1e-6):
        self.step_size = step_size
        self.batch_size = batch_size
        self.sampling = sampling
        self.gamma = gamma
        self.rho = rho
        self.epsilon = epsilon

    def check(self):
        super().check()
        check_number("gamma", self.gamma, low=0, high=1, high_included=False)
        if self.rho is not None:
            check_number("rho", self.rho, low=0, high=1, high_included=False)

    def _first_step(self):
        return math.sqrt(self.epsilon / (1 - self.gamma))

    def _largest_change(self, problem, theta):
        return np.minimum(super()._largest_change(problem, theta), self._first_step())

    def _rule(self, moments, k):
        rho = self.gamma if self.rho is None else self.rho
        return _kernels.adadelta(*moments, self.gamma, rho, self.epsilon)


class Adam(_Adaptive):
    """Adam: running means of g and g^2, corrected for their start at zero.

    m = beta_1 m + (1 - beta_1) g, v = beta_2 v + (1 - beta_2) g^2,
    w -= eta (m / (1 - beta_1^k)) / (sqrt(v / (1 - beta_2^k)) + epsilon). Not invariant to the scale of a column:
    standardise first.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta: a step changes a coordinate by about eta. "auto" starts where a quadratic upper bound of F says that such
        a step lowers F most, and decreases as 1 / sqrt(1 + epochs).
        Or a policy: "constant", "pl", "pl-literal", "inverse-scaling", "exponential", or an object of one.
    batch_size : int, float, str or policy, default="auto"
        Rows a step. "auto" is 32 (on CSR rows whose every coordinate is stepped, as many as make a batch's non-zeros
        outnumber the features), and all rows for n <= 256. Otherwise as in `MiniBatch`.
    sampling : {"shuffled", "cyclic", "uniform"}, default="shuffled"
        How rows are drawn: every row once an epoch, in random order or in that of X; or independently.
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decays of the running means of g and of g^2, per step.
    epsilon : float, default=1e-8
        Added outside the root; in the units of a gradient of F.
    amsgrad : bool, default=False
        Whether v is replaced in the step by its largest value so far: the steps of a coordinate then never grow, and
        the method converges where Adam may not.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "Adam". D. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015,
    algorithm 1. S. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", 2018, algorithm 2, for
    `amsgrad` (with the bias corrections of Adam).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.Adam(step_size=0.05), tol=None, max_iter=100, random_state=0)
    >>> clf.fit(scale(X), y).score(scale(X), y) > 0.9
    True
    """

    def __init__(
        self,
        step_size="auto",
        batch_size="auto",
        sampling="shuffled",
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        amsgrad=False,
    ):
        self.step_size = step_size
        self.batch_size = batch_size
        self.sampling = sampling
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def check(self):
        super().check()
        check_number("beta_1", self.beta_1, low=0, high=1, high_included=False)
        check_number("beta_2", self.beta_2, low=0, high=1, high_included=False)
        check_flag("amsgrad", self.amsgrad)

    @property
    def n_moments(self):
        return 3 if self.amsgrad else 2

    def _rule(self, moments, k):
        rule = _kernels.amsgrad if self.amsgrad else _kernels.adam
        return rule(*moments, self.beta_1, self.beta_2, self.epsilon, k)
