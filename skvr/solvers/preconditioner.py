"""Preconditioners: approximate inverses of the Hessian of F, from rows or from columns.

`form` makes one from the rows of a finite sum, which may be a sample of another's; `solve(gradient, theta)` then
returns H^-1 gradient, flat as theta.
"""

import numpy as np
import scipy.linalg

from skvr.smoothness import CURVATURE
from skvr.solvers.hessian import (
    class_covariance,
    factorise,
    gram,
    gram_product,
    hessian,
    roots_of_rows,
    weight_of_rows,
)
from skvr.solvers.triangle import RANK_TOLERANCE
from skvr.solvers.woodbury import RowFactor, has_fewer_rows, is_cheap_by_rows

KINDS = ("hessian", "nystrom", "diagonal", "none")
RANK = 50
SHARED_FACTOR = 64  # how far the classes' eigenvalues may spread that share a Cholesky factor
TINY = np.finfo(np.float64).tiny
EPS = np.finfo(np.float64).eps


def check_preconditioner(kind):
    """Raise unless `kind` names a preconditioner."""
    if kind not in KINDS:
        raise ValueError(f"preconditioner must be one of {', '.join(map(repr, KINDS))}; got {kind!r}.")


def form(kind, problem, columns, z, rng, coupled=False):
    """Return the preconditioner of a kind from the rows of `problem` at raw predictions z.

    "hessian" is the matrix itself for one output, for squared loss, and where rows take the place of columns. For K
    classes it is else the Kronecker product A (x) B of `Kronecker`, or, if `coupled`, again the matrix itself.
    "diagonal" is the identity in centred and scaled columns, "none" in centred ones.
    """
    if kind == "hessian":
        if problem.loss == "softmax" and not coupled and not is_cheap_by_rows(problem):
            return Kronecker(problem, columns, z)
        return Hessian(problem, columns, z)
    if kind == "nystrom":
        return Nystrom(problem, columns, z, rng)
    return Coordinates(problem, columns, z, scaled=kind == "diagonal")


class Coordinates:
    """A multiple of the identity in centred columns, which may be scaled as well; b has its own curvature.

    A column's curvature is its variance times the mean curvature of the loss at z, plus the penalty. With the largest
    curvature of the loss in place of the mean one, the penalty, most of what rare columns have, would be too small.

    Without centring an intercept is coupled to every column whose mean is not zero, and the more columns there are, the
    closer they come to a constant: a second phase of convergence, that of the intercept, follows the first. Centred, it
    has the mean curvature of the loss, whatever that of the columns is.
    """

    knows_size = False

    def __init__(self, problem, columns, z, scaled):
        self.problem = problem
        self.size = np.ones(problem.n_outputs)
        curvature = problem.loss_in_shift(z, np.zeros(problem.n_outputs))[2].diagonal()
        self.curvature_of_b = np.maximum(curvature, EPS * CURVATURE[problem.loss])
        self.columns = columns.scaled(problem, self.curvature_of_b.mean()) if scaled else columns.unscaled()

    def solve(self, gradient, theta):
        g = self.columns.to_scaled(self.problem, gradient, theta)
        g[:, :-1] *= self.size[:, None]
        g[:, -1] /= self.curvature_of_b
        return self.columns.from_scaled(self.problem, g)

    def resize(self, s, y):
        """Take the size from changes s of theta and y of the gradient: s.y / y.y of each task without the intercept."""
        problem = self.problem
        y_scaled = problem.zeros()
        scaled = self.columns.to_scaled(problem, y, s)
        problem.coef(y_scaled)[:] = scaled[:, :-1]
        b = problem.intercept(s) + problem.coef(s) @ self.columns.mean
        along = problem.dot_by_task(s, y) - problem.by_task(b * scaled[:, -1])
        squares = problem.by_task(problem.squared_norm(y_scaled))
        known = (along > 0) & (squares > 0)
        self.size[:] = np.where(known, along / np.where(known, squares, 1.0), self.size[: len(known)])


class Hessian:
    """The whole matrix: of size p + 1, or (p + 1) K for K classes. For "squared" one factor a distinct alpha.

    Of dense rows, fewer than columns, its inverse is that of a matrix of the rows.
    """

    knows_size = True

    def __init__(self, problem, columns, z):
        self.problem, self.columns = problem, columns
        alphas = sorted(set(problem.alpha.tolist()))
        if has_fewer_rows(problem):
            roots = roots_of_rows(problem, z)
            factors = [RowFactor(columns.rows(problem), columns.scale, roots, alpha) for alpha in alphas]
        else:
            penalties = [columns.penalty(alpha) for alpha in alphas]
            factors = factorise(lambda: hessian(problem, columns, z), np.ones(len(alphas)), penalties)
        self.factors = [(problem.alpha == alpha, factor) for alpha, factor in zip(alphas, factors, strict=True)]
        self.is_whole = all(factor.is_whole for factor in factors)  # no eigenvalue left out, no penalty raised

    def solve(self, gradient, theta):
        g = self.columns.to_scaled(self.problem, gradient, theta)
        step = np.empty_like(g)
        for outputs, factor in self.factors:
            if self.problem.loss == "softmax":
                step[:] = factor.solve(g.ravel()).reshape(g.shape)
            else:
                step[outputs] = factor.solve(g[outputs].T).T
        return self.columns.from_scaled(self.problem, step)


