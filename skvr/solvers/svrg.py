"""SVRG: the gradient at a snapshot, corrected row by row."""

from skvr._validation import check_number, check_option
from skvr.smoothness import batch_smoothness
from skvr.solvers.base import batch_steps, n_batches
from skvr.solvers.first_order import FirstOrder
from skvr.solvers.schedule import inverse

LONGEST_INNER_LOOP = 1e6  # epochs


class SVRG(FirstOrder):
    """Stochastic variance reduced gradient: w -= eta (grad f_B(w) - grad f_B(snapshot) + grad F(snapshot)).

    The snapshot moves once every `inner_length` epochs, to the last iterate or to the mean of all since. Its residuals
    are stored (one number a row and output), so the second gradient of a step is free; the full gradient at the
    snapshot costs one pass, which `history_` counts in its effective passes. Converges linearly where alpha > 0.

    Parameters
    ----------
    step_size : float, str or policy, default="auto"
        eta, which multiplies an unbiased estimate of the gradient of F (mean weighted loss plus alpha/2 ||w||^2).
        "auto" is 1 / (L_1 + 3 L_2), where L_1 + L_2 = L_B are the terms of the batch's smoothness that F shares and
        that the draw adds: 1/(3L) for single rows, 1/L of F for the whole data. Or a policy: "constant", "pl",
        "pl-literal", "inverse-scaling", "exponential", "line-search", or an object of one (see
        :class:`~skvr.solvers.StepSize`).
    batch_size : int, float, str or policy, default="auto"
        Rows a step. A float in (0, 1) is a share of the rows; "geometric" and "adaptive", or an object of
        :class:`~skvr.solvers.GeometricBatch` or :class:`~skvr.solvers.AdaptiveBatch`, grow. "auto" is 1, and all rows
        for n <= 256.
    inner_length : float, default=2.0
        Length m of the inner loop in epochs (n row gradients), at most 1e6; the last one is cut at `max_iter`.
    snapshot : {"last", "average"}, default="last"
        Where the snapshot moves to, and the next inner loop starts: the last iterate, or the mean of the inner loop's.
    sampling : {"shuffled", "cyclic", "uniform", "lipschitz"}, default="shuffled"
        How rows are drawn: every row once an epoch, in random order or in that of X; or independently, all alike or
        half in proportion to L_i, with weights 1 / (n q_i) and max_i L_i / (n q_i) in the place of max_i L_i.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "SVRG" (with the snapshot moved after the inner loop, not inside it).
    R. Johnson and T. Zhang, "Accelerating stochastic gradient descent using predictive variance reduction", 2013,
    figure 1 with option I, which suggests m = 2n. L. Xiao and T. Zhang, "A proximal stochastic gradient method with
    progressive variance reduction", 2014, for the averaged snapshot and non-uniform draws. O. Sebbouh et al., "Towards
    closing the gap between the theory and practice of SVRG", 2019, for L_B.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(C=0.1, solver=solvers.SVRG(), tol=1e-6, random_state=0).fit(scale(X), y)
    >>> bool(clf.suboptimality_ <= 1e-6)
    True
    """

    step_size_policies = (*FirstOrder.step_size_policies, "line-search")
    samplings = ("shuffled", "cyclic", "uniform", "lipschitz")

    def __init__(self, step_size="auto", batch_size="auto", inner_length=2.0, snapshot="last", sampling="shuffled"):
        self.step_size = step_size
        self.batch_size = batch_size
        self.inner_length = inner_length
        self.snapshot = snapshot
        self.sampling = sampling

    def check(self):
        super().check()
        check_number("inner_length", self.inner_length, low=0, high=LONGEST_INNER_LOOP, low_included=False)
        check_option("snapshot", self.snapshot, ("last", "average"))

    def init(self, problem, theta, rng):
        average = self.snapshot == "average"
        state = self._new_state(
            problem, average=average, rows_left=0, residual=None, loss_gradient=None, gradient=None, inner_steps=0
        )
        self._set_schedule(problem, theta, state, rng)
        return state

    def _safe_step_size(self, problem, theta, state, rng):
        shared, variance = batch_smoothness(problem, state.batch, state.sampling, rng)
        return inverse(shared + 3 * variance)

    def _search_multiple(self, problem, state):
        return 1.0 if state.batch == problem.n_samples and not state.sampling.with_replacement else 3.0

    def epoch(self, problem, theta, state, rng):
        order = state.sampling.draw(rng)
        while len(order):
            if state.rows_left == 0:
                self._take_snapshot(problem, theta, state)
            for rows in problem.slices(order[: state.rows_left], state.batch):
                state.sampling.kernels.svrg_epoch(
                    rows,
                    state.batch,
                    batch_steps(state, len(rows)),
                    theta,
                    state.residual,
                    state.loss_gradient,
                    state.total,
                    n_threads=problem.n_threads,
                )
                state.inner_steps += n_batches(len(rows), state.batch)
            taken = min(len(order), state.rows_left)
            state.rows_left -= taken
            order = order[taken:]
        self._end_epoch(problem, theta, state)

    def _take_snapshot(self, problem, theta, state):
        """Move the snapshot: its residuals, as the sampling weights them, and its gradient."""
        theta[:] = self.iterate(problem, theta, state)
        if state.total is not None:
            state.total[:] = 0
        state.inner_steps = 0
        state.residual, state.loss_gradient = problem.residual_gradient(theta, out=state.residual)
        state.residual /= state.sampling.frequency_of_outputs
        state.gradient = state.loss_gradient + problem.penalty_gradient(theta)
        state.rows_left = max(1, round(self.inner_length * problem.n_samples))
        state.passes += 1

    def iterate(self, problem, theta, state):
        """Return the point the snapshot would move to now."""
        return theta if state.total is None or state.inner_steps == 0 else state.total / state.inner_steps

    def _row_gradients(self, residual, state):
        return residual - state.residual * state.sampling.frequency_of_outputs

    def gradient_estimate(self, problem, theta, state):
        return state.gradient
