"""What the first-order methods of the lecture share: step sizes, sampling, batches, averages, chunks of rows."""

import numpy as np

from skvr.solvers.base import Solver, n_batches, new_state
from skvr.solvers.batch_size import batch_rows, check_batch_size
from skvr.solvers.batch_size import get_policy as get_batch_policy
from skvr.solvers.sampling import SAMPLINGS, check_sampling
from skvr.solvers.step_size import Constant, check_step_size
from skvr.solvers.step_size import get_policy as get_step_policy


class FirstOrder(Solver):
    """A method that steps along gradients of drawn rows, w -= eta_k g_k."""

    step_size_policies = ("constant", "pl", "pl-literal", "inverse-scaling", "exponential")
    # How rows may be drawn, the default first, and why not otherwise.
    samplings = ()
    refused_samplings = {}  # noqa: RUF012
    batch_size = 1  # a parameter where steps take batches

    def check(self):
        """Raise unless every hyper-parameter is valid."""
        check_step_size(self.step_size, self.step_size_policies)
        check_batch_size(self.batch_size)
        if self.samplings:
            check_sampling(self.sampling, self.samplings, self.refused_samplings)

    def _new_state(self, problem, average=False, **state):
        """Return a state with the sampling, the batch, and the sum of iterates where they are averaged."""
        state = new_state(None, **state)
        state.sampling = SAMPLINGS[self.sampling](problem)
        state.batch = state.first_batch = state.grown_batch = self._first_batch(problem)
        state.total = problem.zeros() if average else None
        return state

    def _automatic_batch(self, problem):
        """Return the batch of batch_size="auto" where it is not the whole data."""
        return 1

    def _first_batch(self, problem):
        return batch_rows(self.batch_size, problem, self._automatic_batch(problem))

    def _set_schedule(self, problem, theta, state, rng):
        """Make the schedule of step sizes from the policy; `state` has its sampling and batch."""
        policy, state.start, state.L = get_step_policy(self.step_size), None, None
        if policy is None:
            policy = self._automatic_policy(problem)
            state.start = self._automatic_start(problem, theta, state, rng)
        elif not policy.acts_per_step and policy.start == "auto":
            state.start = self._safe_step_size(problem, theta, state, rng)
        state.steps_per_epoch = n_batches(problem.n_samples, state.batch)
        self._apply(policy, problem, state)

    def _apply(self, policy, problem, state):
        if policy.acts_per_step:
            multiple = self._search_multiple(problem, state)
            state.schedule = policy.search(problem, multiple, state.sampling.frequency, state.L)
            state.L = state.schedule.L
        else:
            state.schedule = policy.schedule(problem, state.start, state.steps_per_epoch)

    def _automatic_policy(self, problem):
        """Return the policy of step_size="auto"."""
        return Constant()

    def _automatic_start(self, problem, theta, state, rng):
        """Return where the policy of step_size="auto" starts, shape (n_outputs,)."""
        return self._safe_step_size(problem, theta, state, rng)

    def _safe_step_size(self, problem, theta, state, rng):
        """Return the step size at which a policy starts unless told, shape (n_outputs,)."""
        raise AssertionError("abstract")

    def _search_multiple(self, problem, state):
        """Return the m of a line search's step 1 / (m (L + alpha))."""
        return 1.0

    def go_on(self, problem, theta, state, rng):
        """Prepare `state` for an epoch over a new chunk of rows; an automatic step size may only be smaller for it."""
        state.sampling = SAMPLINGS[self.sampling](problem)
        grows = get_batch_policy(self.batch_size) is not None
        state.batch = min(state.grown_batch, problem.n_samples) if grows else self._first_batch(problem)
        start = state.start
        if start is not None:
            state.start = self._start_of_chunk(problem, theta, state, rng)
        self._apply(get_step_policy(self.step_size) or self._automatic_policy(problem), problem, state)
        state.start = start

    def _start_of_chunk(self, problem, theta, state, rng):
        """Return `state.start`, or what is safe for the rows of this chunk where it is smaller."""
        return np.minimum(state.start, self._safe_step_size(problem, theta, state, rng))

    def _end_epoch(self, problem, theta, state):
        """Count an epoch, and let the batch grow."""
        state.passes += 1
        state.epoch += 1
        policy = get_batch_policy(self.batch_size)
        if policy is not None:
            state.batch = policy.next(
                problem, state.first_batch, state.batch, state.epoch, lambda: self._measure(problem, theta, state)
            )
            state.grown_batch = max(state.grown_batch, state.batch)  # a small chunk does not shrink it

    def _measure(self, problem, theta, state):
        """Return ||grad F||^2 and the variance of one row's gradient estimate, E ||g_i||^2 - ||grad||^2. One pass."""
        residual, loss_gradient = problem.residual_gradient(theta)
        gradient = loss_gradient + problem.penalty_gradient(theta)
        state.passes += 1
        rows = self._row_gradients(residual, state)
        squares = np.square(rows).reshape(-1, problem.n_outputs).sum(axis=1)[problem.used]
        squares = squares * (problem.squared_row_norms + problem.fit_intercept)[problem.used]
        if state.sampling.frequency is not None:
            squares = squares / state.sampling.frequency[problem.used]
        mean = problem.loss_gradient(rows) if rows is not residual else loss_gradient
        return gradient @ gradient, max(0.0, squares.mean() - mean @ mean)

    def _row_gradients(self, residual, state):
        """Return the residuals whose multiples of x_i are a step's random part: all of it, but for control variates."""
        return residual