class Kronecker:
    """A (x) B + alpha for K classes, A the K x K covariance of the classes and B a Gram matrix of the rows.

    The Hessian is the mean of w_i (diag(p_i) - p_i p_i') (x) x_i x_i'; A is the mean of the first factors, and B that
    of the second, weighted by the trace of the first. The eigenvectors of A decouple the classes into (lambda_k B +
    alpha)^-1. Eigenvalues from one, l, up to 64 l share its factor: they take l / lambda_k (l B + alpha)^-1, which is
    the inverse for a penalty lambda_k / l times as large. So few factors are kept, usually one.

    Where rows are nearly separated, their covariances of the classes are far from independent of the rows, and steps by
    the product of the means too long: `resize` makes them shorter.

    J. Martens and R. Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature", 2015.
    """

    knows_size = True

    def __init__(self, problem, columns, z):
        self.problem, self.columns = problem, columns
        values, self.vectors, weight = class_eigenvalues(problem, z)
        levels = values.copy()  # in ascending order
        for k in range(1, len(levels)):
            if levels[k] <= SHARED_FACTOR * levels[k - 1]:
                levels[k] = levels[k - 1]
        self.ratios = (levels / values)[:, None]
        distinct = np.unique(levels)[::-1]
        penalties = [columns.penalty(problem.alpha[0])] * len(distinct)
        factors = factorise(lambda: gram(problem, columns, weight), distinct, penalties)
        self.factors = [(levels == level, factor) for level, factor in zip(distinct, factors, strict=True)]
        self.size = 1.0

    def resize(self, s, y):
        """Take a size of at most 1 from changes s of theta and y of the gradient: s.y / y.B y, B as it was formed."""
        self.size = 1.0
        along, product = s @ y, y @ self.solve(y, s)
        if along > 0 and product > 0:
            self.size = min(1.0, along / product)

    def solve(self, gradient, theta):
        g = self.vectors.T @ self.columns.to_scaled(self.problem, gradient, theta)
        for classes, factor in self.factors:
            g[classes] = factor.solve(g[classes].T).T
        return self.columns.from_scaled(self.problem, self.vectors @ (self.size * self.ratios * g))


class Nystrom:
    """A randomised low-rank approximation U diag(s) U' of the Gram matrix, in columns as they are, plus the penalty.

    H^-1 g = U diag(1/(l s + alpha)) U' g + (g - U U' g) / (l s_r + alpha), with l an eigenvalue of the class covariance
    for K classes, else 1, and s_r the smallest of the r = 50 values, in effect 0 where there are fewer.

    Z. Frangella, J. Tropp and M. Udell, "Randomized Nystrom preconditioning", 2023, algorithm 2.1 and eq. 1.3.
    """

    knows_size = True

    def __init__(self, problem, columns, z, rng):
        self.problem = problem
        q = problem.n_features + 1
        self.values = np.ones(problem.n_outputs)
        self.vectors = None
        if problem.loss == "softmax":
            self.values, self.vectors, weight = class_eigenvalues(problem, z)
        else:
            weight = weight_of_rows(problem, z)
        test, _ = np.linalg.qr(rng.standard_normal((q, min(RANK, q))))
        product = gram_product(problem, weight, test)
        core, vectors = np.linalg.eigh(test.T @ product)
        kept = core >= RANK_TOLERANCE * core[-1]  # the others are rounding errors
        root = np.sqrt(np.maximum(core[kept], TINY))
        self.U, singular, _ = scipy.linalg.svd(product @ vectors[:, kept] / root, full_matrices=False)
        self.s = singular**2
        self.rest = self.s[-1] if kept.all() else RANK_TOLERANCE * self.s[0]  # the largest that may be left out

    def solve(self, gradient, theta):
        problem = self.problem
        g = np.column_stack([problem.coef(gradient), problem.intercept(gradient)])
        g = g if self.vectors is None else self.vectors.T @ g
        along = g @ self.U
        tail = np.maximum(self.values * self.rest + problem.alpha, TINY)[:, None]
        scaled = along / np.maximum(np.outer(self.values, self.s) + problem.alpha[:, None], TINY)
        g = scaled @ self.U.T + (g - along @ self.U.T) / tail
        g = g if self.vectors is None else self.vectors @ g
        out = problem.zeros()
        problem.coef(out)[:] = g[:, :-1]
        if problem.fit_intercept:
            problem.intercept(out)[:] = g[:, -1]
        return out


def class_eigenvalues(problem, z):
    """Return the eigenpairs of the class covariance, none near zero, and the weights of the rows in the Gram matrix.

    The smallest eigenvalue belongs to moving all classes together, which changes no probability: it is zero, and the
    gradient has no part in it. It is given the value of the next. Where predictions are saturated others are rounding
    errors, of either sign, too; they are given the size of those, K eps times the largest eigenvalue.
    """
    A, weight = class_covariance(problem, z)
    values, vectors = np.linalg.eigh(A)
    values[0] = values[1]
    return np.maximum(values, max(TINY, len(values) * EPS * values[-1])), vectors, weight
