"""F for coefficients in the span of the rows, where sparse rows are much fewer than columns.

The optimum is w = X~' a for some a, X~ the centred rows, since its gradient is alpha w + X~' r / n (the representer
theorem). So is every iterate of L-BFGS that starts at zero without scaling, and every change that it remembers: kept as
numbers of a row and not of a column, they are the same.
"""

import numpy as np

from skvr.problem import FiniteSum

FEWER = 8  # times as many columns as rows: below, products with the rows are most of a step


def is_cheap_in_span(problem):
    """Whether vectors in the span are cheaper: sparse rows, much fewer than columns, and a penalty."""
    fewer = problem.is_sparse and FEWER * problem.X.shape[0] <= problem.n_features
    return fewer and bool(problem.alpha.min() > 0)


class RowSpan(FiniteSum):
    """The finite sum in w = X~' a, whose parameters are (a, X~ X~' a, b~): of each row its coefficient and its image.

    Linear combinations of parameters are those of each part, so whoever adds and multiplies them need not know. Inner
    products are those of w and b~, a . X~ X~' a', and gradients the gradients in w and b~. b~ is the intercept of the
    centred rows.
    """

    def __init__(self, problem, columns):
        self.__dict__.update(problem.__dict__)
        self.whole, self.columns_of_whole = problem, columns
        self.mean, self.constant = columns.mean, np.flatnonzero(columns.empty)
        self.n_features = 2 * problem.X.shape[0]
        self.columns = columns.of_no_effect(self.n_features)

    def theta(self, v):
        """Return the parameters of the whole finite sum. Half a pass."""
        n = self.X.shape[0]
        theta = self.whole.loss_gradient(v[: n * self.n_outputs] * self.n_samples)
        w, b = self.whole.coef(theta).T, self.whole.intercept(theta)  # as they lie in memory
        if self.fit_intercept:
            w -= self.mean[:, None] * b
            w[self.constant] = 0.0
            b[:] = self.intercept(v) - self.mean @ w
        return theta

    def raw_prediction(self, v, out=None):
        """As of a `FiniteSum`; costs no pass."""
        n = self.X.shape[0]
        z = np.zeros(n * self.n_outputs) if out is None else out
        z.reshape(n, -1)[:] = self.coef(v)[:, n:].T + self.intercept(v)
        return z

    def evaluate(self, v, z):
        """As of a `FiniteSum`."""
        self.raw_prediction(v, z)
        r = self.residual(z)
        value = self.mean_loss(z) + self.by_task(self.penalty(v))
        gradient = self.zeros()
        gradient[: len(r)] = r / self.n_samples
        gradient[len(r) : 2 * len(r)] = self.whole.raw_prediction(self.theta(gradient))
        if self.fit_intercept:
            self.intercept(gradient)[:] = r.reshape(-1, self.n_outputs).sum(axis=0) / self.n_samples
        return value, gradient + self.penalty_gradient(v)

    def dot_by_task(self, u, v):
        """As of a `FiniteSum`."""
        m = self.X.shape[0] * self.n_outputs
        products = self._by_task(u[..., :m], v[m : 2 * m])
        return products + self._by_task(self.intercept(u), self.intercept(v))

    def squared_norm(self, v):
        """As of a `FiniteSum`."""
        n = self.X.shape[0]
        return np.maximum(0.0, np.einsum("kj,kj->k", self.coef(v)[:, :n], self.coef(v)[:, n:]))

    def _by_task(self, u, v):
        if self.n_tasks == 1:
            return np.asarray(u @ v)[..., None]
        shape = len(v) // self.n_outputs, self.n_outputs
        return np.einsum("...jk,jk->...k", u.reshape(*u.shape[:-1], *shape), v.reshape(shape))
