"""The order in which rows are drawn. The epochs' only randomness; automatic step sizes also draw, for power
iterations and random signs."""

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.stats.sampling import DiscreteAliasUrn

from skvr import _kernels
from skvr.smoothness import CURVATURE, row_curvature

# The samples of `growing_samples`: fewer rows say little of a Hessian, or of the optimum.
GROWTH = 8
FEWEST_ROWS = 500
ROWS_PER_PARAMETER = 2.5
COPIED_BYTES = 2**22  # of a sample at the most that is copied
RANK_ROWS = 64  # whose products estimate an effective rank to about a fifth


class Sampling:
    """How the rows of an epoch are drawn: n_samples row numbers at a time.

    Attributes
    ----------
    kernels : the problem's, in which a row's weight is divided by how often it is drawn, so that steps are unbiased.
    frequency : n q_i, how often each row is drawn relative to uniform draws, shape (n_samples in X,); None for 1.
    with_replacement : whether a row may come twice in an epoch.
    """

    frequency = None
    with_replacement = False

    def __init__(self, problem):
        self.problem = problem
        self.kernels = problem.kernels

    def draw(self, rng):
        """Return the rows of one epoch."""
        raise AssertionError("abstract")

    @property
    def frequency_of_outputs(self):
        """`frequency` for the flat residuals, an entry a row and output; 1.0 where it is None."""
        return 1.0 if self.frequency is None else np.repeat(self.frequency, self.problem.n_outputs)

    def variance_factor(self, batch):
        """Return the variance of a batch's mean over that of one row: 1/b, less without replacement."""
        n = self.problem.n_samples
        if self.with_replacement or n == 1:
            return 1 / batch
        return (n - batch) / (batch * (n - 1))


class Shuffled(Sampling):
    """Every row once, in an order drawn anew each epoch."""

    def draw(self, rng):
        return shuffled(self.problem.draw_from(np.arange(self.problem.n_samples, dtype=np.int64)), rng)


class Cyclic(Sampling):
    """Every row once, in the order of X."""

    def draw(self, rng):
        return self.problem.draw_from(np.arange(self.problem.n_samples, dtype=np.int64))


class Uniform(Sampling):
    """Independent draws, every row with probability 1/n."""

    with_replacement = True

    def draw(self, rng):
        rows = np.empty(self.problem.n_samples, dtype=np.int64)
        _kernels.draw(rows, len(rows), _seed(rng))
        return self.problem.draw_from(rows)


class Lipschitz(Sampling):
    """Independent draws, half uniform and half proportional to L_i: q_i = 1/(2n) + L_i / (2 sum_j L_j).

    L_i = c w_i (||x_i||^2 + 1 with an intercept) is the smoothness of a row's weighted loss. A row's gradient is
    weighted by 1 / (n q_i), and max_i L_i / (n q_i) < 2 mean_i L_i takes the place of max_i L_i. Drawn by the alias
    method: O(1) a row. (The lecture, "SAG non-uniform sampling"; Schmidt, Le Roux and Bach 2017, section 4.8.)
    """

    with_replacement = True

    def __init__(self, problem):
        super().__init__(problem)
        q = half_uniform(row_curvature(problem)[problem.used])
        self.frequency = np.ones(problem.X.shape[0])
        self.frequency[problem.used] = problem.n_samples * q
        self.kernels = problem.kernels.reweighted(problem.weight / self.frequency)
        self.urn = DiscreteAliasUrn(q)

    def draw(self, rng):
        rows = self.urn.rvs(self.problem.n_samples, random_state=rng)
        return self.problem.draw_from(rows.astype(np.int64))


SAMPLINGS = {"shuffled": Shuffled, "cyclic": Cyclic, "uniform": Uniform, "lipschitz": Lipschitz}


def check_sampling(sampling, accepted, refused):
    """Raise ValueError unless `sampling` is one of `accepted`; `refused` says why others are not."""
    if isinstance(sampling, str) and sampling in accepted:
        return
    reason = f": {refused[sampling]}" if isinstance(sampling, str) and sampling in refused else ""
    raise ValueError(f"sampling must be one of {list(accepted)}, got {sampling!r}{reason}.")


