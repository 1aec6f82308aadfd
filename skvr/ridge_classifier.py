"""Classification by ridge regression on labels -1 and 1."""

from skvr._callbacks import with_callbacks
from skvr._classes import LinearClassifierMixin, indicators
from skvr._partial_fit import needs_streaming_solver
from skvr._validation import unchanged_on_failure
from skvr.ridge import RidgeBase


class RidgeClassifier(LinearClassifierMixin, RidgeBase):
    """Classifier that fits ridge regression to labels -1 and 1, one target a class for more than two classes.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, as in `Ridge`.
    solver : str or solver object, default="auto"
        As in `Ridge`.
    step_size : float, str or policy, default="auto"
        What multiplies the gradient of F as written for `Ridge`, or a policy of the solver.
    batch_size : int, float, str or policy, default="auto"
        Rows a step (or a share of the rows, or a batch that grows), for minibatch, svrg and the adaptive rules.
    tol : float or None, default=1e-4
        Certified relative suboptimality at which the fit ends, as in `Ridge`; unlike scikit-learn's `tol`.
    max_iter : int, default=1000
        Epochs (n row gradients) at the most.
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
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
        w, in the dtype of X; one row a class for more than two classes.
    intercept_ : float or ndarray of shape (1,) or (n_classes,)
        b; 0.0 if `fit_intercept` is False.
    classes_ : ndarray of shape (n_classes,)
        The labels.
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
        A record per evaluation, as in `Ridge`.

    Raises
    ------
    ValueError
        From `fit`: for invalid input or parameters, for fewer than two classes, and if the coefficients diverge.

    See Also
    --------
    sklearn.linear_model.RidgeClassifier : The same objective by other solvers.
    LogisticRegression : Classifier with probabilities.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skvr import RidgeClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> RidgeClassifier().fit(X, y).score(X, y) > 0.95
    True
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
        class_weight=None,
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
        self : RidgeClassifier
            The fitted estimator. If `fit` raises, the estimator is as it was.
        """
        solver = self._check_parameters()
        X, classes, codes, weight = self._validate_classes(X, y, sample_weight)
        Y = indicators(codes, classes)
        alpha = self._alpha_in_F(Y, weight)
        task = self._task(X, lambda: classes[codes], sample_weight, classes_=classes)
        result = self._solve(task, solver, X, Y, weight, alpha, "squared")
        self._set_result(result, Y.shape[1])
        task.end()
        return self

    @needs_streaming_solver
    @unchanged_on_failure
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Run one epoch over a chunk of rows, going on from the last call, as in `Ridge`.

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
        self : RidgeClassifier
            The estimator, as it was if `partial_fit` raises.

        Raises
        ------
        AttributeError
            If the solver is not sgd, minibatch or an adaptive rule.
        ValueError
            If the input is invalid, if `class_weight` is "balanced", or if the coefficients diverge.
        """
        solver = self._check_parameters()
        X, codes, weight = self._validate_chunk(X, y, classes, sample_weight)
        self._take_targets(solver, X, indicators(codes, self.classes_), weight)
        return self
