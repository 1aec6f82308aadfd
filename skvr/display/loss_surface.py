"""The objective along a line or a plane through the parameters.

The projections of D. Merkulov's lecture, "Visualizing loss surface of neural network via line projection" and "Plane
projection", for linear models. Raw predictions are affine in the parameters, so a direction costs one product with X
and a point of the plane the losses alone.
"""

import numpy as np
from scipy.special import log_expit, logsumexp
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skvr._base import FiniteSumEstimator
from skvr._classes import class_codes, indicators, weigh_classes
from skvr._validation import check_number, check_option, check_sample_weight
from skvr.ridge import check_alpha

QUANTITIES = {"objective": "objective F", "loss": "mean loss"}
KINDS = {"line": 1, "plane": 2}
MARGIN = 1.25  # how far the picture reaches beyond a trajectory
LEVELS = 24
NEGLIGIBLE = 1e-6  # times the largest value: below it a logarithmic scale would show nothing else


class LossSurfaceDisplay:
    """The objective F, or the mean loss on any rows, along a line or over a plane through the parameters.

    Use :meth:`from_estimator` to make one. All parameters are stored as attributes.

    Parameters
    ----------
    coordinates : ndarray of shape (1 or 2, grid_resolution)
        Coordinates along each direction, 0 at the centre.
    values : ndarray of shape (grid_resolution,) or (grid_resolution, grid_resolution)
        The quantity. In a plane `values[i, j]` belongs to `coordinates[0][j]` along the first direction and
        `coordinates[1][i]` along the second, as matplotlib's contours have it.
    quantity : {"objective", "loss"}, default="objective"
        What the values are.
    directions : ndarray of shape (1 or 2, n_parameters), default=None
        The directions; a point of the plane is centre + coordinates @ directions.
    center : ndarray of shape (n_parameters,), default=None
        The parameters at the coordinates 0.
    path : ndarray of shape (n_points, 2), default=None
        Coordinates of a trajectory in the plane.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.
    lines_ : list of matplotlib Line2D
        The line, or the trajectory in the plane; empty if there is neither.
    surface_ : matplotlib QuadContourSet or QuadMesh
        The contours of a plane; None for a line.

    See Also
    --------
    ConvergenceDisplay : How fits came down.

    Notes
    -----
    Parameters are flat vectors, coefficients and then intercepts: `np.append(model.coef_, model.intercept_)`. In a
    random direction only a small part of a trajectory is seen, as random vectors are almost orthogonal to it; with
    `directions="trajectory"` most of it.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein. Visualizing the loss landscape of neural nets. 2018.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from skvr import LogisticRegression, LossSurfaceDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> display = LossSurfaceDisplay.from_estimator(model, X, y, kind="line", grid_resolution=11, random_state=0)
    >>> bool(display.values.argmin() == 5)  # the fit is at the centre
    True
    """

    def __init__(self, *, coordinates, values, quantity="objective", directions=None, center=None, path=None):
        self.coordinates = coordinates
        self.values = values
        self.quantity = quantity
        self.directions = directions
        self.center = center
        self.path = path

    def plot(self, ax=None, *, plot_method="contourf", path_kwargs=None, **kwargs):
        """Draw the line, or the plane with its trajectory.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        plot_method : {"contourf", "contour", "pcolormesh"}, default="contourf"
            How a plane is drawn. Levels and colours are logarithmic, unless the smallest value is nearly 0.
        path_kwargs : dict, default=None
            Keyword arguments of matplotlib's `plot` for the trajectory.
        **kwargs : dict
            Keyword arguments of the plotting method, or of matplotlib's `plot` for a line.

        Returns
        -------
        LossSurfaceDisplay
            The display itself.

        Raises
        ------
        ValueError
            If an option is unknown.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        check_option("quantity", self.quantity, QUANTITIES)
        check_option("plot_method", plot_method, ("contourf", "contour", "pcolormesh"))
        if ax is None:
            _, ax = plt.subplots()
        if np.ndim(self.values) == 1:
            self.surface_ = None
            self.lines_ = ax.plot(self.coordinates[0], self.values, **kwargs)
            ax.set(xlabel="coordinate along the direction", ylabel=QUANTITIES[self.quantity])
            if "label" in kwargs:
                ax.legend()
        else:
            kwargs = {**_logarithmic_colours(self.values, plot_method), **kwargs}
            self.surface_ = getattr(ax, plot_method)(*self.coordinates, self.values, **kwargs)
            self.lines_ = []
            if self.path is not None:
                style = {"color": "white", "marker": ".", "linewidth": 1.0, **(path_kwargs or {})}
                self.lines_ = ax.plot(*np.transpose(self.path), **style)
            ax.set(xlabel="first direction", ylabel="second direction")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        sample_weight=None,
        kind="plane",
        quantity="objective",
        center="fit",
        directions="random",
        trajectory=None,
        extent="auto",
        grid_resolution=51,
        random_state=None,
        ax=None,
        plot_method="contourf",
        path_kwargs=None,
        **kwargs,
    ):
        """Evaluate and draw the objective, or the mean loss, of a fitted estimator.

        Parameters
        ----------
        estimator : LogisticRegression, Ridge or RidgeClassifier
            A fitted estimator of skvr.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows: those of the fit for its F, others for their mean loss.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. The estimator's `class_weight` multiplies them.
        kind : {"line", "plane"}, default="plane"
            One direction or two.
        quantity : {"objective", "loss"}, default="objective"
            F with its penalty, alpha = 1 / (C S) or alpha / S with S the sum of these weights, added up over targets;
            or the mean loss without the penalty, as for test rows.
        center : {"fit", "start"} or ndarray of shape (n_parameters,), default="fit"
            The parameters of the fit, zeros, or given ones.
        directions : {"random", "trajectory"} or ndarray, default="random"
            "random" draws Gaussian directions, coefficients and intercepts scaled to the norms of the fitted ones.
            "trajectory" takes the leading principal components of `trajectory` seen from the centre, scaled to the norm
            of the fitted parameters. An array of shape (1 or 2, n_parameters) is taken as it is.
        trajectory : array-like of shape (n_points, n_parameters), default=None
            Parameters on the way of a fit. In a plane their orthogonal projections on it are drawn.
        extent : float, sequence of float or "auto", default="auto"
            The coordinates run from -extent to extent, the same along both directions or one each. "auto" is 1, and
            with a trajectory as much as shows it.
        grid_resolution : int, default=51
            Points along each direction; an odd number has the centre among them.
        random_state : int, RandomState or None, default=None
            Seed of random directions.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        plot_method : {"contourf", "contour", "pcolormesh"}, default="contourf"
            How a plane is drawn.
        path_kwargs : dict, default=None
            Keyword arguments of matplotlib's `plot` for the trajectory.
        **kwargs : dict
            Keyword arguments of the plotting method, or of matplotlib's `plot` for a line.

        Returns
        -------
        LossSurfaceDisplay
            The drawn display.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError
            If an option is unknown, or an array has the wrong shape.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_option("kind", kind, KINDS)
        check_option("quantity", quantity, QUANTITIES)
        check_number("grid_resolution", grid_resolution, low=2, integer=True)
        _check_estimator(estimator)
        fitted = np.append(estimator.coef_, estimator.intercept_).astype(np.float64)
        n_coef = np.size(estimator.coef_)
        center = _center(center, fitted)
        if trajectory is not None:
            trajectory = _parameters("trajectory", trajectory, (None, len(fitted)))
        directions = _directions(directions, KINDS[kind], center, fitted, n_coef, trajectory, random_state)
        path = None
        if trajectory is not None and kind == "plane":
            path = np.linalg.lstsq(directions.T, (trajectory - center).T, rcond=None)[0].T
        extents = _extents(extent, KINDS[kind], path)
        coordinates = np.array([np.linspace(-extent, extent, grid_resolution) for extent in extents])
        function = _Objective(estimator, X, y, sample_weight, quantity)
        values = function.on_grid(center, directions, coordinates)
        display = cls(
            coordinates=coordinates, values=values, quantity=quantity, directions=directions, center=center, path=path
        )
        return display.plot(ax, plot_method=plot_method, path_kwargs=path_kwargs, **kwargs)


