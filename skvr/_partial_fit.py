"""partial_fit: one epoch over a chunk of rows, for the solvers that need no more."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.metaestimators import available_if

from skvr._blas import one_blas_thread
from skvr._validation import check_total_weight
from skvr.problem import FiniteSum
from skvr.solvers import SOLVERS
from skvr.solvers.solve import Result
from skvr.solvers.stopping import History
from skvr.solvers.stream import Stream


def _streams(estimator):
    """Return whether the estimator's solver takes rows in chunks; raise where not, to say which do."""
    solver = estimator.solver
    kind = SOLVERS.get(solver) if isinstance(solver, str) else type(solver)
    if not getattr(kind, "streams", False):
        names = [name for name, kind in SOLVERS.items() if kind.streams]
        raise AttributeError(f"partial_fit needs one of the solvers {names}, got solver={solver!r}.")
    return True


needs_streaming_solver = available_if(_streams)


class PartialFitMixin:
    """Keeps `_stream` between the calls of `partial_fit`; for subclasses of `FiniteSumEstimator`."""

    def _take_chunk(self, solver, X, y, sample_weight, penalty, loss):
        """Run one epoch over the rows; return the `Result`, the stream, coef (n_outputs, n_features) and intercept.

        `penalty` is a function of S, the weight of all rows seen, that returns the alpha of F, shape (n_outputs,).
        """
        last = getattr(self, "_stream", None)
        stream = (last or Stream(self._rng(), *getattr(self, "_seen", (0, 0.0)))).seen(sample_weight)
        check_total_weight("sample_weight of all rows seen", np.array([stream.weight]))
        alpha = penalty(stream.weight)
        with one_blas_thread():
            mean_weight = stream.weight / stream.n_samples
            problem = FiniteSum(X, y, sample_weight, alpha, loss, bool(self.fit_intercept), self.n_jobs, mean_weight)
            if stream.theta is None:
                stream.theta, stream.is_sparse = problem.zeros(), sp.issparse(X)
                if hasattr(self, "coef_"):
                    self._start_from_last_fit(problem, stream.theta)
            if stream.is_sparse != sp.issparse(X):
                raise ValueError("The chunks of rows must be all sparse or all dense; the first one was different.")
            theta = stream.run(solver, problem)
            n_iter, nan = stream.state.epoch, np.full(problem.n_tasks, np.nan)
            result = Result(n_iter, nan, History(verbose=0).as_dict(), solver, stream.step_size)
            coef, intercept = problem.coef(theta).astype(X.dtype, order="C"), problem.intercept(theta).astype(X.dtype)
        if not (np.all(np.isfinite(coef)) and np.all(np.isfinite(intercept))):
            raise ValueError("A coefficient is too large for X's dtype float32. Pass X as float64.")
        return result, stream, coef, intercept
