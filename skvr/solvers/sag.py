"""SAG and SAGA: a table of the last gradient of every row, and steps along its mean."""

import numpy as np

from skvr._validation import check_flag, check_option
from skvr.smoothness import max_smoothness
from skvr.solvers.base import next_steps
from skvr.solvers.first_order import FirstOrder
from skvr.solvers.schedule import inverse

INITIAL_TABLES = ("zeros", "gradient", "centred-gradient")


class SAG(FirstOrder):
    """Stochastic average gradient: g_i <- grad loss_i(w), w -= eta (mean of the g_i + alpha w).

    A row's gradient is a multiple of x_i, so the table takes one number a row and output. Converges linearly where
    alpha > 0.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta, which multiplies an estimate of the gradient of F (mean weighted loss plus alpha/2 ||w||^2). "auto" is
        1/L, L = max_i L_i with the sample weights and the intercept inside. Or a policy: "constant", "pl",
        "pl-literal", "inverse-scaling", "exponential", "line-search", or an object of one (see
        :class:`~skvr.solvers.StepSize`).
    initial_table : {"zeros", "gradient", "centred-gradient"}, default="zeros"
        The g_i before a row is first drawn. "zeros" leaves such rows out of the mean (its divisor is the number of rows
        drawn so far), so that the first epoch is like SGD's; with "lipschitz" draws they count as zeros. "gradient"
        starts at the gradients of the starting point, for one pass; from zero, at 1/L, the first epoch then often
        overshoots. "centred-gradient" subtracts their mean, as the lecture's theorem does. A warm start keeps the last
        fit's table, and without one begins as "gradient" does where this is "zeros".
    sampling : {"uniform", "lipschitz"}, default="uniform"
        How rows are drawn: independently, all alike or half in proportion to L_i, with max_i L_i / (n q_i) < 2 mean L_i
        in the place of L.
    average : bool, default=False
        Whether to return the mean of all iterates, which the lecture's theorem is about, instead of the last one.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    Notes
    -----
    Rows are drawn with replacement: with shuffled or cyclic rows SAG diverges at 1/L.

    References
    ----------
    The lecture "Finite-sum problems", "SAG". M. Schmidt, N. Le Roux and F. Bach, "Minimizing finite sums with the
    stochastic average gradient", 2017, algorithm 1 and section 4 (running count, exact lazy updates, step 1/L, line
    search, non-uniform sampling).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.SAG(), tol=1e-6, random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-6)
    True
    """

    step_size_policies = (*FirstOrder.step_size_policies, "line-search")
    samplings = ("uniform", "lipschitz")
    refused_samplings = {  # noqa: RUF012
        name: "at step 1/L SAG diverges with shuffled or cyclic rows already on ten equal rows"
        for name in ("shuffled", "cyclic")
    }

    def __init__(self, step_size="auto", initial_table="zeros", sampling="uniform", average=False):
        self.step_size = step_size
        self.initial_table = initial_table
        self.sampling = sampling
        self.average = average

    def check(self):
        super().check()
        check_option("initial_table", self.initial_table, INITIAL_TABLES)
        check_flag("average", self.average)

    def init(self, problem, theta, rng):
        state = self._new_state(problem, average=self.average, initial_residual=None, centre=None)
        undrawn = np.full(problem.X.shape[0] * problem.n_outputs, np.nan)
        if self.initial_table == "zeros" and not theta.any():
            state.table, state.sum, state.n_seen = undrawn, problem.zeros(), 0
            self._count_all(problem, state)
        else:
            residual, gradient = problem.residual_gradient(theta)
            residual /= state.sampling.frequency_of_outputs
            state.table, state.sum, state.n_seen = residual, problem.n_samples * gradient, problem.n_samples
            state.passes = 1.0
            if self.initial_table == "centred-gradient":
                state.table, state.n_seen, state.initial_residual, state.centre = undrawn, 0, residual, gradient
        self._set_schedule(problem, theta, state, rng)
        return state

    def remember(self, problem, state):
        return state.table * state.sampling.frequency_of_outputs

    def resume(self, problem, theta, rng, memory):
        """Start with the table of an earlier fit, whose mean is computed anew: half a pass."""
        if len(memory) != problem.X.shape[0] * problem.n_outputs:  # of other data
            return self.init(problem, theta, rng)
        seen = ~np.isnan(memory.reshape(-1, problem.n_outputs)[problem.used, 0])
        if not (seen.all() if self.initial_table == "gradient" else seen.any()):
            return self.init(problem, theta, rng)
        state = self._new_state(problem, average=self.average, initial_residual=None, centre=None)
        state.table, state.n_seen = memory / state.sampling.frequency_of_outputs, int(np.count_nonzero(seen))
        state.sum = problem.n_samples * problem.loss_gradient(np.nan_to_num(memory))
        self._count_all(problem, state)
        state.passes = 0.5
        self._set_schedule(problem, theta, state, rng)
        return state

    def _count_all(self, problem, state):
        """Let rows not yet drawn count as zeros where heavy ones come first, whose mean alone would be too large."""
        if state.sampling.frequency is not None:
            state.table, state.n_seen = np.nan_to_num(state.table), problem.n_samples

    def _safe_step_size(self, problem, theta, state, rng):
        return inverse(max_smoothness(problem, state.sampling.frequency))

    def epoch(self, problem, theta, state, rng):
        for rows in problem.slices(state.sampling.draw(rng)):
            self._advance(problem, rows, next_steps(state, len(rows)), theta, state)
        self._end_epoch(problem, theta, state)

    def _advance(self, problem, rows, steps, theta, state):
        state.n_seen = state.sampling.kernels.sag_epoch(
            rows,
            steps,
            theta,
            state.table,
            state.sum,
            state.n_seen,
            frequency=state.sampling.frequency,
            initial_residual=state.initial_residual,
            centre=state.centre,
            total=state.total,
        )

    def gradient_estimate(self, problem, theta, state):
        if self.average:  # the table is of the last iterates
            return None
        if state.centre is None:
            mean = state.sum / state.n_seen
        else:
            mean = state.sum / problem.n_samples - (1 - state.n_seen / problem.n_samples) * state.centre
        return mean + problem.penalty_gradient(theta)


