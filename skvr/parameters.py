"""The parameters of a finite sum, one flat vector theta: its parts, its penalty, and arithmetic task by task.

A CSR row keeps the K coefficients of a feature together, a dense row the p coefficients of an output (see rows.hpp).
The intercepts follow. Tasks are the problems that share no parameter, and can be solved apart: the targets of "squared"
are one each, the classes of "softmax" one together.
"""

import numpy as np


class Parameters:
    """The base of `FiniteSum`, which sets its attributes.

    Attributes
    ----------
    n_features, n_outputs, n_tasks : int
    is_sparse : whether the rows are CSR.
    alpha : the penalty of each output, shape (n_outputs,).
    """

    def zeros(self):
        """Return parameters of zero."""
        return np.zeros((self.n_features + 1) * self.n_outputs)

    def coef(self, theta):
        """Return the view of `theta`, or of several, that holds the coefficients: (..., n_outputs, n_features)."""
        flat = theta[..., : self.n_features * self.n_outputs]
        if self.is_sparse:
            return flat.reshape(*theta.shape[:-1], self.n_features, self.n_outputs).swapaxes(-1, -2)
        return flat.reshape(*theta.shape[:-1], self.n_outputs, self.n_features)

    def intercept(self, theta):
        """Return the view of `theta`, or of several, that holds the intercepts: (..., n_outputs)."""
        return theta[..., self.n_features * self.n_outputs :]

    def penalty(self, theta):
        """Return alpha/2 ||w||^2 of each output, shape (n_outputs,)."""
        return 0.5 * self.alpha * self.squared_norm(theta)

    def penalty_gradient(self, theta):
        """Return alpha w, flat as theta, with zeros for the intercepts."""
        out = self.zeros()
        self.coef(out)[:] = self.alpha[:, None] * self.coef(theta)
        return out

    def squared_norm(self, theta):
        """Return ||w||^2 of each output, shape (n_outputs,)."""
        coef = self.coef(theta)
        return np.einsum("kj,kj->k", coef, coef)

    def by_task(self, per_output):
        """Add up `per_output` of shape (n_outputs,) within each task."""
        return per_output if self.n_tasks == self.n_outputs else per_output.sum(keepdims=True)

    def of_task(self, per_output):
        """Return the entries of `per_output`, equal within each task, that belong to the tasks."""
        return per_output if self.n_tasks == self.n_outputs else per_output[:1]

    def dot_by_task(self, a, b):
        """Return the inner products, task by task, of vectors `a` with a vector `b`, flat as theta: (..., n_tasks)."""
        if self.n_tasks == 1:
            return np.asarray(a @ b)[..., None]
        return np.einsum("...kj,kj->...k", self.coef(a), self.coef(b)) + self.intercept(a) * self.intercept(b)

    def combine(self, factors, vectors):
        """Return the sum of the m vectors, flat as theta, each times its factors, of shape (m, n_tasks)."""
        if self.n_tasks == 1:
            return factors[:, 0] @ vectors
        out = self.zeros()
        np.einsum("mk,mkj->kj", factors, self.coef(vectors), out=self.coef(out))
        np.einsum("mk,mk->k", factors, self.intercept(vectors), out=self.intercept(out))
        return out

    def times_task(self, factor, a):
        """Return a vector, flat as theta, each task's part multiplied by its entry of `factor`."""
        if self.n_tasks == 1:
            return factor[0] * a
        out = a.copy()
        self.coef(out)[:] *= factor[:, None]
        self.intercept(out)[:] *= factor
        return out
