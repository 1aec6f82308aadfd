"""The contract with scikit-learn: check_estimator for every estimator with every solver, and the tools around it."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers

ESTIMATORS = [LogisticRegression, Ridge, RidgeClassifier]

# Where two fits are compared to 1e-7, the linearly convergent methods need a tight tolerance.
TIGHT = {"tol": 1e-18, "max_iter": 20_000}
SETTINGS = {"sag": TIGHT, "saga": TIGHT, "svrg": TIGHT}

WEIGHT_CHECKS = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
SGD_REASON = "weighted and repeated rows are other sequences of steps, and sgd does not converge to 1e-7"
RMSPROP_REASON = "rmsprop does not converge: it keeps oscillating and amplifies the rounding errors of two equal sums"


def expected_failed_checks(estimator):
    """Only methods that by nature do not converge, only the comparison of two fits to 1e-7. See doc/reliability.md."""
    if estimator.solver == "sgd":
        return dict.fromkeys(WEIGHT_CHECKS, SGD_REASON)
    if estimator.solver == "rmsprop" and not isinstance(estimator, LogisticRegression):
        return dict.fromkeys(WEIGHT_CHECKS, RMSPROP_REASON)
    return {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [cls() for cls in ESTIMATORS]
    + [cls(solver=name, **SETTINGS.get(name, {})) for cls in ESTIMATORS for name in solvers.SOLVERS],
    expected_failed_checks=expected_failed_checks,
)
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_grid_search_over_the_step_size_in_a_pipeline():
    X, y = load_breast_cancer(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), LogisticRegression(solver="sag", tol=None, max_iter=30, random_state=0))
    search = GridSearchCV(pipe, {"logisticregression__step_size": [1e-3, 1e-2, "auto"]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.95


def test_grid_search_over_the_parameters_of_a_solver_object():
    X, y = load_iris(return_X_y=True)
    clf = LogisticRegression(solver=solvers.SVRG(), tol=None, max_iter=20, random_state=0)
    grid = {"solver__step_size": [0.01, 0.05], "solver__inner_length": [1.0, 2.0]}
    search = GridSearchCV(clf, grid, cv=3).fit(X, y)
    assert set(search.best_params_) == set(grid)
    assert search.best_estimator_.solver_.step_size == search.best_params_["solver__step_size"]


def test_grid_search_scores_a_diverging_step_size_nan():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    search = GridSearchCV(Ridge(solver="sgd", random_state=0), {"step_size": [1e3, "auto"]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with (
            pytest.warns(sklearn.exceptions.FitFailedWarning, match="diverged"),
            pytest.warns(UserWarning, match="non-finite"),
        ):
            search.fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"][0])
    assert search.best_params_ == {"step_size": "auto"}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_clones_are_independent_and_solvers_are_not_changed_by_a_fit(cls):
    X, y = load_iris(return_X_y=True)
    solver = solvers.Adam(step_size=0.01, beta_1=0.8)
    model = cls(solver=solver, tol=None, max_iter=3)
    copy = clone(model)
    assert copy.solver is not solver
    assert copy.solver.get_params() == solver.get_params()
    before = dict(vars(solver))
    model.fit(X, y)
    assert vars(solver) == before


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_sample_weight_is_routed_through_a_pipeline(cls):
    X, y = load_iris(return_X_y=True)
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        model = cls(tol=1e-12).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, model).fit(X, y, sample_weight=weight)
    direct = cls(tol=1e-12).fit(StandardScaler().fit_transform(X), y, sample_weight=weight)
    np.testing.assert_array_equal(pipe[-1].coef_, direct.coef_)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_data_frames_keep_their_feature_names(cls, frames):
    X, y = load_iris(return_X_y=True)
    names = ["a", "b", "c", "d"]
    frame = frames.DataFrame({name: X[:, j] for j, name in enumerate(names)})
    model = cls().fit(frame, y)
    assert list(model.feature_names_in_) == names
    np.testing.assert_array_equal(model.predict(frame), cls().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])
