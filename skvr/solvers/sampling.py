"""The order in which rows are drawn. The epochs' only randomness; automatic step sizes also draw, for power
iterations and random signs."""

import numpy as np


def shuffled(problem, rng):
    """Return every row once, in random order: one epoch without replacement."""
    return problem.draw_from(rng.permutation(problem.n_samples).astype(np.int64, copy=False))


def uniform(problem, rng):
    """Return n_samples rows drawn uniformly with replacement, as SAG and SAGA need.

    At step 1/L SAG diverges with shuffled or cyclic rows already on ten equal rows.
    """
    return problem.draw_from(rng.integers(0, problem.n_samples, size=problem.n_samples, dtype=np.int64))
