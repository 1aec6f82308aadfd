"""`auto`, the default: the method for the problem at hand."""

from skvr.smoothness import CURVATURE
from skvr.solvers.base import Solver
from skvr.solvers.lbfgs import LBFGS
from skvr.solvers.sdca import SDCA
from skvr.solvers.woodbury import is_cheap_by_rows

# A Gram matrix of the columns is kept up to this size whatever X is, up to the next if there are as many rows, and in
# any case while it is at most the last share of X. So is one of the rows, but for the second.
SMALL_GRAM, LARGE_GRAM, GRAM_OF_X = 1000, 3000, 1 / 20
# Values a row. In columns scaled to equal curvature, that of the loss alike in all rows, no eigenvalue is above it.
SHORT_ROW = 32
# SDCA needs about this many epochs for a digit at the most, where L-BFGS does not need more passes.
DUAL_CONDITION = 100


class Auto(Solver):
    """The method for the problem at hand. Nothing to tune.

    With p features:

    - `LBFGS` with preconditioner "hessian" while a matrix of p + 1 columns is cheap: p + 1 <= 1000, or p + 1 <= 3000
      and n, or (p + 1)^2 at most a twentieth of the values of X; or one of n dense rows, fewer than the columns: n <=
      1000, or n^2 at most a twentieth of the values, and n K <= 2000 and 2 (p + 1) for K classes;
    - else `LBFGS` with preconditioner "diagonal" for rows of at most 32 values on average;
    - else `SDCA` for one output if c mean w_i ||x_i||^2 <= 100 n alpha, c the largest curvature of the loss;
    - else `LBFGS` without preconditioner.

    The estimator's `solver_` says which ran; `verbose` prints why.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> LogisticRegression().fit(X, y).solver_
    LBFGS()
    """

    def check(self):
        pass  # no hyper-parameter

    def resolve(self, problem):
        return self.choose(problem)[0]

    def choose(self, problem):
        """Return the solver for a problem, and the reason in a few words."""
        n, columns = problem.n_samples, problem.n_features + 1
        values = problem.X.nnz if problem.is_sparse else problem.X.size
        if is_cheap_by_rows(problem) and (n <= SMALL_GRAM or n**2 <= GRAM_OF_X * values):
            return LBFGS(), f"a matrix of {n} rows is cheap beside {columns} columns"
        if columns <= max(SMALL_GRAM, min(n, LARGE_GRAM)) or columns**2 <= GRAM_OF_X * values:
            return LBFGS(), f"a matrix of {columns} columns is cheap beside {n} rows"
        many = f"{columns} columns are too many for a matrix"
        values_per_row = values / problem.X.shape[0]
        if values_per_row <= SHORT_ROW:
            return LBFGS(
                "diagonal"
            ), f"{many}, and rows of {values_per_row:.0f} values nearly orthogonal in scaled ones"
        if problem.n_outputs > 1:
            return LBFGS("none"), f"{many}, {problem.n_outputs} outputs for SDCA"
        c = CURVATURE[problem.loss]
        mean = c * (problem.weight @ problem.squared_row_norms) / n
        if problem.alpha[0] > 0 and mean <= DUAL_CONDITION * n * problem.alpha[0]:
            return SDCA(), f"{many}, and the penalty is strong enough for the dual"
        return LBFGS("none"), f"{many}, and the penalty too weak for the dual"
