"""L-BFGS whose initial matrix is an inverse Hessian, and which begins on growing samples of the rows."""

import numpy as np

from skvr._validation import check_count
from skvr.smoothness import direction_curvature
from skvr.solvers.base import Solver, new_state
from skvr.solvers.hessian import Columns, cost_of_gram, cost_of_hessian, cost_of_pass
from skvr.solvers.pairs import Pairs
from skvr.solvers.preconditioner import Hessian, Kronecker, check_preconditioner, form
from skvr.solvers.sampling import GROWTH, effective_rank, growing_samples, sample_sizes
from skvr.solvers.schedule import constant
from skvr.solvers.span import RowSpan, is_cheap_in_span
from skvr.solvers.woodbury import FEWEST_COLUMNS, LARGEST_COUPLED, is_cheap_by_rows

ARMIJO = 1e-4
HALVINGS = 50
EPS, TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny
# A sample of S rows knows F to about parameters / (2 S): a tenth of that is as close to its optimum as is worth going.
STATISTICAL = 0.05
SAMPLE_STEPS = 30
FEW_PASSES = 16  # that a Gram matrix of all rows may cost for squared loss or a warm start, before a sample's has to do
# What passes must have cost before the first matrix is formed where it may be needless, in its own cost: one of rows
# that are fewer than columns, and often nearly orthogonal; one of nearly independent columns (by their effective rank,
# a share of their number) that costs more than a few passes.
WAIT, CHEAP_PASSES, INDEPENDENT = 2, 4, 1 / 3
# While it waits for a quadratic, the fewest steps whose pace may end that, and how much of F is near: the default tol.
PACE_STEPS, NEAR = 6, 1e-4
KRONECKER_PASSES = 20  # at least, between two Kronecker products: the pairs make up for more than a new one would
MOST_PAIRS, FEWEST_PAIRS = 20, 8
SMALL_PAIRS = 2**23  # bytes that the pairs of several outputs may take whatever X is
WHOLE_STEP = 1e-6  # a best step this close to 1 is taken for 1, which gives away 1e-12 of the fall of F
IN_SPAN = (
    1e-20  # of the first squared gradient: below, the products of a span's coefficients and images do not resolve it
)
DRIFT = 1e-8  # of a squared gradient that is followed by its changes: below, their rounding errors may show


