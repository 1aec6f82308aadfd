"""SDCA: stochastic dual coordinate ascent."""

import numpy as np

from skvr.solvers import sampling
from skvr.solvers.base import Solver, new_state, next_steps
from skvr.solvers.step_size import constant

SLOW = 0.35


class SDCA(Solver):
    adopts_intercept = True

    def check(self):
        pass

    def init(self, problem, theta, rng):
        return new_state(constant(1.0, problem), residual=np.zeros(problem.X.shape[0]), slow=False, movement=np.inf, k_epochs=0)

    def epoch(self, problem, theta, state, rng):
        before = state.residual.copy()
        for rows in problem.slices(sampling.shuffled(problem, rng)):
            problem.kernels.sdca_epoch(rows, float(problem.n_samples), problem.squared_row_norms, theta, state.residual)
        if problem.fit_intercept:  # the centre of the intercept's penalty moves to b
            problem.intercept(theta)[:] -= state.residual.sum() / (problem.alpha[0] * problem.n_samples)
        movement = ((state.residual - before) ** 2).sum()
        state.slow = movement > SLOW * state.movement
        state.movement = movement
        next_steps(state, 1)
        state.passes += 1
