"""The best intercept b* for given raw predictions: safeguarded Newton, without a pass over X."""

import numpy as np

MAX_ITERATIONS = 100
SLOW = 15  # iterations after which the softmax starts again, from a smoother problem's solution
# Newton squares the error: after a step this small it is at rounding level.
TOLERANCE = 1e-9
EPS = np.finfo(np.float64).eps


def best_shift(problem, z):
    """Minimise the mean weighted loss over a shift of the raw predictions z.

    Returns
    -------
    shift : ndarray of shape (n_outputs,)
        b* - b; zero without an intercept.
    value, start_value : ndarray of shape (n_tasks,)
        The mean weighted loss at the shift, and at zero.
    """
    start = np.zeros(problem.n_outputs)
    value, gradient, hessian = problem.loss_in_shift(z, start)
    if not problem.fit_intercept:
        return start, value, value
    minimise = {"squared": _shift_squared, "logistic": _shift_logistic, "softmax": _shift_softmax}[problem.loss]
    return *minimise(problem, z, value, gradient, hessian), value


def _shift_squared(problem, z, value, gradient, hessian):
    """The mean residual, twice: the second removes the rounding error of the first."""
    shift = -gradient
    value, gradient, _ = problem.loss_in_shift(z, shift)
    return shift - gradient, value


def _shift_logistic(problem, z, value, gradient, hessian):
    """Newton in one variable, kept inside a bracket: with saturated predictions plain Newton overflows.

    At logit(pi) - max z no row has a probability above pi, the weighted share of the class 1, at logit(pi) - min z
    none has one below; the root lies between.
    """
    rows = slice(None) if problem.rows is None else problem.rows
    logit = np.log(problem.weight @ (problem.y > 0)) - np.log(problem.weight @ (problem.y < 0))
    low, high = logit - z[rows].max(), logit - z[rows].min()
    shift = np.zeros(1)
    for _ in range(MAX_ITERATIONS):
        low, high = (low, min(high, shift[0])) if gradient[0] > 0 else (max(low, shift[0]), high)
        new = shift[0] - gradient[0] / max(hessian[0, 0], np.finfo(float).tiny)
        if not low <= new <= high:
            new = 0.5 * (low + high)
        step, shift = new - shift[0], np.array([new])
        if abs(step) <= TOLERANCE + EPS * abs(new):
            break
        value, gradient, hessian = problem.loss_in_shift(z, shift)
    return shift, value


def _shift_softmax(problem, z, value, gradient, hessian):
    """Newton in the sum-zero subspace where it lowers the loss, else one step of iterative scaling.

    With mean probabilities p_k and weighted class shares pi_k the scaling step d_k = log(pi_k / p_k) minimises the
    upper bound log sum_k p_k exp(d_k) - pi . d of the change (Jensen), so it always descends; Newton alone stalls or
    overflows where the probabilities are saturated. Where both are slow, on predictions far larger than 1, the solution
    for half the predictions, doubled, is a better start.
    """
    K = problem.n_outputs
    share = np.bincount(problem.y.astype(int), weights=problem.weight, minlength=K) / problem.n_samples
    shift = np.zeros(K)
    for iteration in range(MAX_ITERATIONS):
        if iteration == SLOW and np.abs(z).max() > 2:
            half = _shift_softmax(problem, z / 2, *problem.loss_in_shift(z / 2, np.zeros(K)))[0]
            value, gradient, hessian = problem.loss_in_shift(z, shift := 2 * half)
        definite = hessian + 1.0 / K  # the constant vector, which changes no probability, is given curvature 1
        step = np.linalg.lstsq(definite, -gradient, rcond=None)[0]
        candidate = problem.loss_in_shift(z, shift + step)
        solved = np.abs(definite @ step + gradient).max() <= 1e-6 * np.abs(gradient).max()
        if not (solved and candidate[0][0] <= value[0] + 4 * EPS * abs(value[0])):
            step = np.log(share) - np.log(np.maximum(gradient + share, np.finfo(float).tiny))
            candidate = problem.loss_in_shift(z, shift + step)
        step -= step.mean()
        shift = shift + step
        value, gradient, hessian = candidate
        if np.abs(step).max() <= TOLERANCE + EPS * np.abs(shift).max():
            break
    return shift, value
