"""L-BFGS whose initial matrix is the inverse of a sampled Hessian, started on growing samples of the rows."""

import numpy as np

from skvr.solvers.base import Solver, new_state, next_steps
from skvr.solvers.hessian import Columns, cost_of_hessian, cost_of_pass
from skvr.solvers.preconditioner import Diagonal, Hessian, Identity
from skvr.solvers.step_size import constant

ARMIJO = 1e-4
HALVINGS = 50
EPS = np.finfo(np.float64).eps
GROWTH = 8  # of the samples
ROWS_PER_PARAMETER = 5  # of the smallest sample: fewer say little of the Hessian
FEWEST_ROWS = 500
STATISTICAL = 0.1


class LBFGS(Solver):
    estimates_bound = True

    def __init__(self, preconditioner="hessian", start="sample", memory=10):
        self.preconditioner = preconditioner
        self.start = start
        self.memory = memory

    def check(self):
        pass

    def init(self, problem, theta, rng):
        return new_state(constant(1.0, problem), descent=None)

    def epoch(self, problem, theta, state, rng):
        next_steps(state, 1)
        if state.descent is None:
            self._begin(problem, theta, state, rng)
        before = state.descent.cost
        state.descent.step()
        state.passes += (state.descent.cost - before) / cost_of_pass(problem)
        theta[:] = state.descent.theta

    def _begin(self, problem, theta, state, rng):
        columns = preconditioner = None
        cost = 0.0
        if self.preconditioner == "hessian":
            columns = Columns(problem)
            cost = 2 * cost_of_pass(problem)
            for subset in samples(problem, columns, rng) if problem.loss != "squared" and not theta.any() else ():
                descent = Descent(self, subset, columns, theta, preconditioner)
                accuracy = STATISTICAL * len(theta) / subset.n_samples
                for _ in range(30):
                    if not descent.step() or descent.decrement <= accuracy * descent.value.sum():
                        break
                preconditioner = descent.preconditioner
                cost += descent.cost
                if descent.value.sum() <= subset.objective(problem.zeros()).sum():
                    theta[:] = descent.theta
        state.descent = Descent(self, problem, columns, theta, preconditioner)
        state.passes += (cost + state.descent.cost) / cost_of_pass(problem)

    def gradient_estimate(self, problem, theta, state):
        return None if state.descent is None else state.descent.gradient


def samples(problem, columns, rng):
    """Yield nested samples of the rows, each about `GROWTH` times as large as the last, the largest n / `GROWTH`.

    Rows are drawn with probabilities half uniform and half by their squared norms in scaled columns, a bound of their
    leverage: rare columns and heavy rows are not missed. Row i is in the sample if u_i <= tau q_i with one u_i for all
    samples, and weighs 1 / min(1, tau q_i).
    """
    norms = problem.standardised_row_norms(columns.mean, columns.scale)[problem.used] * problem.weight[problem.used]
    n = problem.n_samples
    q = 0.5 / n + 0.5 * norms / max(norms.sum(), np.finfo(float).tiny)
    keys = rng.random(n) / q
    smallest = max(FEWEST_ROWS, ROWS_PER_PARAMETER * (problem.n_features + 1) * len(problem.alpha))
    sizes = []
    size = n // GROWTH
    if size < smallest <= n // 3:
        sizes.append(smallest)
    while size >= smallest:
        sizes.append(size)
        size //= GROWTH
    for size in reversed(sizes):
        tau = np.partition(keys, size)[size]
        positions = np.flatnonzero(keys < tau)
        yield problem.subset(problem.draw_from(positions), 1 / np.minimum(1.0, tau * q[positions]))