def _logarithmic_colours(values, plot_method):
    """Return the levels and the norm of the colours that show the floor of the bowl as well as its walls."""
    from matplotlib.colors import LogNorm

    low, high = values.min(), values.max()
    if not NEGLIGIBLE * high < low < (1 - NEGLIGIBLE) * high:
        return {} if plot_method == "pcolormesh" else {"levels": LEVELS}
    if plot_method == "pcolormesh":
        return {"norm": LogNorm(low, high)}
    levels = np.geomspace(low, high, LEVELS + 1)
    levels[[0, -1]] = low, high  # exactly, so that no point falls outside
    return {"levels": levels, "norm": LogNorm(low, high)}


class _Objective:
    """F or the mean loss as a function of flat parameters, for the rows that are given."""

    def __init__(self, estimator, X, y, sample_weight, quantity):
        self.shape = np.atleast_2d(estimator.coef_).shape  # (n_outputs, n_features)
        self.X = estimator._validate_rows(X, reset=False)
        check_consistent_length(X, y)
        weight = check_sample_weight(sample_weight, X)
        y = np.asarray(y)
        if hasattr(estimator, "classes_"):
            y = column_or_1d(y, warn=True)
            codes = class_codes(y, estimator.classes_, "none of the fit")
            weight = weigh_classes(weight, codes, estimator.classes_, y, estimator.class_weight)
            multinomial = hasattr(estimator, "C") and len(estimator.classes_) > 2
            y = codes if multinomial else indicators(codes, estimator.classes_)
        else:
            y = y.astype(np.float64).reshape(len(y), -1)
            if y.shape[1] != self.shape[0]:
                raise ValueError(f"y must hold {self.shape[0]} targets, as in the fit, got {y.shape[1]}.")
        self.y, self.weight = y, weight / weight.sum()
        self.loss = _squared if not hasattr(estimator, "C") else _logistic if self.shape[0] == 1 else _softmax
        if quantity == "loss":
            self.alpha = np.zeros(self.shape[0])
        elif hasattr(estimator, "C"):
            self.alpha = np.full(self.shape[0], 1 / (estimator.C * weight.sum()))
        else:
            self.alpha = check_alpha(estimator.alpha, self.shape[0]) / weight.sum()

    def raw_predictions(self, parameters):
        """Return x . w + b, linear in the parameters: shape (n_samples, n_outputs)."""
        coef, intercept = self._split(parameters)
        return safe_sparse_dot(self.X, coef.T, dense_output=True) + intercept

    def _split(self, parameters):
        n_coef = self.shape[0] * self.shape[1]
        return parameters[:n_coef].reshape(self.shape), parameters[n_coef:]

    def on_grid(self, center, directions, coordinates):
        """Return the values on the line or plane, the second direction along the first axis."""
        z = self.raw_predictions(center)
        dz = [self.raw_predictions(direction) for direction in directions]
        values = np.empty((coordinates.shape[1],) * len(directions))
        for at in np.ndindex(values.shape):
            steps = np.array([along[i] for along, i in zip(coordinates, at[::-1], strict=True)])
            w = self._split(center + steps @ directions)[0]
            raw_prediction = z + sum(step * change for step, change in zip(steps, dz, strict=True))
            penalty = 0.5 * self.alpha @ np.einsum("kj,kj->k", w, w)
            values[at] = self.weight @ self.loss(self.y, raw_prediction) + penalty
        return values


