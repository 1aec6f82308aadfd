"""The best intercept b* for given raw predictions: safeguarded Newton, without a pass over X."""

import numpy as np

MAX_ITERATIONS = 100
SLOW = 15  # iterations after which the softmax starts again, from a smoother problem's solution
# Newton squares the error, since the third derivative is at most the second: after a step this small it is rounding.
TOLERANCE = 1e-7
RESOLVED = 1e-8  # of the root of a squared loss: from a gradient in b this small it falls by less than its rounding
ARMIJO = 1e-4
EPS = np.finfo(np.float64).eps
# Of the loss: a rise that is rounding. Next to b* the loss is flat, and only its gradient tells a start from b*.
NO_RISE = 64 * EPS
FARTHEST = 10.0  # that a step of Newton moves classes apart: from far away no gradient leads back
NO_CURVATURE = 1e-150  # and less: its inverse does not overflow


def best_intercept(problem, z, start):
    """Minimise the mean weighted loss over the intercept.

    Parameters
    ----------
    problem : FiniteSum
        The data.
    z : ndarray
        x_i . w of every row, flat, without an intercept: one that is large would drown them.
    start : ndarray of shape (n_outputs,)
        An intercept to begin with.

    Returns
    -------
    intercept : ndarray of shape (n_outputs,)
        b*; `start` where the problem has no intercept.
    value, start_value : ndarray of shape (n_tasks,)
        The mean weighted loss at b* and at `start`.
    """
    derivatives = problem.loss_in_shift(z, start)
    start_value = derivatives[0]
    if not problem.fit_intercept:
        return start, start_value, start_value
    minimise = {"squared": _squared, "logistic": _logistic, "softmax": _softmax}[problem.loss]
    intercept, value = minimise(problem, z, start, *derivatives)
    if value[0] > start_value[0] + NO_RISE * abs(start_value[0]) and problem.loss == "softmax":
        return start, start_value, start_value  # never worse than what the caller has
    return intercept, np.minimum(value, start_value), start_value


def _squared(problem, z, b, value, gradient, hessian):
    """The mean residual, and once more where the start was far away: that removes its rounding errors."""
    for _ in range(2):
        if (np.abs(gradient) <= RESOLVED * np.sqrt(value)).all() and np.isfinite(value).all():
            break
        b = b - gradient
        value, gradient, _ = problem.loss_in_shift(z, b)
    return b - gradient, value


def _logistic(problem, z, b, value, gradient, hessian):
    """Newton in one variable, kept inside a bracket: with saturated predictions plain Newton overflows.

    At logit(pi) - max z no row has a probability above pi, the weighted share of the class 1, at logit(pi) - min z
    none has one below; the root lies between.
    """
    logit = np.log(problem.weight @ (problem.y > 0)) - np.log(problem.weight @ (problem.y < 0))
    low, high = logit - z[problem.used].max(), logit - z[problem.used].min()
    for _ in range(MAX_ITERATIONS):
        low, high = (low, min(high, b[0])) if gradient[0] > 0 else (max(low, b[0]), high)
        new = b[0] - gradient[0] / max(hessian[0, 0], np.finfo(float).tiny)
        if not low <= new <= high:
            new = 0.5 * (low + high)
        step, b = new - b[0], np.array([new])
        if abs(step) <= TOLERANCE + EPS * abs(new):
            break
        value, gradient, hessian = problem.loss_in_shift(z, b)
    return b, value


def _softmax(problem, z, b, value, gradient, hessian):
    """Newton in the sum-zero subspace where it lowers the loss, else one step of iterative scaling.

    With mean probabilities p_k and weighted class shares pi_k the scaling step d_k = log(pi_k / p_k) minimises the
    upper bound log sum_k p_k exp(d_k) - pi . d of the change (Jensen), so it always descends; Newton alone stalls or
    overflows where the probabilities are saturated. A step that moves classes apart by log(1 + r), where Newton's does
    by r, lowers the loss (F. Bach, "Self-concordant analysis for logistic regression", 2010), and the shortest that is
    tried is shorter. Where both are slow, on predictions far larger than 1, the solution for half the predictions,
    doubled, is a better start if the loss is lower there.
    """
    K = problem.n_outputs
    share = np.bincount(problem.y.astype(int), weights=problem.weight, minlength=K) / problem.n_samples
    for iteration in range(MAX_ITERATIONS):
        if iteration == SLOW and np.abs(z).max() > 2:
            start = 2 * best_intercept(problem, z / 2, np.zeros(K))[0]
            smoother = problem.loss_in_shift(z, start)
            if smoother[0][0] < value[0]:
                b, (value, gradient, hessian) = start, smoother
        # To unit diagonal, since curvatures of rare classes are many decades smaller. There `root` stands for the
        # constant vector, which changes no probability: it is given curvature 1.
        root = np.sqrt(np.maximum(np.diag(hessian), NO_CURVATURE))
        definite = hessian / np.outer(root, root) + np.outer(root, root) / (root @ root)
        newton = np.linalg.lstsq(definite, -gradient / root, rcond=None)[0] / root
        solved = np.abs(hessian @ newton + gradient).max() <= 1e-6 * np.abs(gradient).max()
        if solved and np.abs(newton).max() <= TOLERANCE + EPS * np.abs(b).max():  # changes neither F nor what is next
            b = b + (newton - newton.mean())
            break
        spread = max(np.ptp(newton), FARTHEST)
        for length in (FARTHEST, FARTHEST / 2, FARTHEST / 4, FARTHEST / 8) if solved else ():
            step = length / spread * newton
            candidate = problem.loss_in_shift(z, b + step)
            if candidate[0][0] <= value[0] + ARMIJO * (gradient @ step) + 4 * EPS * abs(value[0]):
                break
        else:
            step = -np.log(np.maximum(1 + gradient / share, EPS))  # a smaller p_k is lost in the gradient p_k - pi_k
            candidate = problem.loss_in_shift(z, b + step)
        step -= step.mean()
        b = b + step
        value, gradient, hessian = candidate
        if np.abs(step).max() <= TOLERANCE + EPS * np.abs(b).max():
            break
    return b, value
