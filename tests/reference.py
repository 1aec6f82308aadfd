"""Slow twins of the compiled solvers: the formulas of the lecture "Finite-sum problems", line by line in NumPy.

The lecture minimises f(x) = 1/n sum_i f_i(x). Here x = (w, b) has one row per output, W of shape (K, p) and b of shape
(K,), and

    f_i(w, b) = w_i loss(y_i, W x_i + b) + alpha/2 ||w||^2,    w_i = s_i n / S,    S = sum_i s_i,

with n the number of rows of positive weight: the intercept is not penalised, and several targets may each have their
own alpha. Nothing is random and nothing stops: a function takes the rows in the `order` they are drawn and the step
sizes `steps` of shape (n_steps, K), or a `LineSearch` for them, and returns the last W and b. What is fast in skvr (one
number a row for its gradient, lazy updates, running sums) is spelled out: whole gradients in whole tables, every
coordinate at every step.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logsumexp, softmax

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Problem:
    """F(w, b) = 1/n sum_i f_i(w, b)."""

    X: np.ndarray  # (n_rows, p)
    y: np.ndarray  # labels -1 and 1 ("logistic"), class numbers ("softmax"), targets (n_rows, K) ("squared")
    sample_weight: np.ndarray  # the s_i
    alpha: np.ndarray  # (K,)
    loss: str
    fit_intercept: bool

    @property
    def n(self):
        return np.count_nonzero(self.sample_weight)

    @property
    def weight(self):
        return self.sample_weight * self.n / self.sample_weight.sum()

    def raw_prediction(self, W, b):
        """z_i = W x_i + b, shape (n_rows, K)."""
        return self.X @ W.T + b

    def loss_value(self, z):
        """The weighted losses, shape (n_rows, n_tasks): a target of "squared" is a task of its own."""
        if self.loss == "logistic":
            value = np.logaddexp(0, -self.y[:, None] * z)
        elif self.loss == "softmax":
            value = logsumexp(z, axis=1, keepdims=True) - np.take_along_axis(z, self.y[:, None].astype(int), axis=1)
        else:
            value = (self.y - z) ** 2 / 2
        return self.weight[:, None] * value

    def residual(self, z):
        """r_i = w_i dloss/dz, shape (n_rows, K)."""
        if self.loss == "logistic":
            r = -self.y[:, None] * expit(-self.y[:, None] * z)
        elif self.loss == "softmax":
            r = softmax(z, axis=1) - np.eye(len(self.alpha))[self.y.astype(int)]
        else:
            r = z - self.y
        return self.weight[:, None] * r

    def objective(self, W, b):
        """F of each task, shape (n_tasks,)."""
        penalty = self.alpha / 2 * np.sum(W**2, axis=1)
        if self.loss != "squared":
            penalty = np.sum(penalty, keepdims=True)
        return self.loss_value(self.raw_prediction(W, b)).sum(axis=0) / self.n + penalty

    def gradient(self, W, b):
        """The gradient of F in W and in b."""
        return split(self.full_gradient(join(W, b)))

    # What the lecture writes, with x = (w, b) of shape (K, p + 1).

    def loss_gradients(self, x):
        """The gradients of w_i loss_i(x), all rows: shape (n_rows, K, p + 1)."""
        r = self.residual(self.raw_prediction(*split(x)))
        one = np.full((len(self.X), 1), float(self.fit_intercept))
        return r[:, :, None] * np.hstack([self.X, one])[:, None, :]

    def penalty_gradient(self, x):
        """The gradient of alpha/2 ||w||^2: alpha w, and 0 for the intercept."""
        W, b = split(x)
        return join(self.alpha[:, None] * W, 0 * b)

    def batch_gradient(self, rows, x):
        """1/|B| sum_{i in B} grad f_i(x)."""
        return self.loss_gradients(x)[rows].mean(axis=0) + self.penalty_gradient(x)

    def full_gradient(self, x):
        """grad f(x) = 1/n sum_i grad f_i(x)."""
        return self.loss_gradients(x).sum(axis=0) / self.n + self.penalty_gradient(x)


def join(W, b):
    return np.column_stack([W, b])


def split(x):
    return x[:, :-1], x[:, -1]


def batches(order, batch, steps):
    """Pair the batches B_k of `order` with their steps alpha_k, as columns: one a row of x."""
    firsts = range(0, len(order), batch)
    return [(order[first : first + batch], step[:, None]) for first, step in zip(firsts, steps, strict=True)]


def xoshiro256(seed):
    """Yield the 64-bit numbers of xoshiro256++ (Blackman and Vigna, 2021)."""
    s = [int(word) for word in seed]

    def rotate(x, k):
        return (x << k | x >> (64 - k)) % 2**64

    while True:
        yield (rotate((s[0] + s[3]) % 2**64, 23) + s[0]) % 2**64
        t = (s[1] << 17) % 2**64
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)


def random_below(bound, bits):
    """Return a number below `bound`, all alike (Lemire, 2019, algorithm 5, without its shortcut)."""
    while True:
        x = next(bits) * bound
        if x % 2**64 >= 2**64 % bound:
            return x >> 64


def shuffle(rows, seed):
    """Return the rows in a random order (Knuth, "The Art of Computer Programming", volume 2, algorithm P)."""
    rows, bits = list(rows), xoshiro256(seed)
    for last in range(len(rows) - 1, 0, -1):
        other = random_below(last + 1, bits)
        rows[last], rows[other] = rows[other], rows[last]
    return rows


def gd(problem, W, b, steps):
    """Lecture, "Finite-sum problem", eq. (GD)."""
    x = join(W, b)
    for step in steps[:, :, None]:
        x = x - step * problem.full_gradient(x)
    return split(x)


class LineSearch:
    """Lecture, "SAG convergence notes": backtracking on L; the step size is 1 / (multiple (L + alpha)).

    `L` has one entry a task: one a target for "squared", one for all outputs together otherwise.
    """

    def __init__(self, L, multiple, lower):
        self.L, self.multiple, self.lower = L, multiple, lower

    def step(self, problem, B, x, relative_draws=1.0):
        """Update L on the losses of the rows B, f_i / (n q_i) where rows are drawn with probabilities q_i."""

        def by_task(a):
            return a if problem.loss == "squared" else np.sum(a, keepdims=True)

        def f(x):
            return problem.loss_value(problem.raw_prediction(*split(x)))[B].mean(axis=0) / relative_draws

        g = problem.loss_gradients(x)[B].mean(axis=0) / relative_draws
        self.L = self.lower * self.L
        while True:
            new = x - g / self.L[:, None]
            bound = f(x) + by_task(np.sum(g * (new - x), axis=1)) + self.L / 2 * by_task(np.sum((new - x) ** 2, axis=1))
            if np.all(f(new) <= bound):
                return 1 / (self.multiple * (self.L + problem.alpha))
            self.L = np.where(f(new) <= bound, self.L, 2 * self.L)


def step_size(steps, k, *arguments):
    """Return alpha_k as a column, one a row of x: given, or found by a line search."""
    return (steps.step(*arguments) if isinstance(steps, LineSearch) else steps[k])[:, None]


def method(iterates):
    """Make a function that returns the last W and b of a generator of the x_k, and adds all of them to `total`."""

    @functools.wraps(iterates)
    def run(problem, W, b, *arguments, total=None, **parameters):
        last = join(W, b)
        for x in iterates(problem, last, *arguments, **parameters):
            last = x
            if total is not None:
                total += x
        return split(last)

    return run


@method
def sgd(problem, x, order, steps):
    """Lecture, "Finite-sum problem", eq. (SGD)."""
    for k, i in enumerate(order):
        x = x - step_size(steps, k, problem, [i], x) * problem.batch_gradient([i], x)
        yield x


@method
def minibatch(problem, x, order, steps, batch):
    """Lecture, "Mini-batch SGD"."""
    for k, first in enumerate(range(0, len(order), batch)):
        B = order[first : first + batch]
        x = x - step_size(steps, k, problem, B, x) * problem.batch_gradient(B, x)
        yield x


def initial_gradients(problem, x, initial_table):
    """The table of gradients before the first step, and which rows count in its mean: none of "zeros", else all.

    It holds the gradients of the losses: alpha w is known exactly at every step (Schmidt, Le Roux and Bach, section 4).
    """
    used = problem.sample_weight > 0
    if initial_table == "gradient":
        return problem.loss_gradients(x), used
    if initial_table == "centred":  # lecture, "SAG convergence"
        g = problem.loss_gradients(x)
        return np.where(used[:, None, None], g - g.sum(axis=0) / problem.n, 0), used
    return np.zeros((len(problem.X), *x.shape)), used if initial_table == "counted zeros" else 0 * used


@method
def sag(problem, x, order, steps, initial_table, relative_draws=None):
    """Lecture, "SAG". The mean of the table is over the rows seen so far.

    `relative_draws` holds the n q_i of rows drawn with probabilities q_i, which SAG itself makes no use of.
    """
    g, seen = initial_gradients(problem, x, initial_table)
    for k, i in enumerate(order):
        d = 1.0 if relative_draws is None else relative_draws[i]
        step = step_size(steps, k, problem, [i], x, d)
        g[i], seen[i] = problem.loss_gradients(x)[i], True
        x = x - step * (g.sum(axis=0) / seen.sum() + problem.penalty_gradient(x))
        yield x


@method
def saga(problem, x, order, steps, initial_table, relative_draws=None):
    """Lecture, "Key idea of variance reduction": X - Y + E[Y] with Y the table of SAG. Defazio et al. (2014), eq. 7.

    Lecture, "SAG non-uniform sampling": with probabilities q_i the draw is one of f_i / (n q_i), whose mean is f.
    """
    g, seen = initial_gradients(problem, x, initial_table)
    for k, i in enumerate(order):
        d = 1.0 if relative_draws is None else relative_draws[i]
        step = step_size(steps, k, problem, [i], x, d)
        new, seen[i] = problem.loss_gradients(x)[i], True
        x = x - step * ((new - g[i]) / d + g.sum(axis=0) / seen.sum() + problem.penalty_gradient(x))
        g[i] = new
        yield x


def svrg_inner(problem, x, order, steps, batch, x_tilde):
    """Lecture, "SVRG": the inner loop, with the snapshot x~ held fixed."""
    full = problem.full_gradient(x_tilde)
    for k, first in enumerate(range(0, len(order), batch)):
        B = order[first : first + batch]
        step = step_size(steps, k, problem, B, x)
        x = x - step * (full + (problem.batch_gradient(B, x) - problem.batch_gradient(B, x_tilde)))
        yield x


@method
def svrg(problem, x, orders, steps, batch):
    """Lecture, "SVRG": one inner loop over each of `orders` with its `steps`; then the snapshot moves to the last x."""
    for order, inner_steps in zip(orders, steps, strict=True):
        x_tilde = x
        for x in svrg_inner(problem, x_tilde, order, inner_steps, batch, x_tilde):
            yield x


def adagrad(problem, W, b, order, steps, batch, epsilon):
    """Lecture, "Adagrad"."""
    x = join(W, b)
    v = np.zeros_like(x)
    for B, step in batches(order, batch, steps):
        g = problem.batch_gradient(B, x)
        v = v + g**2
        x = x - step * g / np.sqrt(v + epsilon)
    return split(x)


def rmsprop(problem, W, b, order, steps, batch, gamma, epsilon):
    """Lecture, "RMSProp"."""
    x = join(W, b)
    v = np.zeros_like(x)
    for B, step in batches(order, batch, steps):
        g = problem.batch_gradient(B, x)
        v = gamma * v + (1 - gamma) * g**2
        x = x - step * g / np.sqrt(v + epsilon)
    return split(x)


def adadelta(problem, W, b, order, steps, batch, gamma, rho, epsilon):
    """Lecture, "Adadelta", whose step size is 1: `steps` multiply it."""
    x = join(W, b)
    v, delta = np.zeros_like(x), np.zeros_like(x)
    for B, step in batches(order, batch, steps):
        g = problem.batch_gradient(B, x)
        v = gamma * v + (1 - gamma) * g**2
        g_tilde = np.sqrt(delta + epsilon) / np.sqrt(v + epsilon) * g
        x = x - step * g_tilde
        delta = rho * delta + (1 - rho) * g_tilde**2
    return split(x)


def adam(problem, W, b, order, steps, batch, beta_1, beta_2, epsilon):
    """Lecture, "Adam"."""
    x = join(W, b)
    m, v = np.zeros_like(x), np.zeros_like(x)
    for k, (B, step) in enumerate(batches(order, batch, steps), start=1):
        g = problem.batch_gradient(B, x)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1**k), v / (1 - beta_2**k)
        x = x - step * m_hat / (np.sqrt(v_hat) + epsilon)
    return split(x)


def amsgrad(problem, W, b, order, steps, batch, beta_1, beta_2, epsilon):
    """Reddi, Kale and Kumar (2018), algorithm 2, with the bias corrections of `adam`."""
    x = join(W, b)
    m, v, v_max = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for k, (B, step) in enumerate(batches(order, batch, steps), start=1):
        g = problem.batch_gradient(B, x)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        v_max = np.maximum(v_max, v)
        x = x - step * (m / (1 - beta_1**k)) / (np.sqrt(v_max / (1 - beta_2**k)) + epsilon)
    return split(x)


def heavy_ball(problem, W, b, order, steps, batch, momentum):
    """Polyak (1964): x_{k+1} = x_k - step grad f(x_k) + momentum (x_k - x_{k-1})."""
    x = x_before = join(W, b)
    for B, step in batches(order, batch, steps):
        x, x_before = x - step * problem.batch_gradient(B, x) + momentum * (x - x_before), x
    return split(x)


def nesterov(problem, W, b, order, steps, batch, momentum):
    """Sutskever, Martens, Dahl and Hinton (2013), eq. 3-4. Returned is the point of the next gradient."""
    theta = join(W, b)
    v = np.zeros_like(theta)
    for B, step in batches(order, batch, steps):
        v = momentum * v - step * problem.batch_gradient(B, theta + momentum * v)
        theta = theta + v
    return split(theta + momentum * v)


def sdca(problem, W, b, order, dual, intercept_square):
    """Shalev-Shwartz and Zhang (2013): the best r_i given the others; w = -1/(alpha n) sum_i r_i x_i, one output.

    Returns W, b and the dual variables. At the best r_i it is the derivative of the row's loss where it takes the
    prediction. The intercept is the coefficient of a column of the value sqrt(intercept_square).
    """
    r, start = dual.copy(), join(W, b)
    rows = np.hstack([problem.X, np.ones((len(problem.X), 1))])
    metric = np.append(np.ones(problem.X.shape[1]), intercept_square) / (problem.alpha[0] * problem.n)
    for i in order:
        x = start - metric * ((r - dual) @ rows)
        q = rows[i] @ (metric * rows[i])
        c = x[0] @ rows[i] + q * r[i]

        def derivative(z, i=i):
            return problem.residual(np.full((len(problem.X), 1), z))[i, 0]

        # r - derivative(c - q r) grows with r, and changes its sign between 0 and the derivative at c.
        if q > 0 and derivative(c) != 0:
            r[i] = brentq(lambda r, c=c, q=q: r - derivative(c - q * r), 0, derivative(c), xtol=1e-300, rtol=4 * EPS)
    return *split(start - metric * ((r - dual) @ rows)), r


def preconditioned_svrg_inner(problem, W, b, draws, step, snapshot, precondition):
    """Frangella et al. (2023), algorithm 3: `svrg_inner` in the metric of H^-1, `precondition(gradient, x)`.

    `draws` holds the rows of every batch and their weights.
    """
    x, x_tilde = join(W, b), join(*snapshot)
    for rows, weight in draws:
        change = (problem.loss_gradients(x) - problem.loss_gradients(x_tilde))[rows]
        change = np.einsum("s,skj->kj", weight, change) + problem.penalty_gradient(x - x_tilde)
        x = x - step * precondition(problem.full_gradient(x_tilde) + change, x)
    return split(x)


def bfgs_matrix(inverse, pairs):
    """Nocedal and Wright (2006), eq. 6.17: the inverse Hessian corrected by pairs (s, y), the oldest first."""
    B = inverse
    for s, y in pairs:
        V = np.eye(len(s)) - np.outer(y, s) / (s @ y)
        B = V.T @ B @ V + np.outer(s, s) / (s @ y)
    return B


def hessian(problem, W, b):
    """The Hessian of F in x = (w, b), flat: shape (K (p + 1), K (p + 1))."""
    K, q = len(problem.alpha), problem.X.shape[1] + 1
    z = problem.raw_prediction(W, b)
    if problem.loss == "logistic":
        curvature = (expit(z) * expit(-z))[:, :, None]
    elif problem.loss == "softmax":
        P = softmax(z, axis=1)
        curvature = P[:, :, None] * np.eye(K) - P[:, :, None] * P[:, None, :]
    else:
        curvature = np.broadcast_to(np.eye(K), (len(z), K, K))
    rows = np.hstack([problem.X, np.full((len(problem.X), 1), float(problem.fit_intercept))])
    H = np.einsum("i,ikm,ij,il->kjml", problem.weight / problem.n, curvature, rows, rows)
    penalty = join(np.tile(problem.alpha[:, None], q - 1), np.zeros(K))
    return H.reshape(K * q, K * q) + np.diag(penalty.ravel())