def _logistic(y, z):
    return -log_expit(y * z)[:, 0]


def _softmax(y, z):
    return logsumexp(z, axis=1) - np.take_along_axis(z, y[:, None], axis=1)[:, 0]


def _squared(y, z):
    return 0.5 * ((y - z) ** 2).sum(axis=1)


def _check_estimator(estimator):
    if hasattr(estimator, "steps"):
        raise TypeError(
            "estimator is a pipeline. Pass its last step, pipeline[-1], and X as pipeline[:-1].transform(X)."
        )
    if not isinstance(estimator, FiniteSumEstimator):
        raise TypeError(f"estimator must be a LogisticRegression, Ridge or RidgeClassifier of skvr, got {estimator!r}.")
    check_is_fitted(estimator)


def _parameters(name, value, shape):
    """Return `value` as float64 of the shape, in which None is any number."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != len(shape) or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        expected = ", ".join("n" if want is None else str(want) for want in shape)
        raise ValueError(
            f"{name} must have the shape ({expected}), as np.append(coef_, intercept_) has it; got {array.shape}."
        )
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} holds a value that is not finite.")
    return array


def _center(center, fitted):
    if isinstance(center, str):
        check_option("center", center, ("fit", "start"))
        return fitted if center == "fit" else np.zeros_like(fitted)
    return _parameters("center", center, (len(fitted),))


def _directions(directions, n_directions, center, fitted, n_coef, trajectory, random_state):
    """Return the directions, one a row."""
    if not isinstance(directions, str):
        return _parameters("directions", directions, (n_directions, len(fitted)))
    check_option("directions", directions, ("random", "trajectory"))
    if directions == "random":
        drawn = check_random_state(random_state).standard_normal((n_directions, len(fitted)))
        for group in (slice(None, n_coef), slice(n_coef, None)):  # each group inherits its magnitude (the lecture)
            norms = np.linalg.norm(drawn[:, group], axis=1, keepdims=True)
            drawn[:, group] *= np.linalg.norm(fitted[group]) / norms
        return drawn
    if trajectory is None:
        raise ValueError("directions='trajectory' needs a trajectory, an array of shape (n_points, n_parameters).")
    components = np.linalg.svd(trajectory - center, full_matrices=False)[2][:n_directions]
    if len(components) < n_directions:
        raise ValueError(f"trajectory must have at least {n_directions} points, got {len(trajectory)}.")
    begins_above = components @ (trajectory[0] - center) > 0  # a component has no sign: begin at the lower left
    return np.where(begins_above[:, None], -components, components) * np.linalg.norm(fitted)


def _extents(extent, n_directions, path):
    """Return how far the coordinates run along each direction."""
    if isinstance(extent, str):
        check_option("extent", extent, ("auto",))
        if path is None:
            return np.ones(n_directions)
        reach = np.abs(path).max(axis=0)
        return MARGIN * np.where(reach > 0, reach, 1.0)
    extents = [extent] * n_directions if np.ndim(extent) == 0 else list(extent)
    if len(extents) != n_directions:
        raise ValueError(f"extent must be one number or {n_directions}, got {extent!r}.")
    for value in extents:
        check_number("extent", value, low=0, low_included=False)
    return extents
