"""The smoothness constants L from which automatic step sizes are made.

With c the largest curvature of the loss and f_i = w_i loss_i + alpha/2 ||w||^2, w_i = s_i n / S,

    L_i = c w_i (||x_i||^2 + 1 if there is an intercept) + alpha,    L = max_i L_i,

and L of F itself is c times the largest eigenvalue of 1/n sum_i w_i x_i x_i', plus alpha. The sample weights stand
inside L_i. Targets of Ridge with their own alpha have their own L: shapes are (n_outputs,).
"""

import numpy as np
import scipy.linalg

CURVATURE = {"logistic": 0.25, "softmax": 0.5, "squared": 1.0}
POWER_ITERATIONS = 20
# A power iteration approaches the eigenvalue from below, by a factor of about 1 - log(p) / (2 * iterations).
POWER_MARGIN = 1.1
NOISE_PROBES = 4  # each costs a pass; their mean is right to about 1 / sqrt(4)
NEGLIGIBLE_PENALTY = 1e-200  # mu below this is 0: the PL schedule of a smaller one overflows


def row_curvature(problem):
    """Return L_i - alpha of every row, c w_i (||x_i||^2 + 1), shape (n_samples in X,)."""
    with np.errstate(over="ignore"):
        curvature = CURVATURE[problem.loss] * problem.weight * (problem.squared_row_norms + problem.fit_intercept)
        refuse_overflow(problem, curvature.sum())
    return curvature


def refuse_overflow(problem, total):
    """Raise unless `total`, of the norms of all rows, is finite."""
    if not np.isfinite(total):
        row = int(np.argmax(problem.weight * problem.squared_row_norms))
        raise ValueError(
            f"The squared norms of the rows of X, the largest that of row {row}, or their sum are too large for "
            "float64, and with them the smoothness constant L. Scale the columns first, for example with "
            "sklearn.preprocessing.StandardScaler or MaxAbsScaler."
        )


def max_smoothness(problem, frequency=None):
    """Return L = max_i L_i, shape (n_outputs,); that of the losses weighted by 1 / `frequency`, if given."""
    curvature = row_curvature(problem)
    return (curvature if frequency is None else curvature / frequency).max() + problem.alpha


def full_smoothness(problem, rng):
    """Return L of F by power iteration on the data, shape (n_outputs,), an estimate with a margin of 10 %.

    Never above the mean of the L_i, which bounds it. About 20 effective passes at the most.
    """
    curvature = row_curvature(problem)
    bound = curvature.sum() / problem.n_samples
    c = CURVATURE[problem.loss]
    one_output = problem.single_output()
    v = rng.standard_normal(problem.n_features + 1)
    eigenvalue = 0.0
    for iteration in range(POWER_ITERATIONS):
        if not problem.fit_intercept:
            v[-1] = 0.0
        norm = scipy.linalg.norm(v)  # by BLAS, which does not overflow on the squares
        if norm == 0.0:  # X is zero
            break
        v = one_output.loss_gradient(problem.weight * one_output.raw_prediction(v / norm))
        last, eigenvalue = eigenvalue, scipy.linalg.norm(v)
        # A plateau of log2(p) iterations leaves the eigenvalue within sqrt(2): a random start has a share of about
        # 1 / sqrt(p) of it, which grows by the ratio of the eigenvalues each time.
        if iteration >= np.log2(len(v)) and eigenvalue - last <= 1e-3 * eigenvalue:
            break
    return np.minimum(POWER_MARGIN * c * eigenvalue, bound) + problem.alpha


def batch_smoothness(problem, batch, sampling, rng):
    """Return the two terms of the expected smoothness of a mini-batch of b rows drawn as `sampling` does.

        L_B = n (b - 1) / (b (n - 1)) L_F + (n - b) / (b (n - 1)) max_i L_i     without replacement,
        L_B = (b - 1) / b L_F + 1 / b max_i L_i / (n q_i)                       in independent draws

    (Sebbouh, Gazagnadou, Jelassi, Bach and Gower 2019, proposition 3.8; Gower et al. 2019, "SGD: general analysis and
    improved rates", section 3). The first term is what the batch shares with F, the second what the variance of the
    draw adds. An expected, not a per-batch, bound.

    Returns
    -------
    shared, variance : ndarray of shape (n_outputs,)
        Their sum is L_B.
    """
    n, b = problem.n_samples, batch
    if b == 1:
        return np.zeros(problem.n_outputs), max_smoothness(problem, sampling.frequency)
    L_F = full_smoothness(problem, rng)
    variance = sampling.variance_factor(b)
    if variance == 0:
        return L_F, np.zeros(problem.n_outputs)
    shared = (b - 1) / b if sampling.with_replacement else n * (b - 1) / (b * (n - 1))
    return shared * L_F, variance * max_smoothness(problem, sampling.frequency)