def shuffled(rows, rng):
    """Shuffle row numbers in place, and return them."""
    _kernels.shuffle(rows, _seed(rng))
    return rows


def _seed(rng):
    """Return 256 random bits for a kernel's generator."""
    return rng.integers(2**64 - 1, size=4, dtype=np.uint64, endpoint=True)


def half_uniform(size):
    """Return probabilities that are half uniform and half proportional to `size`; uniform where that is zero."""
    total = size.sum()
    if total == 0:
        return np.full(len(size), 1 / len(size))
    shares = size / total  # in place from here on: to bring in new pages takes longer than the arithmetic
    shares *= 0.5
    shares += 0.5 / len(size)
    return shares


def row_shares(problem, columns):
    """Return q, the share of each row of positive weight in a weighted draw; sums to 1.

    Half is uniform and half by w_i ||x~_i||^2, x~_i the row in centred and scaled columns, a bound of its leverage:
    rare columns and heavy rows are not missed.
    """
    norms = problem.standardised_row_norms(columns.mean, columns.data_scale)
    norms *= problem.weight
    return half_uniform(norms[problem.used])


def effective_rank(problem, columns, rng):
    """Return an estimate of (tr H)^2 / tr H^2, H = c S + D the bound of the Hessian in scaled columns: p at the most.

    S is their covariance, D their penalty; H has a diagonal of 1. Of two rows drawn independently, and weighted so that
    the mean of x~ x~' is S, E (x~ . y~)^2 is tr S^2. `row_shares` keep them from being larger than twice their mean.
    """
    p, share = problem.n_features, row_shares(problem, columns)
    drawn = rng.choice(problem.n_samples, RANK_ROWS, p=share / share.sum())
    rows = problem.draw_from(drawn)
    root = np.sqrt(CURVATURE[problem.loss] * problem.weight[rows] / (problem.n_samples * share[drawn]))
    Z = np.empty((RANK_ROWS, p + 1))
    problem.kernels.scaled_rows(rows, root, columns.mean, 1 / columns.data_scale, Z.ravel())
    Z[:, -1] = 0.0
    products = dsyrk(1.0, Z.T, trans=1)  # SciPy's BLAS, as for matrices: NumPy's has buffers of its own
    squares = (np.triu(products, 1) ** 2).sum() / (RANK_ROWS * (RANK_ROWS - 1) / 2)
    D = columns.penalty(problem.alpha.min())[:-1]
    return p**2 / max(p, squares + (D * (2 - D)).sum())


def sample_sizes(problem):
    """Return the numbers of rows of `growing_samples`."""
    n = problem.n_samples
    classes = problem.n_outputs if problem.loss == "softmax" else 2
    smallest = max(FEWEST_ROWS, int(ROWS_PER_PARAMETER * (problem.n_features + 1) * classes))
    sizes = []
    size = n // GROWTH
    while size >= smallest:
        sizes.insert(0, size)
        size //= GROWTH
    return sizes or ([smallest] if smallest <= n // 3 else [])


def growing_samples(problem, columns, rng):
    """Yield nested samples of the rows, each 8 times as large as the last, up to n / 8; none of small problems.

    A sample of S rows is that of the smallest u_i / q_i, with q from `row_shares` and one uniform u_i a row for all
    samples. With tau the next of these values a row weighs 1 / min(1, tau q_i): priority sampling (Duffield, Lund and
    Thorup 2007).
    """
    sizes = sample_sizes(problem)
    if not sizes:
        return
    q = row_shares(problem, columns)
    keys = rng.random(problem.n_samples)
    keys /= q
    positions, samples = np.arange(problem.n_samples, dtype=np.int64), []
    for size in reversed(sizes):  # each among the rows of the next larger
        left = keys[positions]
        tau = np.partition(left, size)[size]
        positions = positions[left < tau]
        samples.append((problem.draw_from(positions), 1 / np.minimum(1.0, tau * q[positions])))
    for rows, weight in reversed(samples):
        few = len(rows) / problem.X.shape[0] * problem.size_of_X <= COPIED_BYTES
        yield (problem.copied if few else problem.subset)(rows, weight)
