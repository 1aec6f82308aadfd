"""Logistic regression: labels, C -> alpha, probabilities."""

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from skvr._base import FiniteSumEstimator
from skvr._callbacks import with_callbacks
from skvr._classes import LinearClassifierMixin
from skvr._partial_fit import PartialFitMixin, needs_streaming_solver
from skvr._validation import check_number, unchanged_on_failure


class LogisticRegression(LinearClassifierMixin, PartialFitMixin, FiniteSumEstimator):
    """Logistic regression fitted by a method of finite-sum optimisation.

    Minimises, over coefficients w and an unpenalised intercept b, ::

        F(w, b) = 1/S sum_i s_i loss(y_i, x_i . w + b) + alpha/2 ||w||^2,    S = sum_i s_i,    alpha = 1 / (C S)

    with the loss log(1 + exp(-y z)) for two classes (y = -1, 1) and the softmax cross-entropy for more (true
    multinomial). C S F is scikit-learn's objective, so `C` means what it means there and, at convergence, `coef_` and
    `intercept_` are scikit-learn's.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty, in (0, inf]; `inf` is no penalty.
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
        The fit ends when (F - F*) / F is certified to be at most `tol`. Unlike scikit-learn's `tol`, which bounds a
        gradient entry or a change and means something else for each solver, this is one bound on the objective for
        all; being a squared gradient it may lie far below machine epsilon (1e-20 for coefficients to about 1e-8).
        Where C=inf, the largest gradient entry relative to that of the intercept-only model. 0 runs down to rounding
        level; None runs exactly `max_iter` epochs, checks nothing and returns the solver's own iterate.
    max_iter : int, default=1000
        Epochs at the most; an epoch is n row gradients, one pass over the data (scikit-learn's lbfgs counts
        iterations of several passes, its sag epochs).
    fit_intercept : bool, default=True
        Whether to fit b. It is never penalised.
    class_weight : dict, "balanced" or None, default=None
        Multiplies the sample weights by a weight per class; "balanced" by S / (n_classes * S_class).
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
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        w, in the dtype of X.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        b; sums to zero over more than two classes.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_iter_ : ndarray of shape (1,)
        Epochs run.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has names that are all strings.
    solver_ : solver object
        The solver that ran.
    step_size_ : float or ndarray of shape (n_classes,)
        The step size at the end of the fit.
    suboptimality_ : float
        Certified upper bound of (F - F*) / F; nan where C=inf.
    history_ : dict of ndarray
        A record per evaluation: epoch, passes (effective passes over the data), seconds, objective, gradient_norm,
        bound (on F - F*), step_size; evaluation_passes and evaluation_seconds stand apart.
        `pandas.DataFrame(history_)` is a table.

    Raises
    ------
    ValueError
        From `fit`: for invalid input or parameters, for fewer than two classes, and if the coefficients diverge.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `tol` is not reached: says what was, the likely cause, and one thing to do.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same objective by other solvers.
    RidgeClassifier : Classifier by squared loss.

    References
    ----------
    The certified bound is the Polyak-Lojasiewicz inequality at the best intercept, and the Fenchel duality gap.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skvr import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = LogisticRegression().fit(X, y)
    >>> bool(clf.score(X, y) > 0.95), bool(clf.suboptimality_ <= 1e-4)
    (True, True)
    """

    def __init__(
        self,
        *,
        C=1.0,
        solver="auto",
        step_size="auto",
        batch_size="auto",
        tol=1e-4,
        max_iter=1000,
        fit_intercept=True,
        class_weight=None,
        warm_start=False,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.C = C
        self.solver = solver
        self.step_size = step_size
        self.batch_size = batch_size
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
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
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights s_i. A weight of k equals k equal rows, 0 a missing row.

        Returns
        -------
        self : LogisticRegression
            The fitted estimator. If `fit` raises, the estimator is as it was.
        """
        solver = self._check_parameters()
        check_number("C", self.C, low=0, high=np.inf, low_included=False)
        X, classes, codes, weight = self._validate_classes(X, y, sample_weight)
        alpha = self._alpha_in_F(weight.sum(), classes)
        task = self._task(X, lambda: classes[codes], sample_weight, classes_=classes)
        result = self._solve(task, solver, X, *_targets(codes, classes, weight, alpha))
        self._set_result(result, 1)
        task.end()
        return self

    @needs_streaming_solver
    @unchanged_on_failure
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Run one epoch over a chunk of rows, going on from the last call.

        For data that do not fit in memory. F is the objective of all rows seen so far, S the sum of their weights, so
        that the penalty 1 / (C S) fades as rows come. Step sizes count the steps of all calls; an automatic one starts
        at what suits the first chunk, falls as 1 / sqrt(1 + k / steps in it), and falls once more where rows are
        larger. A second pass over the same rows counts them again: use `fit` for several, or divide C by their number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows of the chunk.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call and not after.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights s_i.

        Returns
        -------
        self : LogisticRegression
            The estimator, as it was if `partial_fit` raises. `suboptimality_` is nan and `history_` empty: F is not
            known.

        Raises
        ------
        AttributeError
            If the solver is not sgd, minibatch or an adaptive rule.
        ValueError
            If the input is invalid, if `class_weight` is "balanced", or if the coefficients diverge.
        """
        solver = self._check_parameters()
        check_number("C", self.C, low=0, high=np.inf, low_included=False)
        X, codes, weight = self._validate_chunk(X, y, classes, sample_weight)

        def penalty(total):
            return self._alpha_in_F(total, self.classes_)

        y, weight, _, loss = _targets(codes, self.classes_, weight, None)
        result, stream, coef, intercept = self._take_chunk(solver, X, y, weight, penalty, loss)
        vars(self).update(self._attributes(coef, intercept))
        self._set_result(result, 1, stream)
        return self

    def _attributes(self, coef, intercept, **others):
        return {"coef_": coef, "intercept_": intercept, **others}

    def _alpha_in_F(self, total_weight, classes):
        """Return 1 / (C S) of each output, refusing what float64 cannot hold."""
        with np.errstate(all="ignore"):
            alpha = 1 / (self.C * total_weight)
        if not np.isfinite(alpha):
            raise ValueError(
                f"C={self.C!r} times the sum of the sample weights, {total_weight:g}, is too small for float64. "
                "Increase C or the weights."
            )
        return np.full(1 if len(classes) == 2 else len(classes), alpha)

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict_log_proba(self, X):
        """Return the logarithms of the probabilities, without overflow.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([log_expit(-scores), log_expit(scores)])
        return log_softmax(scores, axis=1)

    # scikit-learn's mixin is imported late: all of its linear models come with it, as long as all of skvr takes.

    def sparsify(self):
        """Convert `coef_` to a sparse matrix, which saves memory where most coefficients are zero.

        Returns
        -------
        LogisticRegression
            Itself.
        """
        from sklearn.linear_model._base import SparseCoefMixin

        return SparseCoefMixin.sparsify(self)

    def densify(self):
        """Convert `coef_` back to an array.

        Returns
        -------
        LogisticRegression
            Itself.
        """
        from sklearn.linear_model._base import SparseCoefMixin

        return SparseCoefMixin.densify(self)


def _targets(codes, classes, weight, alpha):
    """Return y, the weights, alpha and the loss of a `FiniteSum` from the class numbers."""
    if len(classes) == 2:
        return 2.0 * codes - 1, weight, alpha, "logistic"
    return codes, weight, alpha, "softmax"
