"""The displays draw what they say: lines equal the history, surfaces equal the objective written out."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvr import ConvergenceDisplay, LogisticRegression, LossSurfaceDisplay, Ridge, RidgeClassifier

matplotlib.use("Agg")

X, y = make_classification(60, 5, n_informative=3, random_state=0)
X_iris, y_iris = load_iris(return_X_y=True)
X_ridge, Y_ridge = make_regression(40, 4, n_targets=3, noise=10.0, random_state=0)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def models():
    return {
        name: LogisticRegression(C=0.1, solver=name, tol=None, max_iter=25, random_state=0).fit(X, y)
        for name in ("sgd", "sag", "svrg")
    }


# ConvergenceDisplay


@pytest.mark.parametrize("against", ["passes", "seconds", "epoch", "row_gradients"])
@pytest.mark.parametrize("quantity", ["objective", "gradient_norm", "bound", "suboptimality"])
def test_lines_are_the_history(models, quantity, against):
    optimum = LogisticRegression(C=0.1, tol=1e-20).fit(X, y).history_["objective"][-1]
    display = ConvergenceDisplay.from_estimators(
        models, optimum=optimum, n_samples=60, quantity=quantity, against=against
    )
    assert [line.get_label() for line in display.lines_] == list(models)
    for line, model in zip(display.lines_, models.values(), strict=True):
        history = model.history_
        F = history["objective"]
        drawn = {"bound": history["bound"] / F, "suboptimality": np.maximum((F - optimum) / optimum, 2.0**-52)}
        cost = {"row_gradients": 60 * history["passes"]}
        np.testing.assert_array_equal(line.get_xdata(), cost[against] if against in cost else history[against])
        np.testing.assert_array_equal(line.get_ydata(), drawn[quantity] if quantity in drawn else history[quantity])
    assert display.ax_.get_yscale() == ("linear" if quantity == "objective" else "log")
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlabel()
    assert display.ax_.get_ylabel()


def test_certified_lower_bound_stands_for_the_optimum(models):
    display = ConvergenceDisplay.from_estimators(models)
    lower = max((m.history_["objective"] - m.history_["bound"]).max() for m in models.values())
    optimum = LogisticRegression(C=0.1, tol=1e-20).fit(X, y).history_["objective"][-1]
    assert lower <= optimum
    F = models["sgd"].history_["objective"]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), (F - lower) / lower)
    assert np.all(display.lines_[0].get_ydata() >= (F - optimum) / optimum)


def test_reference_fit_for_each_objective():
    estimators = {
        "weak": LogisticRegression(C=1.0, solver="sag", random_state=0),
        "strong": LogisticRegression(C=0.01, solver="sag", random_state=0),
        "strong too": LogisticRegression(C=0.01, solver="saga", step_size=0.01, random_state=0),
    }
    display = ConvergenceDisplay.from_estimators(estimators, X, y, n_epochs=12)
    for name, model in estimators.items():
        exact = LogisticRegression(C=model.C, tol=1e-20).fit(X, y).history_["objective"][-1]
        # F* certified to 1e-16, and the roundings of a sum of 60 positive terms
        np.testing.assert_allclose(display.optimum[name], exact, rtol=64 * 2.0**-52)
        assert not hasattr(model, "coef_")  # a clone was fitted
    assert display.optimum["strong"] == display.optimum["strong too"]
    assert all(len(line.get_xdata()) == 12 for line in display.lines_)
    assert display.n_samples == 60


def test_without_a_penalty_the_reference_fit_stops_by_its_gradient():
    X_many, y_many = make_regression(2000, 20, noise=10.0, random_state=0)  # relative gradients of 1e-16 are rounding
    models = {"gd": Ridge(alpha=0, solver="gd", tol=None, max_iter=5)}
    display = ConvergenceDisplay.from_estimators(models, X_many + 3, y_many)  # a ConvergenceWarning would be an error
    assert np.all(display.lines_[0].get_ydata() > 0)
    with pytest.raises(ValueError, match="without a penalty there is none"):
        ConvergenceDisplay(histories=display.histories).plot()


def test_pipelines_weights_and_own_tol():
    weight = np.arange(60) % 3
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(solver="svrg", random_state=0))
    display = ConvergenceDisplay.from_estimators([pipeline], X, y, sample_weight=weight, against="row_gradients")
    direct = LogisticRegression(solver="svrg", random_state=0)
    direct.fit(StandardScaler().fit_transform(X), y, sample_weight=weight)
    (line,) = display.lines_
    assert line.get_label() == "svrg"
    np.testing.assert_array_equal(line.get_xdata(), 40 * direct.history_["passes"])
    np.testing.assert_array_equal(display.histories["svrg"]["objective"], direct.history_["objective"])


def test_fitted_estimators_are_read_not_fitted(models):
    before = {name: model.history_ for name, model in models.items()}
    display = ConvergenceDisplay.from_estimators(models, X, y, n_epochs=3)
    assert all(display.histories[name] is history for name, history in before.items())


def test_from_history_draws_on_given_axes_with_given_style(models):
    _, ax = plt.subplots()
    for name, model in models.items():
        display = ConvergenceDisplay.from_history(
            model.history_, name=name, quantity="bound", ax=ax, curve_kwargs={"color": "red", "linestyle": ":"}
        )
    assert display.ax_ is ax
    assert len(ax.lines) == 3
    assert {line.get_color() for line in ax.lines} == {"red"}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(models)


def test_one_style_for_each_curve(models):
    display = ConvergenceDisplay.from_estimators(models, curve_kwargs=[{"color": c} for c in "rgb"])
    assert [line.get_color() for line in display.lines_] == ["r", "g", "b"]
    with pytest.raises(ValueError, match="a list of 3 dicts"):
        display.plot(curve_kwargs=[{}])


def test_wrong_arguments_of_convergence(models):
    draw = ConvergenceDisplay.from_estimators
    with pytest.raises(ValueError, match="quantity must be one of"):
        draw(models, quantity="accuracy")
    with pytest.raises(ValueError, match="against must be one of"):
        draw(models, against="steps")
    with pytest.raises(ValueError, match="pass n_samples, or X and y"):
        draw(models, against="row_gradients")
    with pytest.raises(NotFittedError):
        draw({"sag": LogisticRegression(solver="sag")})
    with pytest.raises(ValueError, match="given together"):
        draw(models, X)
    with pytest.raises(TypeError, match="a dict of estimators by name"):
        draw(models["sag"])
    with pytest.raises(TypeError, match="must be an estimator of skvr"):
        draw([StandardScaler()])
    with pytest.raises(ValueError, match="the same solver"):
        draw([models["sag"], models["sag"]])
    with pytest.raises(ValueError, match="is not the minimum: 'sgd' reached"):
        draw(models, optimum=1.0)
    with pytest.raises(ValueError, match="must be a positive number, got 0"):
        draw(models, optimum=0)
    with pytest.raises(ValueError, match=r"no entry for \['sag', 'svrg'\]"):
        draw(models, optimum={"sgd": 0.1})
    with pytest.raises(ValueError, match="lacks"):
        ConvergenceDisplay.from_history({"passes": [1.0]})


# LossSurfaceDisplay


def objective(model, X, y, sample_weight, coef, intercept, penalty=True):
    """F of the model at coef (n_outputs, n_features) and intercept, written out; the mean loss without `penalty`."""
    S = sample_weight.sum()
    X = X.toarray() if sp.issparse(X) else X
    total = 0.0
    for i in range(len(y)):
        z = coef @ X[i] + intercept
        if isinstance(model, Ridge):
            loss = sum((y[i] - z) ** 2) / 2
        elif isinstance(model, RidgeClassifier):
            target = np.where(model.classes_ == y[i], 1, -1)
            loss = sum((target[-len(z) :] - z) ** 2) / 2
        elif len(model.classes_) == 2:
            loss = np.log(1 + np.exp(-z[0] if y[i] == model.classes_[1] else z[0]))
        else:
            loss = np.log(np.exp(z).sum()) - z[list(model.classes_).index(y[i])]
        total += sample_weight[i] * loss
    if not penalty:
        return total / S
    alpha = model.alpha / S if hasattr(model, "alpha") else 1 / (model.C * S)
    return total / S + np.sum(alpha * (coef**2).sum(axis=1)) / 2


CASES = {
    "logistic": (LogisticRegression(C=0.5), X, y),
    "csr": (LogisticRegression(C=0.5), sp.csr_matrix(X), y),
    "multinomial": (LogisticRegression(), X_iris, y_iris),
    "no intercept": (LogisticRegression(fit_intercept=False), X_iris, y_iris),
    "ridge": (Ridge(alpha=[0.1, 1.0, 10.0]), X_ridge, Y_ridge),
    "one target": (Ridge(alpha=2.0, fit_intercept=False), X_ridge, Y_ridge[:, 0]),
    "ridge classifier": (RidgeClassifier(), X_iris, np.array(["a", "b", "c"])[y_iris]),
    "two classes": (RidgeClassifier(), X, y),
}


@pytest.mark.parametrize("quantity", ["objective", "loss"])
@pytest.mark.parametrize("kind", ["line", "plane"])
@pytest.mark.parametrize("case", CASES)
def test_values_are_the_objective_written_out(case, kind, quantity):
    model, X, y = CASES[case]
    weight = np.random.default_rng(0).integers(0, 3, X.shape[0]).astype(float)
    model.fit(X, y, sample_weight=weight)
    display = LossSurfaceDisplay.from_estimator(
        model, X, y, sample_weight=weight, kind=kind, quantity=quantity, grid_resolution=3, random_state=0
    )
    coef = np.atleast_2d(model.coef_)
    rows = y.reshape(len(y), -1) if isinstance(model, Ridge) else y
    for at in np.ndindex(display.values.shape):
        point = np.append(model.coef_, model.intercept_).astype(float)
        for axis, i in enumerate(reversed(at)):
            point = point + display.coordinates[axis][i] * display.directions[axis]
        w, b = point[: coef.size].reshape(coef.shape), point[coef.size :]
        expected = objective(model, X, rows, weight, w, b, penalty=quantity == "objective")
        # sums of up to 150 losses, each with the roundings of a few operations on z
        np.testing.assert_allclose(display.values[at], expected, rtol=1e-12)
    if quantity == "objective":
        middle = (1,) * display.values.ndim
        np.testing.assert_allclose(display.values[middle], model.history_["objective"][-1], rtol=1e-12)
        assert display.values[middle] == display.values.min()


def test_class_weights_are_in_the_objective():
    model = LogisticRegression(class_weight="balanced").fit(X_iris[30:], y_iris[30:])
    display = LossSurfaceDisplay.from_estimator(model, X_iris[30:], y_iris[30:], grid_resolution=3)
    np.testing.assert_allclose(display.values[1, 1], model.history_["objective"][-1], rtol=1e-12)


def test_random_directions_have_the_norms_of_the_parameters():
    model = LogisticRegression().fit(X_iris, y_iris)
    display = LossSurfaceDisplay.from_estimator(model, X_iris, y_iris, random_state=3, grid_resolution=2)
    for direction in display.directions:
        np.testing.assert_allclose(np.linalg.norm(direction[:12]), np.linalg.norm(model.coef_))
        np.testing.assert_allclose(np.linalg.norm(direction[12:]), np.linalg.norm(model.intercept_))
    again = LossSurfaceDisplay.from_estimator(model, X_iris, y_iris, random_state=3, grid_resolution=2)
    np.testing.assert_array_equal(display.directions, again.directions)
    assert not np.allclose(display.directions[0], display.directions[1])


def test_center_at_the_start():
    model = LogisticRegression().fit(X_iris, y_iris)
    display = LossSurfaceDisplay.from_estimator(model, X_iris, y_iris, kind="line", center="start", grid_resolution=5)
    np.testing.assert_allclose(display.values[2], np.log(3))
    assert display.surface_ is None
    assert len(display.lines_) == 1
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), display.values)
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), display.coordinates[0])


def test_trajectory_in_its_own_plane():
    """A path that lies in a plane through the centre is drawn where it is, and its points have their F."""
    model = LogisticRegression(C=0.1).fit(X, y)
    fitted = np.append(model.coef_, model.intercept_)
    rng = np.random.default_rng(0)
    path = fitted + rng.standard_normal((7, 2)) @ rng.standard_normal((2, 6))
    display = LossSurfaceDisplay.from_estimator(model, X, y, directions="trajectory", trajectory=path, extent=[3, 2])
    np.testing.assert_allclose(display.center + display.path @ display.directions, path)
    np.testing.assert_allclose(np.linalg.norm(display.directions, axis=1), np.linalg.norm(fitted))
    np.testing.assert_allclose(display.lines_[0].get_xydata(), display.path)
    assert (display.coordinates[0][-1], display.coordinates[1][-1]) == (3, 2)
    for k in range(len(path)):  # wherever the path begins, it is drawn to begin at the lower left
        turned = np.roll(path, k, axis=0)
        display_k = LossSurfaceDisplay.from_estimator(model, X, y, directions="trajectory", trajectory=turned)
        assert np.all(display_k.path[0] < 0)
    within = LossSurfaceDisplay.from_estimator(model, X, y, directions="trajectory", trajectory=path)
    assert np.all(np.abs(within.path) < within.coordinates[:, -1])


def test_a_point_off_the_plane_is_drawn_at_its_projection():
    model = LogisticRegression(C=0.1).fit(X, y)
    directions = np.eye(6)[[0, 2]] * [[2.0], [0.5]]
    point = np.append(model.coef_, model.intercept_) + np.arange(6.0)
    display = LossSurfaceDisplay.from_estimator(model, X, y, directions=directions, trajectory=[point])
    np.testing.assert_allclose(display.path, [[0.0, 2 / 0.5]], atol=1e-14)


@pytest.mark.parametrize("plot_method", ["contourf", "contour", "pcolormesh"])
def test_planes_are_drawn(plot_method):
    model = LogisticRegression().fit(X, y)
    _, ax = plt.subplots()
    display = LossSurfaceDisplay.from_estimator(
        model, X, y, grid_resolution=4, ax=ax, plot_method=plot_method, alpha=0.5
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.lines_ == []
    assert display.surface_.get_alpha() == 0.5
    if plot_method == "pcolormesh":
        np.testing.assert_array_equal(np.ravel(display.surface_.get_array()), display.values.ravel())


def test_colours_are_logarithmic_where_they_can_be():
    model = LogisticRegression().fit(X, y)
    display = LossSurfaceDisplay.from_estimator(model, X, y, grid_resolution=5)
    assert display.surface_.norm.__class__.__name__ == "LogNorm"
    levels = display.surface_.levels
    assert (levels[0], levels[-1]) == (display.values.min(), display.values.max())
    assert display.plot(levels=[0.1, 1.0, 2.0]).surface_.levels.tolist() == [0.1, 1.0, 2.0]
    display.values = display.values - display.values.min()
    assert display.plot().surface_.norm.__class__.__name__ == "Normalize"
    display.values = np.ones_like(display.values)
    assert display.plot(plot_method="pcolormesh").surface_.norm.__class__.__name__ == "Normalize"


def test_wrong_arguments_of_loss_surface():
    model = LogisticRegression().fit(X, y)
    draw = LossSurfaceDisplay.from_estimator
    with pytest.raises(NotFittedError):
        draw(LogisticRegression(), X, y)
    with pytest.raises(TypeError, match=r"Pass its last step, pipeline\[-1\]"):
        draw(make_pipeline(StandardScaler(), model), X, y)
    with pytest.raises(TypeError, match="of skvr, got"):
        draw(StandardScaler().fit(X), X, y)
    for name, value in {
        "kind": "cube",
        "quantity": "F",
        "center": "end",
        "directions": "axes",
        "extent": "wide",
    }.items():
        with pytest.raises(ValueError, match=f"{name} must be one of"):
            draw(model, X, y, **{name: value})
    with pytest.raises(ValueError, match="plot_method must be one of"):
        draw(model, X, y, plot_method="imshow", grid_resolution=2)
    with pytest.raises(ValueError, match=r"directions must have the shape \(2, 6\)"):
        draw(model, X, y, directions=np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"trajectory must have the shape \(n, 6\).*got \(6,\)"):
        draw(model, X, y, trajectory=np.ones(6))
    with pytest.raises(ValueError, match=r"center must have the shape \(6\)"):
        draw(model, X, y, center=np.ones(7))
    with pytest.raises(ValueError, match="not finite"):
        draw(model, X, y, center=np.full(6, np.nan))
    with pytest.raises(ValueError, match="needs a trajectory"):
        draw(model, X, y, directions="trajectory")
    with pytest.raises(ValueError, match="at least 2 points, got 1"):
        draw(model, X, y, directions="trajectory", trajectory=np.ones((1, 6)))
    with pytest.raises(ValueError, match="extent must be one number or 2"):
        draw(model, X, y, extent=[1, 2, 3])
    with pytest.raises(ValueError, match="extent must be a number in"):
        draw(model, X, y, extent=0)
    with pytest.raises(ValueError, match="grid_resolution must be an integer"):
        draw(model, X, y, grid_resolution=1)
    with pytest.raises(ValueError, match="label 7, which is none of the fit"):
        draw(model, X, np.where(y == 1, 7, 0))
    with pytest.raises(ValueError, match="3 targets, as in the fit, got 1"):
        draw(Ridge().fit(X_ridge, Y_ridge), X_ridge, Y_ridge[:, 0])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        draw(model, X, y[:-1])


def test_without_matplotlib_the_error_is_that_of_scikit_learn(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"ConvergenceDisplay\.from_estimators requires matplotlib"):
        ConvergenceDisplay.from_estimators(models)
    with pytest.raises(ImportError, match=r"LossSurfaceDisplay\.from_estimator requires matplotlib"):
        LossSurfaceDisplay.from_estimator(models["sag"], X, y)
