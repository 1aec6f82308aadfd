"""Preconditioners: approximate inverses of the Hessian of F, from a sample of the rows or from the columns alone.

`make(kind, problem, columns, theta, z)` forms one from the rows of `problem`, which may be a sample, at raw predictions
z; its `solve(gradient, theta)` returns H^-1 gradient, flat as theta.
"""

import numpy as np

from skvr.smoothness import CURVATURE
from skvr.solvers.hessian import Factor, gram, hessian, shared_hessian

KINDS = ("hessian", "nystrom", "diagonal", "none")

class Hessian:
    """The whole matrix: p + 1 for one output, (p + 1) K for K classes, one factor a distinct alpha for "squared"."""

    def __init__(self, problem, columns, z, shared=False):
        self.problem, self.columns, self.shared = problem, columns, shared
        if problem.loss != "squared":
            H = shared_hessian(problem, columns, z) if shared else hessian(problem, columns, z)
            self.factors = [(slice(None), self._factor(H, problem.alpha[0]))]
        else:
            H = gram(problem, columns, problem.weight)
            alphas = np.unique(problem.alpha)
            self.factors = [(problem.alpha == alpha, self._factor(H.copy(order="F"), alpha)) for alpha in alphas]

    def _factor(self, H, alpha):
        return Factor(H, np.append(alpha / self.columns.scale**2, 0.0))

    def solve(self, gradient, theta):
        g = self.columns.to_scaled(self.problem, gradient, theta)
        step = np.empty_like(g)
        coupled = self.problem.loss == "softmax" and not self.shared
        for outputs, factor in self.factors:
            step[outputs] = factor.solve(g.ravel()).reshape(g.shape) if coupled else factor.solve(g[outputs].T).T
        return self.columns.from_scaled(self.problem, step)


class Diagonal:
    """One number a feature and, for the intercept, the mean curvature of the loss."""

    def __init__(self, problem):
        c = CURVATURE[problem.loss]
        self.problem = problem
        curvature = c * problem.second_moment() + problem.alpha[:, None]
        self.curvature = np.where(curvature > 0, curvature, 1.0)
        self.of_intercept = c

    def solve(self, gradient, theta):
        out = gradient.copy()
        self.problem.coef(out)[:] /= self.curvature
        self.problem.intercept(out)[:] /= self.of_intercept
        return out


class Identity:
    """No preconditioner."""

    def solve(self, gradient, theta):
        return gradient.copy()
