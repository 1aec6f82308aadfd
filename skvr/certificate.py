"""How far from the optimum w can be: the bound that every solver stops by.

At w the intercept is set to its best value b* (exactly, on the raw predictions alone). min_b F(w, b) is alpha-strongly
convex in w, so

    F(w, b*) - F* <= ||grad_w F(w, b*)||^2 / (2 alpha),

the Polyak-Lojasiewicz inequality of the lecture, and the Fenchel duality gap at the natural dual point. Without a
penalty (alpha = 0) there is no such bound; the largest gradient entry is then measured against what the residuals of
the intercept-only model could make of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from skvr.intercept import best_intercept
from skvr.smoothness import CURVATURE, refuse_overflow

EPS = np.finfo(np.float64).eps
UNRESOLVED = 1e-6  # times the mean residual: a gradient in b that is more than rounding errors
ROUNDINGS = 16  # roundings of half an eps each that a gradient entry may gather, in the worst case seen


@dataclass
class Evaluation:
    """F and its certified bound at one w. Arrays are of shape (n_tasks,) unless said otherwise.

    Attributes
    ----------
    objective, iterate_objective : F(w, b*) and F(w, b).
    excess : a bound of F(w, b) - F(w, b*), which may be below the rounding errors of F.
    bound : the certified bound on F(w, b*) - F*; nan where alpha = 0.
    gap : what is compared with tol: bound / F, or the relative gradient where alpha = 0.
    floor : the size of `gap` that rounding errors alone can make; 0 where every gap is at most tol, and nobody asks.
    gradient_norm : ||grad_w F(w, b*)||.
    intercept : b*, shape (n_outputs,).
    separated : whether every row lies on its right side of the boundary; looked at only where alpha = 0.
    """

    objective: np.ndarray
    iterate_objective: np.ndarray
    excess: np.ndarray
    bound: np.ndarray
    gap: np.ndarray
    floor: np.ndarray
    gradient_norm: np.ndarray
    intercept: np.ndarray
    separated: bool

    def at_iterate(self):
        """Return the evaluation of (w, b) in the place of (w, b*): F, and with it the bound, is larger."""
        bound = self.bound + self.excess
        gap = np.where(np.isnan(bound), self.gap, bound / np.where(bound > 0, self.iterate_objective, 1.0))
        return replace(self, objective=self.iterate_objective, bound=bound, gap=gap)


class Certificate:
    """Evaluates one problem; holds what does not change with w."""

    def __init__(self, problem):
        self.problem = problem
        self.alpha = problem.of_task(problem.alpha)
        self.free = self.alpha == 0
        self.scale = problem.value_at_zero * (2 if problem.loss == "squared" else 1)  # of targets their mean square
        self.any_free = bool(self.free.any())
        self.null_scale = self._null_gradient_scale() if self.any_free else None

    def _null_gradient_scale(self):
        """Return 1/n sum_i w_i |x_ij| |r0_i|, r0 the residuals of the intercept-only model: (n_outputs, n_features)."""
        problem = self.problem
        z = np.zeros(problem.X.shape[0] * problem.n_outputs)
        intercept = best_intercept(problem, z, np.zeros(problem.n_outputs))[0]
        r = np.abs(problem.residual(z, intercept, out=z)).reshape(-1, problem.n_outputs)
        if problem.loss == "squared":  # a constant target leaves nothing but rounding errors
            r = np.maximum(r, 64 * EPS * np.sqrt(self.scale) * problem.weight[:, None])
        with np.errstate(over="ignore"):
            return sum(abs(block).T @ r[rows] for rows, block in problem.blocks()).T / problem.n_samples

    def measure(self, gradient):
        """Return the bound for a gradient of F, flat as theta, or its relative size where alpha = 0: (n_tasks,)."""
        problem = self.problem
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            bound = problem.by_task(problem.squared_norm(gradient)) / (2 * self.alpha)
            if self.any_free:
                g = problem.coef(gradient)
                ratio = np.where(g == 0, 0.0, np.abs(g) / self.null_scale).max(axis=1, initial=0.0)
                bound = np.where(self.free, ratio if problem.loss == "squared" else ratio.max(), bound)
        return bound

    def evaluate(self, theta, tol=np.inf):
        """Return the `Evaluation` at `theta`, or None where a raw prediction or F overflows. One effective pass."""
        problem = self.problem
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            slopes = theta.copy()
            problem.intercept(slopes)[:] = 0
            z = problem.raw_prediction(slopes)
            if not np.isfinite(z).all():
                return None
            intercept, loss, iterate_loss = best_intercept(problem, z, problem.intercept(theta))
            penalty = problem.by_task(problem.penalty(theta))
            objective = loss + penalty
            if not np.isfinite(objective).all():
                return None
            separated = problem.loss != "squared" and self.any_free and self._separated(z, intercept)
            r = problem.residual(z, intercept, out=z)
            gradient = problem.loss_gradient(r) + problem.penalty_gradient(theta)
            measure = self.measure(gradient)
            size = np.abs(r, out=r)  # in place: with several classes r is most of what an evaluation takes
            if problem.fit_intercept and problem.loss != "squared" and self._unresolved(gradient, size):
                measure = np.full_like(measure, np.inf)  # not at b*: the inequality says nothing
            negligible = measure <= 64 * EPS**2 * self.scale  # a fit that interpolates has F* = 0
            gap = np.where(self.free, measure, np.where(negligible, 0.0, measure / objective))
            return Evaluation(
                objective=objective,
                iterate_objective=iterate_loss + penalty,
                excess=self._excess(problem.intercept(theta) - intercept, iterate_loss - loss, objective),
                bound=np.where(self.free, np.nan, measure),
                gap=gap,
                floor=np.zeros_like(gap) if np.all(gap <= tol) else self._floor(theta, size, intercept, objective),
                gradient_norm=np.sqrt(problem.by_task(problem.squared_norm(gradient))),
                intercept=intercept,
                separated=separated,
            )

    def _unresolved(self, gradient, size):
        return np.abs(self.problem.intercept(gradient)).max() > UNRESOLVED * size.mean()

    def _excess(self, distance, difference, objective):
        """Return a bound of F(w, b) - F(w, b*), from b - b*, the `difference` as computed, and F."""
        smooth = CURVATURE[self.problem.loss] / 2 * self.problem.by_task(distance**2)  # the gradient in b is zero at b*
        return np.minimum(smooth, np.maximum(difference, 0) + ROUNDINGS * EPS * objective)

    def _floor(self, theta, size, intercept, objective):
        """Return the `gap` that rounding errors can make, those of the sum of r_i x_i and of r_i through z_i.

        `size` is |r_i|, flat as the raw predictions.
        """
        problem = self.problem
        w_norm = np.sqrt(problem.by_task(problem.squared_norm(theta)))
        b_norm = np.sqrt(problem.by_task(intercept**2))
        row_norms = np.sqrt(problem.squared_row_norms)
        refuse_overflow(problem, row_norms.max())
        of_sum = problem.by_task(row_norms @ size.reshape(-1, problem.n_outputs))
        weighted = problem.weight * row_norms
        through_z = CURVATURE[problem.loss] * (weighted @ row_norms * w_norm + weighted.sum() * b_norm)
        noise = ROUNDINGS * EPS * ((of_sum + through_z) / problem.n_samples + self.alpha * w_norm)
        floor = noise**2 / (2 * self.alpha * objective)
        if self.any_free:
            largest = self.null_scale.max(axis=1, initial=0.0)
            floor = np.where(self.free, noise / (largest if problem.loss == "squared" else largest.max()), floor)
        return np.nan_to_num(floor, nan=0.0)

    def _separated(self, z, intercept):
        """Whether every row lies on its right side, which proves that the classes are linearly separable."""
        problem = self.problem
        rows = problem.used
        z = z.reshape(-1, problem.n_outputs)[rows] + intercept
        if problem.loss == "logistic":
            return bool(np.all(problem.y[rows] * z[:, 0] > 0))
        own = problem.y[rows].astype(int)[:, None]
        margin = np.take_along_axis(z, own, axis=1)[:, 0]
        np.put_along_axis(z, own, -np.inf, axis=1)
        return bool(np.all(margin > z.max(axis=1)))