def intercept_curvature(problem):
    """Return the curvature of F in the intercept at w = b = 0, shape (n_outputs,).

    For K classes the smallest eigenvalue on intercepts that sum to zero: 1/K at equal probabilities.
    """
    if problem.loss == "softmax":
        return np.full(problem.n_outputs, 1.0 / problem.n_outputs)
    return np.full(problem.n_outputs, CURVATURE[problem.loss])


def strong_convexity(problem):
    """Return mu, shape (n_outputs,): alpha, with an intercept at most the curvature of F in it; 0 where negligible."""
    mu = problem.alpha
    if problem.fit_intercept:
        mu = np.minimum(mu, intercept_curvature(problem))
    return np.where(mu < NEGLIGIBLE_PENALTY, 0.0, mu)


def descent_step_size(problem, theta, batch, sampling, rng):
    """Return the step size that lowers F most in expectation at `theta`, shape (n_tasks,); 0 at a stationary point.

    The lecture's inequality E F(w - eta g) <= F - eta ||grad F||^2 + eta^2 / 2 E g'Hg, with an upper bound H of the
    Hessian in the place of L, is best at eta = ||grad F||^2 / E g'Hg. A batch of b rows without replacement adds
    (n - b) / (b (n - 1)) of the rows' own mean of g_i'Hg_i, one of independent draws 1/b of the mean of
    g_i'Hg_i / (n q_i), which random signs u estimate: it is the mean of v'Hv for
    v = n^-1/2 sum_i u_i r_i x_i / sqrt(n q_i).
    """
    n, K = problem.n_samples, problem.n_outputs
    residual = problem.residual(problem.raw_prediction(theta))
    g = problem.loss_gradient(residual) + problem.penalty_gradient(theta)
    size = np.abs(g).max()  # everything is divided by it: norms of 1e100 have squares, but not fourth powers
    if size == 0:
        return np.zeros(problem.n_tasks)
    curvature = direction_curvature(problem, g / size)
    variance = sampling.variance_factor(batch)
    if variance > 0:
        for _ in range(NOISE_PROBES):
            signs = np.zeros((len(residual) // K, 1))
            signs[problem.used, 0] = rng.choice([-1.0, 1.0], n)
            if sampling.frequency is not None:
                signs[:, 0] /= np.sqrt(sampling.frequency)
            v = np.sqrt(n) * problem.loss_gradient((signs * residual.reshape(-1, K)).ravel() / size)
            curvature += direction_curvature(problem, v) * variance / NOISE_PROBES
    square = problem.by_task(((problem.coef(g) / size) ** 2).sum(axis=1) + (problem.intercept(g) / size) ** 2)
    return np.where(curvature > 0, square / np.where(curvature > 0, curvature, 1.0), 0.0)


def direction_curvature(problem, direction):
    """Return d'Hd for a direction d, flat as theta, and H = c X'WX / n + alpha, shape (n_tasks,). Half a pass."""
    along = problem.weight @ problem.raw_prediction(direction).reshape(-1, problem.n_outputs) ** 2
    penalty = 2 * problem.by_task(problem.penalty(direction))
    return CURVATURE[problem.loss] * problem.by_task(along) / problem.n_samples + penalty


def sign_curvature(problem, sign):
    """Return an upper bound of the curvature of F along steps of one size in every coordinate, shape (n_tasks,).

    Along `sign`, entries -1, 0, 1 flat as theta, it is d'Hd; along random signs it is the trace of H on average. The
    larger of the two.
    """
    ones = np.ones(problem.n_outputs)
    trace = problem.by_task(row_curvature(problem).sum() / problem.n_samples * ones)
    trace += problem.by_task(problem.alpha * problem.n_features)
    return np.maximum(direction_curvature(problem, sign), trace)
