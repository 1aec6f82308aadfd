"""The order in which rows are drawn. The epochs' only randomness; automatic step sizes also draw, for power
iterations and random signs."""

import numpy as np

# The samples of `growing_samples`: fewer rows say little of a Hessian, or of the optimum.
GROWTH = 8
FEWEST_ROWS = 500
ROWS_PER_PARAMETER = 2.5


def shuffled(problem, rng):
    """Return every row once, in random order: one epoch without replacement."""
    return problem.draw_from(rng.permutation(problem.n_samples).astype(np.int64, copy=False))


def uniform(problem, rng):
    """Return n_samples rows drawn uniformly with replacement, as SAG and SAGA need.

    At step 1/L SAG diverges with shuffled or cyclic rows already on ten equal rows.
    """
    return problem.draw_from(rng.integers(0, problem.n_samples, size=problem.n_samples, dtype=np.int64))


def row_shares(problem, columns):
    """Return q, the share of each row of positive weight in a weighted draw; sums to 1.

    Half is uniform and half by w_i ||x~_i||^2, x~_i the row in centred and scaled columns, a bound of its leverage:
    rare columns and heavy rows are not missed.
    """
    norms = (problem.weight * problem.standardised_row_norms(columns.mean, columns.data_scale))[problem.used]
    return 0.5 / problem.n_samples + 0.5 * norms / max(norms.sum(), np.finfo(np.float64).tiny)


def growing_samples(problem, columns, rng):
    """Yield nested samples of the rows, each 8 times as large as the last, up to n / 8; none of small problems.

    A sample of S rows is that of the smallest u_i / q_i, with q from `row_shares` and one uniform u_i a row for all
    samples. With tau the next of these values a row weighs 1 / min(1, tau q_i): priority sampling (Duffield, Lund and
    Thorup 2007).
    """
    n = problem.n_samples
    classes = problem.n_outputs if problem.loss == "softmax" else 2
    smallest = max(FEWEST_ROWS, int(ROWS_PER_PARAMETER * (problem.n_features + 1) * classes))
    sizes = []
    size = n // GROWTH
    while size >= smallest:
        sizes.insert(0, size)
        size //= GROWTH
    if not sizes and smallest <= n // 3:
        sizes = [smallest]
    if not sizes:
        return
    q = row_shares(problem, columns)
    keys = rng.random(n) / q
    for size in sizes:
        tau = np.partition(keys, size)[size]
        positions = np.flatnonzero(keys < tau)
        yield problem.subset(problem.draw_from(positions), 1 / np.minimum(1.0, tau * q[positions]))