class LBFGS(Solver):
    """L-BFGS that starts each direction from H^-1, H a Hessian, and not from a multiple of the identity.

    w -= eta B grad F(w), where B is H^-1 corrected by the last `memory` changes of w and of the gradient, and eta is
    shortened from 1 until F falls enough (for squared loss eta is the best there is: conjugate gradients). With a
    Hessian, the first steps are taken on samples of n/8^k rows, each until its own optimum is closer than its sampling
    error; so few passes over all rows are left. The last sample's Hessian is the first preconditioner for all rows. A
    new one is formed, from all rows, as soon as the passes since the last have cost as much as it will: where a Hessian
    is cheap this is Newton's method, where it is dear L-BFGS.

    Parameters
    ----------
    preconditioner : {"hessian", "nystrom", "diagonal", "none"}, default="hessian"
        H. "hessian": the matrix, in centred and scaled columns; for K classes the Kronecker product of their covariance
        and a Gram matrix, and the whole matrix later where it has at most 2000 rows. Of dense rows, fewer than columns
        and these more than 200, its inverse comes from a matrix of the rows: once passes have cost twice as much, for
        squared loss at once where it is cheap. So waits the first matrix of many columns that costs more than 4 passes
        while they are nearly independent; for squared loss it waits no longer than until the steps prove slow.
        "nystrom": rank 50 plus the penalty. "diagonal": the curvature of each coordinate in centred columns. "none":
        the identity in these.
    memory : int or "auto", default="auto"
        Pairs of changes that B remembers. "auto" is 20, and for several outputs fewer, but at least 8, where 20 would
        take more memory than X and more than 8 MB.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    Notes
    -----
    An epoch is one step on all rows, one effective pass and more where F did not fall enough at once. The steps on the
    samples belong to the first. `history_` counts all of them, and the Hessians by their cost in passes.

    References
    ----------
    J. Nocedal and S. Wright, "Numerical optimization", 2006, algorithm 7.4 (two-loop recursion) and section 3.1 (Armijo
    rule). R. Bollapragada, R. Byrd and J. Nocedal, "Exact and inexact subsampled Newton methods for optimization",
    2019, and Z. Frangella et al., "PROMISE", 2023, for Hessians of samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.LBFGS(), tol=1e-12).fit(X, y)
    >>> bool(clf.suboptimality_ <= 1e-12)
    True
    """

    estimates_bound = True
    is_behind_auto = True

    def __init__(self, preconditioner="hessian", memory="auto"):
        self.preconditioner = preconditioner
        self.memory = memory

    @property
    def scales_columns(self):
        """Whether the scale of the columns makes no difference."""
        return self.preconditioner in ("hessian", "diagonal")

    def check(self):
        check_preconditioner(self.preconditioner)
        check_count("memory", self.memory, "a non-negative integer", low=0)

    def check_rows(self, problem):
        if self.preconditioner == "nystrom":  # else `Columns` does
            super().check_rows(problem)

    def init(self, problem, theta, rng):
        return new_state(constant(1.0, problem), descent=None, in_span=False)

    def epoch(self, problem, theta, state, rng):
        state.k += 1
        if state.descent is None:
            self._start(problem, theta, state, rng)
        descent = state.descent
        spent = descent.cost
        state.moved = descent.step()
        state.passes += (descent.cost - spent) / cost_of_pass(problem)
        if state.in_span:
            gradient = descent.problem.dot_by_task(descent.gradient, descent.gradient)
            if state.moved and np.any(gradient > state.resolved):
                return  # `iterate` computes theta when it is asked for
            descent = self._leave_span(problem, state, rng)
        theta[:] = descent.theta

    def _leave_span(self, problem, state, rng):
        """Go on over all columns."""
        span = state.descent.problem
        theta = span.theta(state.descent.theta)
        state.in_span, state.moved = False, True
        state.descent = Descent(self, problem, span.columns_of_whole, theta, None, rng)
        state.passes += 1
        return state.descent

    def _start(self, problem, theta, state, rng):
        """Go through the samples, where there are any; make the state's `Descent` on all rows."""
        columns = preconditioner = None
        cost = wait = 0.0
        if self.preconditioner != "nystrom":
            columns = Columns(problem)
            cost += cost_of_pass(problem) / 2
        if self.preconditioner == "hessian":
            # A quadratic's Hessian, and the last fit's optimum, leave nothing else to learn from a sample; and for one
            # output a step on a sample of more than n/8 rows costs too much of one on all.
            large = problem.n_outputs == 1 and max(sample_sizes(problem), default=0) > problem.n_samples // GROWTH
            only_hessian = problem.loss == "squared" or bool(theta.any()) or large
            samples = []
            wait = wait_of_matrix(problem, columns, rng)
            if not wait and (not only_hessian or cost_of_gram(problem) > FEW_PASSES * cost_of_pass(problem)):
                samples = list(growing_samples(problem, columns, rng))
                cost += cost_of_pass(problem) / 2  # the rows' norms
            if only_hessian and samples:
                preconditioner = form("hessian", samples[-1], columns, samples[-1].raw_prediction(theta), rng)
                cost += cost_of_pass(samples[-1]) + cost_of_gram(samples[-1])
                samples = []
            for sample in samples:
                descent = Descent(self, sample, columns, theta, preconditioner, rng)
                at_zero = sample.value_at_zero
                preconditioner = None  # the descent's alone, which drops it before it forms the next
                descent.run(STATISTICAL * len(theta) / sample.n_samples * at_zero.sum())
                preconditioner = descent.preconditioner
                cost += descent.cost
                if np.all(descent.value <= at_zero):
                    theta[:] = descent.theta
        state.in_span = self.preconditioner == "none" and not theta.any() and is_cheap_in_span(problem)
        if state.in_span:
            problem = RowSpan(problem, columns)
            columns, theta = problem.columns, problem.zeros()
        descent = state.descent = Descent(self, problem, columns, theta, preconditioner, rng, wait)
        if theta.any() and not np.all(descent.value <= problem.value_at_zero):  # the samples led astray
            descent = state.descent = Descent(self, problem, columns, problem.zeros(), None, rng, wait)
            cost += cost_of_pass(problem)
        state.resolved = IN_SPAN * problem.dot_by_task(descent.gradient, descent.gradient)
        state.passes += (cost + descent.cost) / cost_of_pass(problem)

    def iterate(self, problem, theta, state):
        return state.descent.problem.theta(state.descent.theta) if state.in_span else theta

    def gradient_estimate(self, problem, theta, state):
        return state.descent.gradient

    def bound_estimate(self, problem, theta, state, certificate):
        if not state.moved or state.descent.gradient is None:  # rounding errors rule, or nobody knows: let the rule see
            return np.zeros(problem.n_tasks)
        if state.in_span:
            span = state.descent.problem
            return span.by_task(span.squared_norm(state.descent.gradient)) / (2 * certificate.alpha)
        return super().bound_estimate(problem, theta, state, certificate)