class SAGA(SAG):
    """SAGA: w -= eta (grad loss_i(w) - g_i + mean of the g + alpha w), then g_i <- grad loss_i(w).

    The unbiased sibling of SAG: one row's change counts fully where SAG counts it with 1/n. The table starts at the
    gradients of the starting point (one pass).

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta, which multiplies an unbiased estimate of the gradient of F (mean weighted loss plus alpha/2 ||w||^2).
        "auto" is 1/(3L), L = max_i L_i with the sample weights and the intercept inside. Or a policy, as in `SAG`.
    sampling : {"uniform", "lipschitz", "shuffled"}, default="uniform"
        How rows are drawn: independently, all alike or half in proportion to L_i, with weights 1 / (n q_i) and
        max_i L_i / (n q_i) in the place of L; or every row once an epoch, in random order.
    average : bool, default=False
        Whether to return the mean of all iterates instead of the last one.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    A. Defazio, F. Bach and S. Lacoste-Julien, "SAGA: a fast incremental gradient method with support for non-strongly
    convex composite objectives", 2014, eq. 7 and theorem 1. M. Schmidt et al., "Non-uniform stochastic average gradient
    method for training conditional random fields", 2015, algorithm 2, for the weights.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.SAGA(), tol=1e-6, random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-6)
    True
    """

    samplings = ("uniform", "lipschitz", "shuffled")
    refused_samplings = {"cyclic": "SAGA fails with cyclic rows"}  # noqa: RUF012
    initial_table = "gradient"  # not a parameter: the estimate is unbiased only over a whole table

    def __init__(self, step_size="auto", sampling="uniform", average=False):
        self.step_size = step_size
        self.sampling = sampling
        self.average = average

    def _safe_step_size(self, problem, theta, state, rng):
        return inverse(3 * max_smoothness(problem, state.sampling.frequency))

    def _search_multiple(self, problem, state):
        return 3.0

    def _advance(self, problem, rows, steps, theta, state):
        state.n_seen = state.sampling.kernels.saga_epoch(
            rows,
            steps,
            theta,
            state.table,
            state.sum,
            state.n_seen,
            frequency=state.sampling.frequency,
            total=state.total,
        )
