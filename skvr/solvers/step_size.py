"""Step-size policies: what a solver multiplies the gradient of F with at its step k = 0, 1, ...

A policy holds hyper-parameters, and makes the schedule of one fit (schedule.py). A number stands for `Constant`.
"""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator

from skvr import _kernels
from skvr._validation import check_number
from skvr.smoothness import max_smoothness, strong_convexity
from skvr.solvers.schedule import (
    ConstantSchedule,
    ExponentialSchedule,
    InverseScalingSchedule,
    PLSchedule,
    SearchSchedule,
    per_output,
)

FIRST_L = 1e-3  # of max_i L_i: a line search doubles what is too small within one step, and lowers slowly


class StepSize(BaseEstimator):
    """A step-size policy: hyper-parameters only.

    Subclasses define `schedule`. Where `start` is "auto" the schedule starts at the solver's own safe step size, 1/L in
    its many forms (see each solver's `step_size`).
    """

    acts_per_step = False  # whether the size depends on the rows drawn, so that it is found in the kernel

    def check(self):
        """Raise unless every hyper-parameter is valid."""
        if not (isinstance(self.start, str) and self.start == "auto"):
            check_number(f"start of {type(self).__name__}", self.start, low=0, low_included=False)

    def schedule(self, problem, start, steps_per_epoch):
        """Return the schedule of a fit of `problem`; `start` is the solver's own, shape (n_outputs,)."""
        raise AssertionError("abstract")

    def _start(self, problem, start):
        return per_output(start if isinstance(self.start, str) else self.start, problem)


class Constant(StepSize):
    """The same step size at every step.

    Parameters
    ----------
    start : float or "auto", default="auto"
        eta, which multiplies a gradient of F. "auto" is the solver's own safe step size. ``step_size=0.1`` is short
        for ``step_size=Constant(0.1)``.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if `start` is neither a positive number nor "auto".

    References
    ----------
    The lecture "Finite-sum problems", "SGD with constant stepsize does not converge".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="sgd", step_size="constant", tol=None, max_iter=50, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, start="auto"):
        self.start = start

    def schedule(self, problem, start, steps_per_epoch):
        return ConstantSchedule(self._start(problem, start))


class PL(StepSize):
    """(2k + 1) / (2 mu (k + 1)^2): the lecture's schedule for the Polyak-Lojasiewicz inequality.

    mu is alpha, with an intercept at most the curvature of the loss in it. From k = 0 on the schedule starts at
    1 / (2 mu), which for a small mu explodes at first and comes back; so it is entered where it has come down to
    `start`.

    Parameters
    ----------
    start : float or "auto", default="auto"
        The first step size: the schedule is entered at the k at which it equals `start`, or at k = 0 where it starts
        below. "auto" is the solver's own safe step size, ``inf`` the literal schedule ("pl-literal").

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if `start` is none of these, or if alpha = 0 (there is no mu).

    References
    ----------
    The lecture "Finite-sum problems", "Convergence. Smooth PL case". R. Gower, N. Loizou, X. Qian, A. Sailanbayev,
    E. Shulgin and P. Richtarik, "SGD: general analysis and improved rates", 2019, theorem 3.2, for the late entry.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="sgd", step_size="pl", tol=None, max_iter=50, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, start="auto"):
        self.start = start

    def check(self):
        if not (isinstance(self.start, Real) and self.start == np.inf):
            super().check()

    def schedule(self, problem, start, steps_per_epoch):
        mu = strong_convexity(problem)
        if np.any(mu == 0):
            name = {"auto": "pl", np.inf: "pl-literal"}.get(self.start, self)
            raise ValueError(
                f"step_size={name!r} needs a strongly convex objective, but there is no penalty: set a finite C or a "
                "positive alpha, or use step_size='auto'."
            )
        return PLSchedule.entered_at(self._start(problem, start), mu)


