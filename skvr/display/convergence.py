"""Convergence curves: a quantity of `history_` against what it cost."""

import math
from collections.abc import Mapping
from numbers import Real

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from skvr._base import FiniteSumEstimator
from skvr._validation import check_number, check_option, check_sample_weight

EPS = np.finfo(np.float64).eps
REFERENCE_TOL = 1e-16  # below eps: the reference fit's F is F* to the last bits
ROUNDINGS = 1e4  # times eps: what F may lie below F* by rounding errors of its sum

QUANTITIES = {
    "suboptimality": "relative suboptimality  (F - F*) / F*",
    "bound": "certified bound of (F - F*) / F",
    "objective": "objective F",
    "gradient_norm": "gradient norm",
}
COSTS = {
    "passes": "effective passes over the data",
    "seconds": "seconds",
    "row_gradients": "row gradients",
    "epoch": "epoch",
}
OBJECTIVE = ("C", "alpha", "fit_intercept", "class_weight")  # the parameters of an estimator that F depends on
COLUMNS = ("epoch", "passes", "seconds", "objective", "gradient_norm", "bound")  # of a history, as used here


class ConvergenceDisplay:
    """Convergence curves of one or more fits.

    Use :meth:`from_estimators` or :meth:`from_history` to make one. All parameters are stored as attributes.

    Parameters
    ----------
    histories : dict of str to dict of ndarray
        A `history_` for each name.
    optimum : float or dict of str to float, default=None
        F*, for all curves or for each name. None stands for the best lower bound of F* that the histories certify, the
        largest objective - bound of any record of any of them, as far as they belong to the same objective.
    n_samples : int, default=None
        Number of rows of positive weight, needed for `against="row_gradients"` only.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The curves, in the order of `histories`.

    See Also
    --------
    LossSurfaceDisplay : The objective around a fit.

    Notes
    -----
    With a certified lower bound in the place of F* a curve of "suboptimality" shows what is certain, an upper bound of
    the true one, and ends at the certified suboptimality of the best fit. Pass X and y, or `optimum`, to see the
    true one. Values below the machine epsilon are rounding errors of F and are drawn at the machine epsilon.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skvr import ConvergenceDisplay, LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> models = {name: LogisticRegression(solver=name, random_state=0) for name in ("sgd", "sag", "svrg")}
    >>> display = ConvergenceDisplay.from_estimators(models, scale(X), y, n_epochs=20)
    >>> [line.get_label() for line in display.lines_]
    ['sgd', 'sag', 'svrg']
    """

    def __init__(self, *, histories, optimum=None, n_samples=None):
        self.histories = histories
        self.optimum = optimum
        self.n_samples = n_samples

    def plot(self, ax=None, *, quantity="suboptimality", against="passes", curve_kwargs=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        quantity : {"suboptimality", "bound", "objective", "gradient_norm"}, default="suboptimality"
            What is drawn: (F - F*) / F*; the certified bound of (F - F*) / F, which is compared with `tol`; F; or the
            norm of its gradient. All but F on a logarithmic axis.
        against : {"passes", "seconds", "row_gradients", "epoch"}, default="passes"
            The horizontal axis. Passes and seconds are the solver's own, without the evaluations of F; row gradients
            are passes times the number of rows.
        curve_kwargs : dict or list of dict, default=None
            Keyword arguments of matplotlib's `plot`, for all curves or one for each.

        Returns
        -------
        ConvergenceDisplay
            The display itself.

        Raises
        ------
        ValueError
            If an option is unknown, if F* is needed and neither given nor certified, or if F lies below F*.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        curves = self._curves(quantity, against)
        keywords = self._keywords(curve_kwargs)
        if ax is None:
            _, ax = plt.subplots()
        self.lines_ = []
        for (name, (x, y)), given in zip(curves.items(), keywords, strict=True):
            self.lines_ += ax.plot(x, y, **{"label": name, **given})
        ax.set(xlabel=COSTS[against], ylabel=QUANTITIES[quantity])
        if quantity != "objective":
            ax.set_yscale("log")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _curves(self, quantity, against):
        """Return the coordinates of each name's curve."""
        check_option("quantity", quantity, QUANTITIES)
        check_option("against", against, COSTS)
        _check_histories(self.histories)
        if against == "row_gradients":
            if self.n_samples is None:
                raise ValueError("against='row_gradients' needs the number of rows: pass n_samples, or X and y.")
            check_number("n_samples", self.n_samples, low=1, integer=True)
        optimum = self._optima() if quantity == "suboptimality" else None
        curves = {}
        for name, history in self.histories.items():
            column = {key: np.asarray(history[key], dtype=np.float64) for key in COLUMNS}
            x = column["passes"] * self.n_samples if against == "row_gradients" else column[against]
            if quantity == "suboptimality":
                y = np.maximum((column["objective"] - optimum[name]) / optimum[name], EPS)
            else:
                y = column["bound"] / column["objective"] if quantity == "bound" else column[quantity]
            curves[name] = x, y
        return curves

    def _optima(self):
        """Return F* for each name: as given, or the lower bound that the histories certify."""
        if self.optimum is None:
            certified = [np.max(np.subtract(h["objective"], h["bound"])) for h in self.histories.values()]
            optimum = np.nanmax(certified) if not np.all(np.isnan(certified)) else np.nan
            if not optimum > 0:
                raise ValueError(
                    "(F - F*) / F* needs F*, and the histories certify no positive lower bound of it: without a "
                    "penalty there is none, and far from the optimum it is negative. Pass optimum, or X and y, or "
                    "use quantity='objective'."
                )
            return dict.fromkeys(self.histories, optimum)
        given = self.optimum if isinstance(self.optimum, Mapping) else dict.fromkeys(self.histories, self.optimum)
        missing = [name for name in self.histories if name not in given]
        if missing:
            raise ValueError(f"optimum has no entry for {missing}; give one number, or one for each name.")
        for name, history in self.histories.items():
            if isinstance(given[name], bool) or not isinstance(given[name], Real) or not 0 < given[name] < np.inf:
                raise ValueError(
                    f"optimum must be a positive number, got {given[name]!r}. Where F* = 0 there is no relative "
                    "suboptimality: use quantity='objective'."
                )
            lowest = np.min(history["objective"])
            if lowest < given[name] * (1 - ROUNDINGS * EPS):
                raise ValueError(
                    f"optimum={float(given[name])!r} is not the minimum: {name!r} reached {float(lowest)!r}. Pass a "
                    "smaller optimum, and compare fits of the same objective on the same rows only."
                )
        return given

    def _keywords(self, curve_kwargs):
        """Return the keyword arguments of each curve."""
        n_curves = len(self.histories)
        if curve_kwargs is None or isinstance(curve_kwargs, Mapping):
            return [curve_kwargs or {}] * n_curves
        if not isinstance(curve_kwargs, (list, tuple)) or len(curve_kwargs) != n_curves:
            raise ValueError(f"curve_kwargs must be a dict, or a list of {n_curves} dicts, got {curve_kwargs!r}.")
        return list(curve_kwargs)

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X=None,
        y=None,
        *,
        sample_weight=None,
        n_epochs=None,
        optimum=None,
        n_samples=None,
        quantity="suboptimality",
        against="passes",
        ax=None,
        curve_kwargs=None,
    ):
        """Draw the convergence of estimators; those that are not fitted are cloned and fitted to X and y.

        Parameters
        ----------
        estimators : dict of str to estimator, or list of estimator
            Estimators of skvr, or pipelines that end in one. Names label the curves; those of a list are the solvers'.
        X, y : array-like, default=None
            The rows that the estimators are, or are to be, fitted to. Not needed where all are fitted and F* is given
            or its certified lower bound will do.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        n_epochs : int, default=None
            Epochs that the clones run, with `tol=None`, so that F is recorded after each. None leaves them their own
            `tol` and `max_iter`.
        optimum : float or dict of str to float, default=None
            F*. None with X and y fits each distinct objective by `solver="auto"` to `tol=1e-16` for it, and takes what
            is lower, that F or the lowest of the histories; None without them is the best certified lower bound.
        n_samples : int, default=None
            Number of rows of positive weight; None takes it from X and `sample_weight`.
        quantity : {"suboptimality", "bound", "objective", "gradient_norm"}, default="suboptimality"
            What is drawn; see :meth:`plot`.
        against : {"passes", "seconds", "row_gradients", "epoch"}, default="passes"
            The horizontal axis.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        curve_kwargs : dict or list of dict, default=None
            Keyword arguments of matplotlib's `plot`, for all curves or one for each.

        Returns
        -------
        ConvergenceDisplay
            The drawn display.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If an estimator is not fitted and X, y are not given.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimators")
        check_option("quantity", quantity, QUANTITIES)
        check_option("against", against, COSTS)
        if (X is None) != (y is None):
            raise ValueError("X and y must be given together.")
        estimators = _named(estimators)
        histories = {}
        for name, estimator in estimators.items():
            if X is not None and not hasattr(_last_step(estimator), "history_"):
                changes = {} if n_epochs is None else {"tol": None, "max_iter": n_epochs}
                estimator = _fitted_clone(estimator, X, y, sample_weight, **changes)
            check_is_fitted(_last_step(estimator), "history_")
            histories[name] = _last_step(estimator).history_
        if X is not None:
            if n_samples is None:
                n_samples = int(np.count_nonzero(check_sample_weight(sample_weight, X)))
            if optimum is None and quantity == "suboptimality":
                optimum = _reference_optima(estimators, histories, X, y, sample_weight)
        display = cls(histories=histories, optimum=optimum, n_samples=n_samples)
        return display.plot(ax, quantity=quantity, against=against, curve_kwargs=curve_kwargs)

    @classmethod
    def from_history(
        cls,
        history,
        *,
        name="fit",
        optimum=None,
        n_samples=None,
        quantity="suboptimality",
        against="passes",
        ax=None,
        curve_kwargs=None,
    ):
        """Draw the convergence of one fit from its `history_`.

        Parameters
        ----------
        history : dict of ndarray
            A `history_`, or a table of the same columns.
        name : str, default="fit"
            Label of the curve.
        optimum : float, default=None
            F*; None is the best lower bound that the history certifies.
        n_samples : int, default=None
            Number of rows of positive weight, needed for `against="row_gradients"` only.
        quantity : {"suboptimality", "bound", "objective", "gradient_norm"}, default="suboptimality"
            What is drawn; see :meth:`plot`.
        against : {"passes", "seconds", "row_gradients", "epoch"}, default="passes"
            The horizontal axis.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        curve_kwargs : dict, default=None
            Keyword arguments of matplotlib's `plot`.

        Returns
        -------
        ConvergenceDisplay
            The drawn display.
        """
        display = cls(histories={name: history}, optimum=optimum, n_samples=n_samples)
        return display.plot(ax, quantity=quantity, against=against, curve_kwargs=curve_kwargs)


def _check_histories(histories):
    if not isinstance(histories, Mapping) or not histories:
        raise ValueError(f"histories must be a dict with a history_ for each name, got {histories!r}.")
    for name, history in histories.items():
        missing = [column for column in COLUMNS if column not in history]
        if missing:
            raise ValueError(f"The history of {name!r} lacks {missing}. Pass the history_ of a fitted estimator.")


def _last_step(estimator):
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def _named(estimators):
    """Return the estimators as a dict, those of a list named by their solvers."""
    if not isinstance(estimators, (Mapping, list, tuple)) or not estimators:
        raise TypeError(f"estimators must be a dict of estimators by name, or a list, got {estimators!r}.")
    named = estimators
    if not isinstance(estimators, Mapping):
        named = {str(getattr(_last_step(estimator), "solver", estimator)): estimator for estimator in estimators}
        if len(named) < len(estimators):
            raise ValueError("Two estimators have the same solver. Pass a dict with a name for each.")
    for name, estimator in named.items():
        if not isinstance(_last_step(estimator), FiniteSumEstimator):
            raise TypeError(
                f"{name!r} must be an estimator of skvr, or a pipeline that ends in one, got {estimator!r}."
            )
    return named


def _fitted_clone(estimator, X, y, sample_weight, **changes):
    """Return a clone fitted to the rows, its last step with the parameters `changes`."""
    copy = clone(estimator)
    _last_step(copy).set_params(**changes)
    if sample_weight is None:
        return copy.fit(X, y)
    prefix = f"{copy.steps[-1][0]}__" if hasattr(copy, "steps") else ""
    return copy.fit(X, y, **{f"{prefix}sample_weight": sample_weight})


def _reference_optima(estimators, histories, X, y, sample_weight):
    """Return F* for each name, from one accurate fit for each distinct objective."""
    groups = {}
    for name, estimator in estimators.items():
        reference = clone(estimator)
        last = _last_step(reference)
        accurate = type(last)(tol=_reference_tol(last))  # all that is not part of F at its default
        last.set_params(**{key: value for key, value in accurate.get_params().items() if key not in OBJECTIVE})
        groups.setdefault(joblib.hash(reference), (reference, []))[1].append(name)
    optima = {}
    for reference, names in groups.values():
        fitted = _last_step(_fitted_clone(reference, X, y, sample_weight))
        reached = [np.min(history["objective"]) for history in (fitted.history_, *(histories[name] for name in names))]
        optima.update(dict.fromkeys(names, float(min(reached))))
    return optima


def _reference_tol(estimator):
    """Return the tol at which F is F* to rounding; without a penalty it is on the gradient, F goes with its square."""
    free = np.isinf(estimator.C) if hasattr(estimator, "C") else np.any(np.equal(estimator.alpha, 0))
    return math.sqrt(REFERENCE_TOL) if free else REFERENCE_TOL