def automatic_memory(problem):
    """Return how many pairs to remember. Fewer cost passes: of several outputs they take no more memory than X."""
    if problem.n_outputs == 1:
        return MOST_PAIRS
    pair = 2 * problem.zeros().nbytes
    return int(np.clip(max(problem.size_of_X, SMALL_PAIRS) // pair, FEWEST_PAIRS, MOST_PAIRS))


def wait_of_matrix(problem, columns, rng):
    """Return what the passes must have cost before the first matrix is formed, in values of X; 0 where none waits."""
    p = problem.n_features
    if is_cheap_by_rows(problem):
        cost = cost_of_hessian(problem)
        waits = problem.loss != "squared" or cost > FEW_PASSES * cost_of_pass(problem)
    else:
        share = max(sample_sizes(problem), default=problem.n_samples) / problem.n_samples
        cost = cost_of_gram(problem, share=share)
        waits = p >= FEWEST_COLUMNS and cost > CHEAP_PASSES * cost_of_pass(problem)
        waits = waits and effective_rank(problem, columns, rng) >= INDEPENDENT * p
    return WAIT * cost if waits else 0.0


class Descent:
    """A run of L-BFGS on one finite sum.

    Attributes
    ----------
    theta, z, value, gradient : the iterate (its own), its raw predictions, F of each task, and the gradient of F, which
        is None, and the others of the last iterate, where a quadratic's Hessian has just been solved.
    decrement : how far F would fall if the model held.
    cost : spent so far, in values of X.
    """

    def __init__(self, solver, problem, columns, theta, preconditioner, rng, wait=0.0):
        self.kind, self.rng, self.wait_of_first = solver.preconditioner, rng, wait
        self.memory = automatic_memory(problem) if solver.memory == "auto" else solver.memory
        self.problem, self.columns, self.preconditioner = problem, columns, preconditioner
        self.theta = theta.copy()
        self.z = np.zeros(problem.X.shape[0] * problem.n_outputs)
        self.value, self.gradient = problem.evaluate(theta, self.z)
        self.largest = problem.dot_by_task(self.gradient, self.gradient)  # since the last evaluation
        self.pairs = Pairs(problem, self.memory)
        self.shortened = False  # whether the last step had to be
        self.exact = False  # whether the preconditioner was the Hessian where it was formed
        self.decrement = np.inf
        self.pass_cost = cost_of_pass(problem)
        self.gram_cost, self.hessian_cost = cost_of_gram(problem, columns), cost_of_hessian(problem, columns)
        self.bounds = []  # logarithms of the certified ones, relative to F, while the first matrix waits
        self.by_rows = solver.preconditioner == "hessian" and is_cheap_by_rows(problem)
        self.cost = self.passes = self.since_refresh = self.pass_cost

    def run(self, accuracy):
        """Take steps until the decrement is at most `accuracy`."""
        for _ in range(SAMPLE_STEPS):
            if not self.step() or self.decrement <= accuracy:
                return

    def step(self):
        """Take one step; return whether F could be lowered."""
        if self.gradient is None:
            self.value, self.gradient = self._evaluate(self.theta, self.z)
        had_hessian = self.exact
        self._refresh()
        direction = self._direction()
        if self.problem.loss == "squared" and self.exact and not had_hessian and self.preconditioner.is_whole:
            # the solution, but for rounding errors: who certifies it evaluates it
            self.theta, self.gradient = self.theta + direction, None
            return True
        if self._move(direction):
            return True
        if self.pairs:  # what is remembered may mislead where rounding errors rule
            self.pairs.clear()
            self.value, self.gradient = self._evaluate(self.theta, self.z)
            return self._move(self._direction())
        return False

    def _refresh(self):
        """Form the preconditioner anew if the passes since the last one have cost as much as it will."""
        problem = self.problem
        if self.exact and problem.loss == "squared":  # a Hessian that does not change
            return
        rows, z, kind, coupled = problem, self.z, self.kind, False
        cost, wait = 0.0, np.inf
        if kind == "hessian" and self.passes < self.wait_of_first and not self._is_slow():
            kind = "none" if self.by_rows else "diagonal"
        elif kind == "hessian":
            cost = wait = self.hessian_cost
            if problem.loss == "softmax" and not self.by_rows:
                coupled = len(self.theta) <= LARGEST_COUPLED and self.passes >= cost
                if not coupled:
                    cost = self.gram_cost
                    wait = max(cost, KRONECKER_PASSES * self.pass_cost)
            if self.preconditioner is None or not self.preconditioner.knows_size:  # the first matrix
                wait = 0.0
                if self.wait_of_first and not self.by_rows and not coupled:
                    rows = self._largest_sample()
                    z = z if rows is problem else rows.raw_prediction(self.theta)
                    cost = cost_of_gram(rows) + self.pass_cost
        if kind in ("diagonal", "none"):  # of the intercept's curvature, which takes no pass
            cost, wait = 0.0, self.passes / 2
        if self.preconditioner is not None and self.since_refresh < wait:
            return
        self.preconditioner = None  # no two at a time: each may be a matrix
        self.preconditioner = form(kind, rows, self.columns, z, self.rng, coupled)
        if kind == "hessian":
            self.wait_of_first = 0.0  # over: the pace with a matrix says nothing about that without
        self.exact = isinstance(self.preconditioner, Hessian) and rows is problem
        if self.exact:  # of the curvature at this point it knows more than the pairs
            self.pairs.clear()
        self.cost += cost
        self.since_refresh = 0.0
        if self.by_rows:
            self.hessian_cost = cost_of_hessian(problem, self.columns)  # the products of the rows stay

    def _is_slow(self):
        """Whether a quadratic's certified bound, at its pace in the last half of the steps, needs the wait once more.

        That is to come to `NEAR` of F. Without a penalty there is no such bound; and of other losses the Hessian here
        is not the one that is needed at the end.
        """
        problem, bounds = self.problem, self.bounds
        if problem.loss != "squared":
            return False
        size = problem.by_task(problem.squared_norm(self.gradient))
        bound = safe_ratio(size, 2 * problem.of_task(problem.alpha) * self.value).max()
        bounds.append(np.log(max(TINY, bound)))
        steps = len(bounds) - 1
        if steps < PACE_STEPS or bound <= NEAR:
            return False
        pace = (bounds[steps // 2] - bounds[-1]) / (steps - steps // 2)
        return (bounds[-1] - np.log(NEAR)) * self.pass_cost > pace * self.wait_of_first

    def _largest_sample(self):
        """Return the largest of the growing samples; all rows where there is none."""
        *_, rows = (self.problem, *growing_samples(self.problem, self.columns, self.rng))
        return rows

    def _direction(self):
        """Return -B gradient."""
        problem, theta = self.problem, self.theta
        a, r = self.pairs.remove(self.gradient)
        if self.pairs and self.columns is not None and self.columns.empty.any():  # their part of r is their penalty's
            theta = theta - self.pairs.changes(a)
        if self.pairs and self._resizes():
            self.preconditioner.resize(*self.pairs.last)
        r = self.preconditioner.solve(r, theta)
        if self.by_rows and self.exact:  # which has products with the rows
            self._count_pass()
        if not self.pairs and not self.preconditioner.knows_size:
            size = safe_ratio(problem.dot_by_task(self.gradient, r), direction_curvature(problem, r))
            r = problem.times_task(size, r)
        return -self.pairs.correct(a, r)

    def _resizes(self):
        """Whether the last pair says the preconditioner's size: it knows none, or its steps were too long."""
        if isinstance(self.preconditioner, Kronecker):
            return self.shortened or self.preconditioner.size < 1
        return not self.preconditioner.knows_size

    def _move(self, direction):
        """Go along `direction` as far as the Armijo rule allows, each task its own way; return whether one could go."""
        problem = self.problem
        slope = problem.dot_by_task(self.gradient, direction)
        self.decrement = -0.5 * slope.sum()
        eta = np.ones(problem.n_tasks)
        rounding = 8 * EPS * np.abs(self.value)
        z = np.zeros_like(self.z)
        for _ in range(HALVINGS):
            theta = self.theta + problem.times_task(eta, direction)
            value, gradient = problem.evaluate(theta, z)
            self._count_pass()
            if problem.loss == "squared":
                change = gradient - self.gradient
                eta = safe_ratio(-slope, problem.dot_by_task(change, direction))
                if (np.abs(eta - 1) < WHOLE_STEP).all():  # the Hessian was exact: theta is where F was evaluated
                    self.largest = problem.dot_by_task(gradient, gradient)
                else:
                    theta = self.theta + problem.times_task(eta, direction)
                    gradient = self.gradient + problem.times_task(eta, change)
                    value = self.value + 0.5 * eta * slope
                break
            accepted = value <= self.value + ARMIJO * eta * slope + rounding
            if accepted.all():
                break
            # The minimiser of the parabola through both values with this slope, kept between a tenth and a half.
            excess = (value - self.value) / eta - slope
            fitted = eta * safe_ratio(-slope, 2 * excess)
            eta = np.where(accepted, eta, np.clip(np.nan_to_num(fitted), 0.1 * eta, 0.5 * eta))
        else:
            return False
        if (-slope <= rounding).all() and self._decrement_grows(gradient):
            return False
        if problem.loss == "squared" and self._has_drifted(gradient):
            value, gradient = self._evaluate(theta, z)
        self.shortened = bool((eta < 1).any())
        self.pairs.add(theta - self.theta, gradient - self.gradient)
        self.theta, self.z, self.value, self.gradient = theta, z, value, gradient
        return True

    def _evaluate(self, theta, z):
        """Return F and its gradient, free of the rounding errors of what led there."""
        value, gradient = self.problem.evaluate(theta, z)
        self._count_pass()
        self.largest = self.problem.dot_by_task(gradient, gradient)
        return value, gradient

    def _has_drifted(self, gradient):
        """Whether the gradient of a task has become small beside what its changes were added up from."""
        size = self.problem.dot_by_task(gradient, gradient)
        self.largest = np.maximum(self.largest, size)
        return np.any(size < DRIFT * self.largest)

    def _decrement_grows(self, gradient):
        """Whether, where F is all rounding errors, the preconditioned gradient has become larger."""
        solve = self.preconditioner.solve
        return gradient @ solve(gradient, self.theta) > self.gradient @ solve(self.gradient, self.theta)

    def _count_pass(self):
        self.cost += self.pass_cost
        self.passes += self.pass_cost
        self.since_refresh += self.pass_cost


def safe_ratio(a, b):
    """Return a / b, and 0 where b is not positive."""
    return np.where(b > 0, a / np.where(b > 0, b, 1.0), 0.0)
