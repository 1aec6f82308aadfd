"""What the estimators share: checks of parameters, the start, the call of `solve`, the fitted attributes."""

import warnings
from copy import deepcopy
from importlib.metadata import metadata, version

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils import check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skvr._blas import one_blas_thread
from skvr._callbacks import CallbackSupportMixin, FitTask
from skvr._validation import canonical, check_flag, check_number, check_sparse_structure
from skvr._warnings import warn_of_convergence
from skvr.problem import FiniteSum
from skvr.solvers import certify, get_solver, solve

VERSION = version("skvr")  # of what is pickled
EPS_32 = np.finfo(np.float32).eps  # a smaller tol cannot be kept in float32


def documentation_address():
    """Return the address of the documentation among the URLs of pyproject.toml, or "" if there is none."""
    urls = (url.partition(",")[::2] for url in metadata("skvr").get_all("Project-URL", []))
    return next((address.strip() for name, address in urls if name == "Documentation"), "")


class FiniteSumEstimator(CallbackSupportMixin, BaseEstimator):
    """Base of the estimators; not public."""

    _doc_link_module = "skvr"  # this and the next two are scikit-learn's: the link in an estimator's drawing

    @property
    def _doc_link_template(self):
        address = documentation_address()
        return f"{address.rstrip('/')}/api.html#skvr.{{name}}" if address else ""  # "": no link is drawn

    def _doc_link_url_param_generator(self):
        return {"name": type(self).__name__}

    def _check_parameters(self):
        """Raise unless the parameters common to all estimators are valid; return the solver object."""
        solver = get_solver(self.solver, self.step_size, self.batch_size)
        if self.tol is not None:
            check_number("tol", self.tol, low=0)
        check_number("max_iter", self.max_iter, low=1, integer=True)
        for name in ("fit_intercept", "warm_start"):
            check_flag(name, getattr(self, name))
        if self.n_jobs is not None:
            check_number("n_jobs", self.n_jobs, integer=True)
            if self.n_jobs == 0:
                raise ValueError("n_jobs must be None, a positive number of threads, or negative as in joblib; got 0.")
        if not isinstance(self.verbose, (bool, np.bool_)):
            check_number("verbose", self.verbose, low=0, integer=True)
        return solver

    def _validate_rows(self, X, y=None, reset=True, **check_params):
        """Return X as C-ordered or CSR float data, and y if given, without a copy where X is that already."""
        check_sparse_structure(X)
        validated = validate_data(
            self,
            X,
            y if y is not None or reset else "no_validation",
            reset=reset,
            accept_sparse="csr",
            accept_large_sparse=True,
            dtype=[np.float64, np.float32],
            order="C",
            **check_params,
        )
        rows = validated if y is None else validated[0]
        if rows is not X:  # scipy converts corrupted LIL matrices to corrupted CSR ones
            check_sparse_structure(rows)
        return rows if y is None else (canonical(rows), validated[1])

    def _task(self, X, y, sample_weight, **attributes):
        """Return what callbacks are told of this fit; `y` is a function, `attributes` go to `_attributes`."""
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return FitTask(self, X, y, metadata, lambda *fitted: self._attributes(*fitted, **attributes))

    def _solve(self, task, solver, X, y, sample_weight, alpha, loss):
        """Minimise F and set `coef_`, `intercept_` and the other attributes of the `task`; return the `Result`."""
        with one_blas_thread():
            problem = FiniteSum(X, y, sample_weight, alpha, loss, bool(self.fit_intercept), self.n_jobs)
            theta, memory, rng = problem.zeros(), None, self._rng()
            if self.warm_start and hasattr(self, "coef_"):
                self._start_from_last_fit(problem, theta)
                if getattr(self, "_last", None) is not None:
                    memory, last_rng, random_state = deepcopy(self._last)
                    if random_state == self.random_state:  # the same draws again and again would be cyclic ones
                        rng = last_rng
            result = solve(
                problem,
                solver,
                theta,
                tol=None if self.tol is None else float(self.tol),
                max_iter=int(self.max_iter),
                rng=rng,
                verbose=int(self.verbose),
                memory=memory,
                task=task if task.begin(problem) else None,
            )
            coef, intercept = problem.coef(theta), problem.intercept(theta)
            if loss == "softmax" and self.tol is not None:  # equal shifts of all classes change no probability
                intercept -= intercept.mean()
                if alpha[0] == 0:
                    coef -= coef.mean(axis=0)
            self._last = (result.memory, rng, self.random_state) if self.warm_start else None
            if X.dtype == np.float32:
                self._round_to_float32(problem, theta, result)
        self._seen = problem.n_samples, float(sample_weight.sum())  # where partial_fit goes on
        vars(self).update(task.attributes(coef.astype(X.dtype, order="C"), intercept.astype(X.dtype)))
        return result

    def _rng(self):
        return np.random.default_rng(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _round_to_float32(self, problem, theta, result):
        """Round the parameters to the dtype of `coef_` and certify what is left of them."""
        with np.errstate(over="ignore"):
            theta[:] = theta.astype(np.float32)
        if not np.all(np.isfinite(theta)):
            raise ValueError("A coefficient is too large for X's dtype float32. Pass X as float64.")
        rounded = certify(problem, theta)
        if self.tol is not None and np.any((result.suboptimality <= self.tol) & (rounded > max(self.tol, EPS_32))):
            warn_of_convergence(
                f"In X's dtype float32 the coefficients have a certified relative suboptimality of "
                f"{np.max(rounded):.2e}, not tol={self.tol:g} as before. Pass X as float64, or centre X and y."
            )
        result.suboptimality = rounded

    def _start_from_last_fit(self, problem, theta):
        coef = np.atleast_2d(self.coef_.toarray() if sp.issparse(self.coef_) else self.coef_)
        if coef.shape != (problem.n_outputs, problem.n_features):
            raise ValueError(
                f"The last fit's coef_, where this one is to start, has shape {coef.shape}, but it needs "
                f"{(problem.n_outputs, problem.n_features)}. Fit a clone, or with warm_start=False."
            )
        problem.coef(theta)[:] = coef
        if self.fit_intercept:
            problem.intercept(theta)[:] = self.intercept_

    def _set_result(self, result, n_iter_shape, stream=None):
        self.n_iter_ = np.full(n_iter_shape, result.n_iter, dtype=np.int32)
        # The user's objects, a solver or a policy in it, may change; "auto" takes none.
        self.solver_ = result.solver if self.solver == "auto" else clone(result.solver)
        self.step_size_ = result.step_size if len(result.step_size) > 1 else float(result.step_size[0])
        self.suboptimality_ = result.suboptimality if len(result.suboptimality) > 1 else float(result.suboptimality[0])
        self.history_ = result.history
        self._stream = stream

    def _raw_prediction(self, X):
        """Return X coef_.T + intercept_, shape (n_samples, n_outputs) or (n_samples,) for a 1-D coef_."""
        check_is_fitted(self)
        X = self._validate_rows(X, reset=False)
        return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_

    def __getstate__(self):
        return super().__getstate__() | {"_skvr_version": VERSION}

    def __setstate__(self, state):
        state = dict(state)
        saved = state.pop("_skvr_version", "unknown")
        if saved != VERSION:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=f"skvr {VERSION}",
                    original_sklearn_version=f"skvr {saved}",
                ),
                stacklevel=2,
            )
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