class InverseScaling(StepSize):
    """Inverse scaling: start / (1 + decay k)^power.

    Parameters
    ----------
    start : float or "auto", default="auto"
        The first step size. "auto" is the solver's own safe step size.
    decay : float or "auto", default="auto"
        Per step; "auto" is one over the steps of an epoch, so that 1 + decay k counts epochs.
    power : float, default=0.5
        1/2 suits convex problems, 1 strongly convex ones. At least 0.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    H. Robbins and S. Monro, "A stochastic approximation method", 1951. L. Bottou, "Stochastic gradient descent tricks",
    2012, section 5.2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> step_size = solvers.InverseScaling(0.1, power=1.0)
    >>> clf = LogisticRegression(solver="sgd", step_size=step_size, tol=None, max_iter=50, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, start="auto", decay="auto", power=0.5):
        self.start = start
        self.decay = decay
        self.power = power

    def check(self):
        super().check()
        if not (isinstance(self.decay, str) and self.decay == "auto"):
            check_number("decay of InverseScaling", self.decay, low=0)
        check_number("power of InverseScaling", self.power, low=0)

    def schedule(self, problem, start, steps_per_epoch):
        decay = 1 / steps_per_epoch if isinstance(self.decay, str) else self.decay
        return InverseScalingSchedule(self._start(problem, start), decay, self.power)


class Exponential(StepSize):
    """Exponential: start rate^epoch, with epoch = 0, 1, ... the epochs completed.

    Parameters
    ----------
    start : float or "auto", default="auto"
        The step size of the first epoch. "auto" is the solver's own safe step size.
    rate : float, default=0.95
        Factor per epoch. It may exceed 1, as in the lecture's "Exponential learning rate"; then every fit diverges in
        the end.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "Exponential learning rate". Z. Li and S. Arora, "An exponential learning rate
    schedule for deep learning", 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> step_size = solvers.Exponential(0.01, rate=0.9)
    >>> clf = LogisticRegression(solver="sgd", step_size=step_size, tol=None, max_iter=50, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, start="auto", rate=0.95):
        self.start = start
        self.rate = rate

    def check(self):
        super().check()
        check_number("rate of Exponential", self.rate, low=0, low_included=False)

    def schedule(self, problem, start, steps_per_epoch):
        return ExponentialSchedule(self._start(problem, start), self.rate)


class LineSearch(StepSize):
    """Backtracking on the Lipschitz constant: 1 / (L + alpha), with L raised and lowered as the rows drawn ask for it.

    At every step L is multiplied by 2^(-1/n) and then doubled until the rows drawn satisfy

        f_i(w - grad f_i(w) / L) <= f_i(w) - ||grad f_i(w)||^2 / (2 L),

    with f_i the weighted loss of the row or the mean loss of the batch; alpha, the curvature of the penalty, is known
    and added. L tends to the largest curvature where the iterates are, which may be far below the bound max_i L_i. The
    inequality is skipped where the gradient is negligible. SAGA and SVRG take 1/3 of the step, as their theory asks
    for. For "squared" each target has its own L.

    Parameters
    ----------
    L_0 : float or "auto", default="auto"
        Where L starts, in the units of L_i (mean weighted loss, per squared coefficient). "auto" is 1e-3 max_i L_i.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if `L_0` is neither a positive number nor "auto".

    References
    ----------
    The lecture "Finite-sum problems", "SAG convergence notes". M. Schmidt, N. Le Roux and F. Bach, "Minimizing finite
    sums with the stochastic average gradient", 2017, section 4.6.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver="sag", step_size="line-search", random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-4)
    True
    """

    acts_per_step = True

    def __init__(self, L_0="auto"):
        self.L_0 = L_0

    def check(self):
        if not (isinstance(self.L_0, str) and self.L_0 == "auto"):
            check_number("L_0 of LineSearch", self.L_0, low=0, low_included=False)

    def search(self, problem, multiple, frequency=None, L=None):
        """Return the schedule that a kernel fills in; the step is 1 / (`multiple` (L + alpha)).

        `frequency` is n q_i, how often each row is drawn relative to uniform draws. `L` goes on from an earlier search.
        """
        if L is None:
            first = self.L_0
            if first == "auto":
                first = FIRST_L * float(np.max(max_smoothness(problem, frequency) - problem.alpha))
            L = np.full(problem.n_tasks, max(first, np.finfo(np.float64).tiny))
        norms = problem.squared_row_norms + problem.fit_intercept
        lower = 2 ** (-1 / problem.n_samples)
        return SearchSchedule(L, problem, multiple, _kernels.LineSearch(L, norms, float(multiple), lower))


POLICIES = {
    "constant": Constant(),
    "pl": PL(),
    "pl-literal": PL(start=np.inf),
    "inverse-scaling": InverseScaling(),
    "exponential": Exponential(),
    "line-search": LineSearch(),
}


def check_step_size(step_size, names):
    """Raise unless `step_size` is a positive number, "auto", a policy named in `names`, or an object of one."""
    if isinstance(step_size, StepSize):
        if step_size.acts_per_step and "line-search" not in names:
            raise ValueError(f"step_size must be a policy among {list(names)}, got {step_size!r}.")
        step_size.check()
        return
    names = ["auto", *names]
    accepted = f"step_size must be a positive number, one of {names}, or a policy object, got {step_size!r}"
    if isinstance(step_size, (bool, np.bool_)) or not isinstance(step_size, (str, Real)):
        raise TypeError(f"{accepted} of type {type(step_size).__name__}.")
    if not (step_size in names if isinstance(step_size, str) else 0 < step_size < np.inf):
        raise ValueError(f"{accepted}.")


def get_policy(step_size):
    """Return the policy object for `step_size`: a number, a name or an object; None for "auto"."""
    if isinstance(step_size, StepSize):
        return step_size
    if isinstance(step_size, str):
        return POLICIES.get(step_size)
    return Constant(float(step_size))
