"""SDCA: stochastic dual coordinate ascent, with more visits to the rows that still move."""

import numpy as np

from skvr.solvers import sampling
from skvr.solvers.base import Solver, new_state
from skvr.solvers.schedule import constant

FULL_EPOCHS = 2  # the first, in which every row still moves
SWEEP = 0.15  # rows a sweep, of all, once rows are drawn by their movement
UNIFORM = 0.3  # share of a sweep drawn without regard to movement
# The square s^2 of the intercept's column: large beside alpha, so that the centre of its penalty soon arrives at b, and
# small beside a row, so that one row does not move b for all.
OF_ALPHA, OF_ROW = 100.0, 0.01


class SDCA(Solver):
    """Stochastic dual coordinate ascent: the best value of one dual variable at a time.

    F's dual has a variable r_i a row, and w = -1/(alpha n) sum_i r_i x_i. A step maximises the dual in r_i: with
    q = ||x_i||^2 / (alpha n), u = argmin_u 1/2 (u - c)^2 + q w_i loss_i(u) at c = x_i . w + b + q r_i is the row's new
    raw prediction and r_i = (c - u) / q. There is no step size. After two epochs of all rows in shuffled order, rows
    are drawn with probabilities 0.3 uniform and 0.7 by how far they moved when last visited: of separable rows, few
    still do.

    Converges linearly at a rate of about 1 / (1 + c mean ||x_i||^2 / (alpha n)) an epoch: fast for rows of unit norm at
    C = 1, slow for weak penalties. For one output, and alpha > 0.

    Raises
    ------
    ValueError
        From the estimator's `fit`, if alpha is 0 or there are several outputs.

    Notes
    -----
    The dual of an unpenalised intercept is a constraint, sum_i r_i = 0. In its place b is the coefficient of a constant
    column of value s with a penalty about a centre, alpha / (2 s^2) (b - centre)^2, and after every sweep the centre
    moves to b: the method of multipliers.

    References
    ----------
    S. Shalev-Shwartz and T. Zhang, "Stochastic dual coordinate ascent methods for regularized loss minimization", 2013,
    section 4. D. Csiba, Z. Qu and P. Richtarik, "Stochastic dual coordinate ascent with adaptive probabilities", 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = LogisticRegression(solver=solvers.SDCA(), tol=1e-8, random_state=0).fit(scale(X), y == 1)
    >>> bool(clf.suboptimality_ <= 1e-8)
    True
    """

    estimates_bound = True
    is_behind_auto = True

    def check(self):
        pass  # no hyper-parameter

    def init(self, problem, theta, rng):
        if problem.n_outputs > 1:
            raise ValueError(f"SDCA is for one output, and there are {problem.n_outputs}. Use solver='auto'.")
        if problem.alpha[0] == 0:
            raise ValueError("SDCA needs a penalty, and alpha is 0 (C is infinite). Use solver='auto'.")
        norms = problem.squared_row_norms
        square = 0.0
        if problem.fit_intercept:
            square = max(OF_ALPHA * problem.alpha[0], OF_ROW * norms.sum() / problem.n_samples)
        n_rows = problem.X.shape[0]
        state = new_state(
            constant(1.0, problem), residual=np.zeros(n_rows), movement=np.zeros(n_rows), norms=norms, square=square
        )
        if theta.any():  # the dual point that belongs to the start
            state.residual = problem.residual(problem.raw_prediction(theta))
            b = problem.intercept(theta).copy()
            theta[:] = problem.loss_gradient(state.residual) / -problem.alpha[0]
            problem.intercept(theta)[:] = b
            state.passes += 1
        return state

    def epoch(self, problem, theta, state, rng):
        visits = 0
        while visits < problem.n_samples:
            order = self._draw(problem, state, rng)
            before = state.residual[order]
            for rows in problem.slices(order):
                problem.kernels.sdca_epoch(
                    rows, float(problem.n_samples), state.norms, state.square, theta, state.residual
                )
            state.movement[order] = np.abs(state.residual[order] - before)
            # The centre moves to b; what holds b up is then sum_i r_i alone.
            problem.intercept(theta)[:] -= state.square * state.residual.sum() / (problem.alpha[0] * problem.n_samples)
            visits += len(order)
        state.k += 1
        state.passes += visits / problem.n_samples

    def _draw(self, problem, state, rng):
        if state.k < FULL_EPOCHS:
            return sampling.Shuffled(problem).draw(rng)
        movement = state.movement[problem.used]
        mean = movement.mean()
        relative = movement / mean if mean > 0 else 1.0
        q = SWEEP * UNIFORM + SWEEP * (1 - UNIFORM) * relative
        drawn = np.flatnonzero(rng.random(len(movement)) < q)
        return sampling.shuffled(problem.draw_from(drawn), rng) if len(drawn) else sampling.Shuffled(problem).draw(rng)

    def bound_estimate(self, problem, theta, state, certificate):
        """Return the bound if the rows' shares of the gradient, (r_i(w) - r_i) x_i / n, are as good as orthogonal."""
        squares = state.movement**2 * state.norms
        return squares.sum(keepdims=True) / (2 * problem.alpha * problem.n_samples**2)
