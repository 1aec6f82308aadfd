"""SVRG in the metric of a preconditioner, its mini-batches drawn by the weight of the rows."""

import numpy as np

from skvr.solvers.base import Solver, n_batches, new_state, next_steps
from skvr.solvers.batch_size import batch_rows, check_batch_size
from skvr.solvers.hessian import Columns, cost_of_gram, cost_of_pass
from skvr.solvers.preconditioner import check_preconditioner, form
from skvr.solvers.sampling import growing_samples, row_shares
from skvr.solvers.schedule import constant

EPS = np.finfo(np.float64).eps
DEFAULT_BATCH = 512
REFRESH = 2  # snapshots between two preconditioners
PROBED_BATCHES, POWER_ITERATIONS = 3, 6
DIFFERENCE = 1e-3  # of parameters, whose gradient change stands for a product with the Hessian


class PreconditionedSVRG(Solver):
    """Preconditioned SVRG: w -= eta H^-1 (grad f_B(w) - grad f_B(snapshot) + grad F(snapshot)).

    A batch B of b rows is drawn with probabilities q_i, half uniform and half by the squared norms of the rows in
    scaled columns, and weighted by 1 / (n q_i): the estimate is unbiased, and no heavy row decides the step. The
    snapshot moves every epoch. An epoch after which F is higher is undone, and eta halved; otherwise eta recovers by
    1.5 up to 1 / L_B, with L_B the largest eigenvalue of H^-1 times the Hessian of a batch. H is formed anew at every
    second snapshot.

    Parameters
    ----------
    preconditioner : {"hessian", "nystrom", "diagonal", "none"}, default="hessian"
        H. "hessian": the matrix, from a sample of n/8 rows where these are enough; for K classes the Kronecker product
        of their covariance and a Gram matrix. Of dense rows, fewer than columns, its inverse comes from a matrix of the
        rows, also for classes. "nystrom": rank 50 plus the penalty. "diagonal": the curvature of each coordinate in
        centred columns. "none": the identity in these.
    batch_size : int or "auto", default="auto"
        b. "auto" is 512, and all rows for n <= 256.

    Raises
    ------
    TypeError, ValueError
        From the estimator's `fit`, if a parameter is none of these.

    Notes
    -----
    An epoch is n row gradients, and two effective passes with the snapshot's.

    References
    ----------
    Z. Frangella, P. Rathore, S. Zhao and M. Udell, "PROMISE: preconditioned stochastic optimization methods by
    incorporating scalable curvature estimates", 2023, algorithm 3, with other sampling. O. Sebbouh et al., "Towards
    closing the gap between the theory and practice of SVRG", 2019, for the smoothness of batches.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skvr import LogisticRegression, solvers
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> solver = solvers.PreconditionedSVRG()
    >>> clf = LogisticRegression(solver=solver, tol=1e-8, random_state=0).fit(X, y)
    >>> bool(clf.suboptimality_ <= 1e-8)
    True
    """

    adopts_intercept = True
    scales_columns = True

    def __init__(self, preconditioner="hessian", batch_size="auto"):
        self.preconditioner = preconditioner
        self.batch_size = batch_size

    def check(self):
        check_preconditioner(self.preconditioner)
        check_batch_size(self.batch_size, may_grow=False)

    def check_rows(self, problem):
        pass  # `Columns` does

    def init(self, problem, theta, rng):
        columns = Columns(problem)
        share = row_shares(problem, columns)
        return new_state(
            constant(1.0, problem),
            columns=columns,
            share=share,
            cumulative=np.cumsum(share) / share.sum(),
            batch=batch_rows(self.batch_size, problem, automatic=DEFAULT_BATCH),
            factor=1.0,
            snapshot=None,
            age=0,
        )

    def epoch(self, problem, theta, state, rng):
        self._take_snapshot(problem, theta, state)
        if state.age % REFRESH == 0:
            self._refresh(problem, state, rng)
        state.age += 1
        snapshot, _, gradient, residual = state.snapshot
        for _ in range(n_batches(problem.n_samples, state.batch)):
            rows, weight = self._draw(problem, state, rng)
            change = problem.zeros()
            problem.kernels.add_gradient_changes(rows, weight, theta, residual, change)
            change += gradient + problem.penalty_gradient(theta - snapshot)
            theta -= next_steps(state, 1)[0] * state.metric.solve(change, theta)
        state.passes += 1

    def _take_snapshot(self, problem, theta, state):
        """Evaluate F at theta; go back to the last snapshot, with half the step, where it is higher."""
        z = np.zeros(problem.X.shape[0] * problem.n_outputs)
        value, gradient = problem.evaluate(theta, z)
        state.passes += 1
        value = value.sum()
        if state.snapshot is not None:
            last, last_value, _, _ = state.snapshot
            if not value <= last_value + 8 * EPS * abs(last_value):
                theta[:] = last
                state.factor /= 2
                state.age = 0
                self._set_step_size(problem, state)
                return
            state.factor = min(1.5 * state.factor, 1.0)
            self._set_step_size(problem, state)
        state.z = z
        state.snapshot = theta.copy(), value, gradient, problem.residual(z)

    def _set_step_size(self, problem, state):
        state.schedule = constant(state.factor / state.smoothness, problem)

    def _refresh(self, problem, state, rng):
        """Form the preconditioner at the snapshot, and take L_B in its metric by power iteration on batches."""
        sample, z = problem, state.z
        if self.preconditioner == "hessian":
            *_, sample = [problem, *growing_samples(problem, state.columns, rng)]
            z = z if sample is problem else sample.raw_prediction(state.snapshot[0])
            state.passes += cost_of_gram(sample, state.columns) / cost_of_pass(problem)
        state.metric = None  # no two at a time: each may be a matrix
        state.metric = form(self.preconditioner, sample, state.columns, z, rng)
        snapshot, _, _, residual = state.snapshot
        state.smoothness = 1e-12
        for _ in range(PROBED_BATCHES):
            rows, weight = self._draw(problem, state, rng)
            v, noise = problem.zeros(), rng.standard_normal((problem.n_outputs, problem.n_features + 1))
            problem.coef(v)[:], problem.intercept(v)[:] = noise[:, :-1], noise[:, -1]  # whatever the layout of theta
            v = state.metric.solve(v, snapshot)
            for _ in range(POWER_ITERATIONS):
                v *= DIFFERENCE / np.abs(v).max()
                product = problem.penalty_gradient(v)
                problem.kernels.add_gradient_changes(rows, weight, snapshot + v, residual, product)
                v, last = state.metric.solve(product, v), v
                state.smoothness = max(state.smoothness, np.abs(v).max() / np.abs(last).max())
        self._set_step_size(problem, state)

    def _draw(self, problem, state, rng):
        """Return the rows of a batch, drawn with replacement, and their weights 1 / (b n q_i)."""
        positions = np.searchsorted(state.cumulative, rng.random(state.batch), side="right")
        positions = np.minimum(positions, problem.n_samples - 1)
        weight = 1 / (state.batch * problem.n_samples * state.share[positions])
        return problem.draw_from(positions.astype(np.int64, copy=False)), weight

    def gradient_estimate(self, problem, theta, state):
        return state.snapshot[2]