class Descent:
    """One run of L-BFGS on one finite sum; `theta` is its own."""

    def __init__(self, solver, problem, columns, theta, preconditioner):
        self.solver, self.problem, self.columns = solver, problem, columns
        self.theta, self.preconditioner = theta.copy(), preconditioner
        self.z = np.zeros(problem.X.shape[0] * problem.n_outputs)
        self.value, self.gradient = problem.evaluate(theta, self.z)
        self.pairs = []
        self.cost = cost_of_pass(problem)
        self.spent = 0.0
        self.decrement = np.inf

    def _refresh(self):
        problem = self.problem
        if self.solver.preconditioner == "hessian":
            shared = problem.loss == "softmax" and (not self.theta.any())
            self.preconditioner = Hessian(problem, self.columns, self.z, shared)
            self.cost += cost_of_hessian(problem, shared)
        elif self.solver.preconditioner == "diagonal":
            self.preconditioner = Diagonal(problem)
        else:
            self.preconditioner = Identity()
        self.pairs.clear()
        self.spent = 0.0
        self.fresh = True

    def step(self):
        """Take one step; return whether it was one."""
        problem = self.problem
        hessian = self.solver.preconditioner == "hessian"
        if self.preconditioner is None or (hessian and self.spent >= cost_of_hessian(problem)):
            self._refresh()
        d = self._direction()
        slope = dot_by_task(problem, self.gradient, d)
        self.decrement = -0.5 * slope.sum()
        t = np.ones(problem.n_tasks)
        z = np.zeros_like(self.z)
        rounding = 8 * EPS * np.abs(self.value)
        for _ in range(HALVINGS):
            theta = self.theta + times_task(problem, t, d)
            value, gradient = problem.evaluate(theta, z)
            self.cost += cost_of_pass(problem)
            self.spent += cost_of_pass(problem)
            if problem.loss == "squared":
                change = gradient - self.gradient
                curvature = dot_by_task(problem, change, d)
                t = np.where(curvature > 0, -slope / np.where(curvature > 0, curvature, 1.0), 0.0)
                theta = self.theta + times_task(problem, t, d)
                gradient = self.gradient + times_task(problem, t, change)
                value = self.value + t * slope + 0.5 * t * t * curvature
                break
            accepted = value <= self.value + ARMIJO * t * slope + rounding
            if accepted.all():
                break
            fitted = -slope * t / (2 * np.maximum((value - self.value) / t - slope, np.finfo(float).tiny))
            t = np.where(accepted, t, np.clip(np.nan_to_num(fitted), 0.1 * t, 0.5 * t))
        else:
            return False
        s, y = theta - self.theta, gradient - self.gradient
        self.pairs.append((s, y, dot_by_task(problem, s, y)))
        if len(self.pairs) > self.solver.memory:
            self.pairs.pop(0)
        self.theta, self.z, self.value, self.gradient = theta, z, value, gradient
        return True

    def _direction(self):
        problem = self.problem
        q = self.gradient.copy()
        factors = []
        for s, y, sy in reversed(self.pairs):
            a = np.where(sy > 0, dot_by_task(problem, s, q) / np.where(sy > 0, sy, 1.0), 0.0)
            q -= times_task(problem, a, y)
            factors.append(a)
        r = self.preconditioner.solve(q, self.theta)
        if self.solver.preconditioner in ("none", "diagonal"):
            if self.pairs:
                s, y, sy = self.pairs[-1]
                r = times_task(problem, sy / dot_by_task(problem, y, self.preconditioner.solve(y, self.theta)), r)
            else:
                from skvr.smoothness import direction_curvature

                r = times_task(problem, dot_by_task(problem, q, r) / direction_curvature(problem, r), r)
        for (s, y, sy), a in zip(self.pairs, reversed(factors), strict=True):
            b = np.where(sy > 0, dot_by_task(problem, y, r) / np.where(sy > 0, sy, 1.0), 0.0)
            r += times_task(problem, a - b, s)
        return -r


def dot_by_task(problem, a, b):
    """Return the inner products of two vectors, flat as theta, task by task."""
    if problem.n_tasks == 1:
        return np.array([a @ b])
    coef = np.einsum("kj,kj->k", problem.coef(a), problem.coef(b))
    return coef + problem.intercept(a) * problem.intercept(b)


def times_task(problem, factor, a):
    """Return a vector, flat as theta, each task's part multiplied by its entry of `factor`."""
    if problem.n_tasks == 1:
        return factor[0] * a
    out = a.copy()
    problem.coef(out)[:] *= factor[:, None]
    problem.intercept(out)[:] *= factor
    return out
