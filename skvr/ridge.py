"""Ridge regression."""

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from skvr._base import FiniteSumEstimator
from skvr._callbacks import with_callbacks
from skvr._partial_fit import PartialFitMixin, needs_streaming_solver
from skvr._validation import check_number, check_sample_weight, unchanged_on_failure

# Of the heaviest row's weight. F of smaller y is a subnormal number, and so much smaller a bound is 0.
SMALLEST_SQUARES = np.finfo(np.float64).tiny / np.finfo(np.float64).eps ** 2


def check_alpha(alpha, n_targets):
    """Return alpha as an array of shape (n_targets,), one number or one a target, each finite and >= 0."""
    if np.ndim(alpha) == 0:
        check_number("alpha", alpha[()] if isinstance(alpha, np.ndarray) else alpha, low=0)
        return np.full(n_targets, float(alpha))
    values = np.asarray(alpha)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"alpha must be a number or an array of numbers, got {alpha!r}.")
    if values.shape != (n_targets,):
        raise ValueError(f"alpha must be one number or one per target, shape ({n_targets},); got shape {values.shape}.")
    for value in values:
        check_number("alpha", value, low=0)
    return values.astype(np.float64)


class RidgeBase(PartialFitMixin, FiniteSumEstimator):
    """The squared loss with alpha / S in F."""

    def _alpha_in_F(self, Y, sample_weight, total=None):
        """Return alpha / S of each target, refusing what float64 cannot hold.

        S is the sum of weights, or for a chunk of more rows the `total`; a chunk alone may have tiny targets.
        """
        is_chunk = total is not None
        total = total if is_chunk else sample_weight.sum()
        with np.errstate(over="ignore"):
            alpha = check_alpha(self.alpha, Y.shape[1]) / total
            squares = sample_weight @ (Y * Y)
            vanish = squares < SMALLEST_SQUARES * sample_weight.max()
        if not np.isfinite(alpha).all():
            raise ValueError(
                f"alpha={self.alpha!r} divided by the sum of the sample weights, {total:g}, is too large for float64. "
                "Decrease alpha or increase the weights."
            )
        if not np.isfinite(squares).all():
            raise ValueError("The squares of y are too large for float64. Scale y first.")
        if not is_chunk and vanish.any() and np.any(Y[sample_weight > 0][:, vanish]):
            raise ValueError("The squares of y are too small for float64. Scale y first.")
        return alpha

    def _take_targets(self, solver, X, Y, sample_weight, one_dimensional=False):
        """Run one epoch over a chunk of rows."""

        def penalty(total):
            return self._alpha_in_F(Y, sample_weight, total)

        result, stream, coef, intercept = self._take_chunk(solver, X, Y, sample_weight, penalty, "squared")
        vars(self).update(self._attributes(coef, intercept, one_dimensional))
        self._set_result(result, Y.shape[1], stream)

    def _attributes(self, coef, intercept, one_dimensional=False, **others):
        """Return the attributes in scikit-learn's shapes: one target gives a 1-D coef_, no intercept the number 0.0."""
        intercept = intercept[0] if one_dimensional else intercept
        return {
            "coef_": coef if len(coef) > 1 else coef[0],
            "intercept_": intercept if self.fit_intercept else 0.0,
            **others,
        }


