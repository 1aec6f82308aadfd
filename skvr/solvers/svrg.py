"""SVRG: the gradient at a snapshot, corrected row by row."""

from skvr._validation import check_number
from skvr.smoothness import batch_smoothness
from skvr.solvers import sampling
from skvr.solvers.base import Solver, batch_rows, n_batches, new_state, next_steps
from skvr.solvers.step_size import constant, inverse

LONGEST_INNER_LOOP = 1e6  # epochs


class SVRG(Solver):
    """Stochastic variance reduced gradient: w -= eta (grad f_B(w) - grad f_B(snapshot) + grad F(snapshot)).

    The snapshot moves once every `inner_length` epochs, to the last iterate. Its residuals are stored (one number a
    row and output), so the second gradient of a step is free; the full gradient at the snapshot costs one pass, which
    `history_` counts in its effective passes. Converges linearly where alpha > 0.

    Parameters
    ----------
    step_size : float or "auto", default="auto"
        eta, which multiplies an unbiased estimate of the gradient of F (mean weighted loss plus alpha/2 ||w||^2).
        "auto" is 1 / (L_1 + 3 L_2), where L_1 + L_2 = L_B are the terms of the batch's smoothness that F shares and
        that the draw adds: 1/(3L) for single rows, 1/L of F for the whole data.
    batch_size : int or "auto", default="auto"
        Rows a step, drawn in shuffled epochs. "auto" is 1, and all rows for n <= 256.
    inner_length : float, default=2.0
        Length m of the inner loop in epochs (n row gradients), at most 1e6.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    References
    ----------
    The lecture "Finite-sum problems", "SVRG" (with the snapshot moved after the inner loop, not inside it).
    R. Johnson and T. Zhang, "Accelerating stochastic gradient descent using predictive variance reduction", 2013,
    figure 1 with option I, which suggests m = 2n. O. Sebbouh et al., "Towards closing the gap between the theory and
    practice of SVRG", 2019, for L_B.

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

    def __init__(self, step_size="auto", batch_size="auto", inner_length=2.0):
        self.step_size = step_size
        self.batch_size = batch_size
        self.inner_length = inner_length

    def check(self):
        super().check()
        check_number("inner_length", self.inner_length, low=0, high=LONGEST_INNER_LOOP, low_included=False)

    def init(self, problem, theta, rng):
        batch = batch_rows(self.batch_size, problem, automatic=1)
        eta = self.step_size
        if eta == "auto":
            shared, variance = batch_smoothness(problem, batch, rng)
            eta = inverse(shared + 3 * variance)
        return new_state(
            constant(eta, problem), batch=batch, rows_left=0, residual=None, loss_gradient=None, gradient=None
        )

    def epoch(self, problem, theta, state, rng):
        order = sampling.shuffled(problem, rng)
        while len(order):
            if state.rows_left == 0:
                self._take_snapshot(problem, theta, state)
            for rows in problem.slices(order[: state.rows_left], state.batch):
                eta = next_steps(state, n_batches(len(rows), state.batch))
                problem.kernels.svrg_epoch(
                    rows, state.batch, eta, theta, state.residual, state.loss_gradient, n_threads=problem.n_threads
                )
            taken = min(len(order), state.rows_left)
            state.rows_left -= taken
            order = order[taken:]
        state.passes += 1

    def _take_snapshot(self, problem, theta, state):
        state.residual, state.loss_gradient = problem.residual_gradient(theta, out=state.residual)
        state.gradient = state.loss_gradient + problem.penalty_gradient(theta)
        state.rows_left = max(1, round(self.inner_length * problem.n_samples))
        state.passes += 1

    def gradient_estimate(self, problem, theta, state):
        return state.gradient