class Ridge(MultiOutputMixin, RegressorMixin, RidgeBase):
    """Ridge regression fitted by a method of finite-sum optimisation.

    Minimises, over coefficients w and an unpenalised intercept b, ::

        F(w, b) = 1/S sum_i s_i (y_i - x_i . w - b)^2 / 2 + alpha/(2 S) ||w||^2,    S = sum_i s_i

    for every target apart. 2 S F is scikit-learn's objective, so `alpha` means what it means there and, at
    convergence, `coef_` and `intercept_` are scikit-learn's (where the optimum is unique: always for `alpha` > 0).

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, one for all targets or one each; 0 is least squares.
    solver : str or solver object, default="auto"
        "auto", "gd", "sgd", "minibatch", "sag", "saga", "svrg", "adagrad", "rmsprop", "adadelta", "adam", or an
        object of :mod:`skvr.solvers`. "auto" needs no tuning, nor scaling of up to 1000 features; the others are the
        textbook methods and converge faster on standardised features.
    step_size : float, str or policy, default="auto"
        What multiplies the gradient of F as written above, or a policy of the solver. "auto" is derived from the
        smoothness of F, sample weights and intercept included, and never diverges. With a solver object, and with
        `solver="auto"`, it must stay "auto".
    batch_size : int, float, str or policy, default="auto"
        Rows a step (or a share of the rows, or a batch that grows), for minibatch, svrg and the adaptive rules.
    tol : float or None, default=1e-4
        The fit ends when (F - F*) / F is certified to be at most `tol` for every target. scikit-learn's `tol` means
        something else for each of its solvers. Being a squared gradient it may lie far below machine epsilon (1e-20
        for coefficients to about 1e-8). Where alpha=0, the largest gradient entry relative to that of the
        intercept-only model. 0 runs down to rounding level; None runs exactly `max_iter` epochs, checks nothing and
        returns the solver's own iterate.
    max_iter : int, default=1000
        Epochs at the most; an epoch is n row gradients, one pass over the data.
    fit_intercept : bool, default=True
        Whether to fit b. It is never penalised.
    warm_start : bool, default=False
        Whether `fit` goes on from the last one: from its coefficients, with its random draws, and SAG with its table.
    random_state : int, RandomState or None, default=None
        Seed of the order in which rows are drawn.
    n_jobs : int or None, default=None
        Threads for passes over all rows, and for steps on mini-batches of 131,072 values or more of dense rows. Does
        not change a bit of the result.
    verbose : int, default=0
        1 prints a line per epoch.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        w, in the dtype of X; 1-D for one target.
    intercept_ : float or ndarray of shape (n_targets,)
        b; 0.0 if `fit_intercept` is False.
    n_iter_ : ndarray of shape (n_targets,)
        Epochs run, the same for all targets.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has names that are all strings.
    solver_ : solver object
        The solver that ran.
    step_size_ : float or ndarray of shape (n_targets,)
        The step size at the end of the fit.
    suboptimality_ : float or ndarray of shape (n_targets,)
        Certified upper bound of (F - F*) / F; nan where alpha=0.
    history_ : dict of ndarray
        A record per evaluation: epoch, passes (effective passes over the data), seconds, objective, gradient_norm,
        bound (on F - F*), step_size, added up over targets; evaluation_passes and evaluation_seconds stand apart.
        `pandas.DataFrame(history_)` is a table.

    Raises
    ------
    ValueError
        From `fit`: for invalid input or parameters, and if the coefficients diverge.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `tol` is not reached: says what was, the likely cause, and one thing to do.

    See Also
    --------
    sklearn.linear_model.Ridge : The same objective by other solvers.

    References
    ----------
    The certified bound is the Polyak-Lojasiewicz inequality at the best intercept, and the Fenchel duality gap.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skvr import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = Ridge(alpha=0.1).fit(X, y)
    >>> bool(reg.score(X, y) > 0.5), bool(reg.suboptimality_ <= 1e-4)
    (True, True)
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        solver="auto",
        step_size="auto",
        batch_size="auto",
        tol=1e-4,
        max_iter=1000,
        fit_intercept=True,
        warm_start=False,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.alpha = alpha
        self.solver = solver
        self.step_size = step_size
        self.batch_size = batch_size
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @unchanged_on_failure
    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows. C-ordered arrays and CSR matrices of float32 or float64 are not copied.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights s_i. A weight of k equals k equal rows, 0 a missing row.

        Returns
        -------
        self : Ridge
            The fitted estimator. If `fit` raises, the estimator is as it was.
        """
        solver = self._check_parameters()
        X, y = self._validate_rows(X, y, multi_output=True, y_numeric=True)
        weight = check_sample_weight(sample_weight, X)
        y = np.asarray(y, dtype=np.float64)
        Y = y.reshape(len(y), -1)
        alpha = self._alpha_in_F(Y, weight)
        task = self._task(X, lambda: y, sample_weight, one_dimensional=y.ndim == 1)
        result = self._solve(task, solver, X, Y, weight, alpha, "squared")
        self._set_result(result, Y.shape[1])
        task.end()
        return self

    @needs_streaming_solver
    @unchanged_on_failure
    def partial_fit(self, X, y, sample_weight=None):
        """Run one epoch over a chunk of rows, going on from the last call.

        For data that do not fit in memory. F is the objective of all rows seen so far, S the sum of their weights, so
        that the penalty alpha / S fades as rows come. Step sizes count the steps of all calls; an automatic one starts
        at what suits the first chunk, falls as 1 / sqrt(1 + k / steps in it), and falls once more where rows are
        larger. A second pass over the same rows counts them again: use `fit` for several, or multiply alpha by their
        number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows of the chunk.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights s_i.

        Returns
        -------
        self : Ridge
            The estimator, as it was if `partial_fit` raises. `suboptimality_` is nan and `history_` empty: F is not
            known.

        Raises
        ------
        AttributeError
            If the solver is not sgd, minibatch or an adaptive rule.
        ValueError
            If the input is invalid, or if the coefficients diverge.
        """
        solver = self._check_parameters()
        first = not hasattr(self, "coef_")
        X, y = self._validate_rows(X, y, reset=first, multi_output=True, y_numeric=True)
        sample_weight = check_sample_weight(sample_weight, X)
        y = np.asarray(y, dtype=np.float64)
        Y = y.reshape(len(y), -1)
        if not first and Y.shape[1] != len(np.atleast_2d(self.coef_)):
            raise ValueError(
                f"y must have {len(np.atleast_2d(self.coef_))} targets as in the first call, got shape {y.shape}."
            )
        self._take_targets(solver, X, Y, sample_weight, one_dimensional=y.ndim == 1)
        return self

    def predict(self, X):
        """Return x . w + b.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted targets.
        """
        return self._raw_prediction(X)
