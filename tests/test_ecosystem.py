"""The estimators inside scikit-learn's tools: what a user of its own linear models would try next."""

import pickle
import re
import subprocess
import sys
import warnings
from email.message import Message

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale
from sklearn.utils import estimator_html_repr

from skvr import LogisticRegression, Ridge, RidgeClassifier

ESTIMATORS = [LogisticRegression, Ridge, RidgeClassifier]
CLASSIFIERS = [LogisticRegression, RidgeClassifier]


def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), y


def test_kinds_are_seen():
    assert all(is_classifier(cls()) for cls in CLASSIFIERS)
    assert is_regressor(Ridge())


def test_columns_of_numbers_and_words_in_one_pipeline():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.standard_normal(200), "colour": rng.choice(["red", "green"], 200)})
    y = np.where((frame["colour"] == "red") ^ (frame["size"] > 2), "yes", "no")
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), make_column_selector(dtype_include="number")),
            ("words", OneHotEncoder(), ["colour"]),
        ],
        sparse_threshold=1.0,
    )
    for cls in CLASSIFIERS:
        pipe = make_pipeline(columns, cls()).fit(frame, y)
        assert sp.issparse(pipe[:-1].transform(frame))
        assert pipe.score(frame, y) > 0.9
        assert set(pipe.predict(frame)) == {"yes", "no"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["sgd", "svrg", "adam"])
def test_random_search_over_the_step_size(solver):
    model = LogisticRegression(solver=solver, tol=None, max_iter=10, random_state=0)
    search = RandomizedSearchCV(model, {"step_size": loguniform(1e-4, 1e-1)}, n_iter=6, cv=3, random_state=0)
    search.fit(*cancer())
    assert search.best_score_ > 0.93
    assert search.best_estimator_.step_size_ == search.best_params_["step_size"] or solver == "adam"


def test_halving_search_over_the_epochs():
    """`max_iter` as the resource: with tol=None a fit takes as many epochs as it is given."""
    model = LogisticRegression(solver="sag", tol=None, random_state=0)
    grid = {"step_size": [1e-4, 1e-3, 1e-2, 1e-1]}
    search = HalvingGridSearchCV(
        model, grid, resource="max_iter", min_resources=2, max_resources=18, cv=3, random_state=0
    ).fit(*cancer())
    assert search.n_resources_ == [2, 6]
    assert search.best_estimator_.n_iter_[0] == search.n_resources_[-1]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_grid_search_in_processes_has_the_bits_of_one_in_turn(cls):
    X, y = iris()
    model = cls(solver="saga", tol=None, max_iter=10, random_state=0)
    grid = {"alpha" if cls is not LogisticRegression else "C": [0.1, 10.0], "step_size": [1e-3, 1e-1]}
    one, two = (GridSearchCV(model, grid, cv=3, n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(one.best_estimator_.coef_, two.best_estimator_.coef_)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_cross_val_predict_equals_scikit_learns(method):
    X, y = iris()
    ours = cross_val_predict(LogisticRegression(tol=1e-20), X, y, method=method)
    theirs = cross_val_predict(SklearnLogisticRegression(tol=1e-12, solver="newton-cholesky"), X, y, method=method)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_calibration_of_scores_without_probabilities():
    X, y = cancer()
    model = CalibratedClassifierCV(RidgeClassifier(), cv=3).fit(X, y)
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
    assert model.score(X, y) > 0.95


def test_one_versus_rest_is_a_fit_a_class():
    X, y = iris()
    model = OneVsRestClassifier(LogisticRegression(tol=1e-12)).fit(X, y)
    for k, one in enumerate(model.estimators_):
        np.testing.assert_array_equal(one.coef_, LogisticRegression(tol=1e-12).fit(X, y == k).coef_)


@pytest.mark.parametrize("solver", ["auto", "saga"])
def test_ensembles(solver):
    X, y = iris()
    members = [("logistic", LogisticRegression(solver=solver, tol=1e-3, random_state=0)), ("ridge", RidgeClassifier())]
    for model in (
        StackingClassifier(members, final_estimator=LogisticRegression(), cv=3),
        VotingClassifier(members),
        BaggingClassifier(members[0][1], n_estimators=3, random_state=0),
    ):
        assert model.fit(X, y).score(X, y) > 0.8
    X, y = load_diabetes(return_X_y=True)
    stack = StackingRegressor([("weak", Ridge(0.01)), ("strong", Ridge(1.0))], final_estimator=Ridge(), cv=3)
    assert stack.fit(X, y).score(X, y) > 0.4


def test_targets_that_are_transformed_or_many():
    X, y = load_diabetes(return_X_y=True)
    model = TransformedTargetRegressor(Ridge(0.1), func=np.log, inverse_func=np.exp).fit(X, y)
    assert model.score(X, y) > 0.4
    Y = np.column_stack([y, -y])
    together, apart = Ridge(0.1, tol=1e-14).fit(X, Y), MultiOutputRegressor(Ridge(0.1, tol=1e-14)).fit(X, Y)
    np.testing.assert_allclose(together.predict(X), apart.predict(X), rtol=1e-6)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_features_are_selected_by_coefficients(cls):
    X, _ = load_diabetes(return_X_y=True)
    rng = np.random.default_rng(0)
    X = np.hstack([scale(X), rng.standard_normal((len(X), 5))])
    y = X[:, :10].sum(axis=1) + rng.standard_normal(len(X))
    y = y if cls is Ridge else y > 0
    assert RFE(cls(), n_features_to_select=5).fit(X, y).support_[10:].sum() == 0
    assert SelectFromModel(cls(), max_features=5, threshold=-np.inf).fit(X, y).get_support()[10:].sum() == 0


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_permutation_importance_finds_the_column_that_matters(cls):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    y = X[:, 1] if cls is Ridge else X[:, 1] > 0
    importance = permutation_importance(cls().fit(X, y), X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean.argmax() == 1


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_frames_inside_a_pipeline(cls, frames):
    X, y = iris()
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipe = make_pipeline(StandardScaler(), SelectFromModel(cls(), max_features=2), cls())
    pipe.set_output(transform=frames.__name__).fit(frame, y)
    assert len(pipe[-1].feature_names_in_) == 2
    assert set(pipe[-1].feature_names_in_) <= set("abcd")
    plain = make_pipeline(StandardScaler(), SelectFromModel(cls(), max_features=2), cls()).fit(X, y)
    # The scaler sums the columns of a frame in another order: to rounding, times the condition of two features.
    np.testing.assert_allclose(pipe.predict(frame), plain.predict(X), rtol=1e-9)


def test_sample_weight_is_routed_through_a_search():
    X, y = cancer()
    weight = np.where(y == 1, 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression(tol=1e-14).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"C": [1.0]}, cv=3).fit(X, y, sample_weight=weight)
        scores = cross_validate(model, X, y, params={"sample_weight": weight}, cv=3)["test_score"]
    np.testing.assert_allclose(search.best_estimator_.coef_, LogisticRegression(tol=1e-14).fit(X, y, weight).coef_)
    assert search.best_score_ == scores.mean()
    assert search.best_score_ != GridSearchCV(clone(model), {"C": [1.0]}, cv=3).fit(X, y).best_score_


def test_partial_fit_inside_scikit_learns_tools():
    X, y = iris()
    model = LogisticRegression(solver="adam", random_state=0)
    sizes, _, scores = learning_curve(
        model, X, y, cv=3, exploit_incremental_learning=True, shuffle=True, random_state=0, train_sizes=[20, 50, 99]
    )
    assert len(sizes) == 3
    assert scores[-1].mean() > 0.6
    Y = np.column_stack([y > 0, y > 1]).astype(int)
    many = MultiOutputClassifier(model).partial_fit(X, Y, classes=[[0, 1], [0, 1]]).partial_fit(X, Y)
    assert many.predict(X).shape == Y.shape


@pytest.mark.parametrize("solver", ["auto", "sag", "adam"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_saved_model_predicts_alike_also_mapped_from_the_file(cls, solver, tmp_path):
    X, y = iris()
    model = cls(solver=solver, tol=1e-2, random_state=0, warm_start=True).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not mapped.coef_.flags.writeable
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model"), mapped):
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
        assert repr(copy) == repr(model)
    expected = model.fit(X, y).coef_  # a warm start, from read-only memory too
    np.testing.assert_array_equal(mapped.fit(X, y).coef_, expected)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_model_saved_by_another_version_is_loaded_with_a_warning(cls, monkeypatch):
    X, y = iris()
    model = cls().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy = pickle.loads(pickle.dumps(model))
    assert vars(copy).keys() == vars(model).keys()
    monkeypatch.setattr("skvr._base.VERSION", "0.0.9")
    old = pickle.dumps(model)
    monkeypatch.undo()
    with pytest.warns(InconsistentVersionWarning, match=rf"{cls.__name__} from version skvr 0\.0\.9 when using"):
        copy = pickle.loads(old)
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    state = {name: value for name, value in model.__getstate__().items() if name != "_skvr_version"}
    with pytest.warns(InconsistentVersionWarning, match="from version skvr unknown"):
        cls.__new__(cls).__setstate__(state)


def links(html):
    """Return where the links of a drawing lead, without the word that scikit-learn has the browser look for there."""
    return {link.partition(":~:")[0].rstrip("#") for link in re.findall(r'href="([^"]*)"', html)}


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("address", ["", "https://skvr.example/stable", "https://skvr.example/stable/"])
def test_the_drawing_of_an_estimator_links_to_its_place_in_the_documentation(cls, address, monkeypatch):
    """Where pyproject.toml names an address; without one there is no link. .ci/check_site.py looks for these places."""
    urls = Message()
    urls["Project-URL"] = "Source, https://skvr.example/source"
    if address:
        urls["Project-URL"] = f"Documentation, {address}"
    monkeypatch.setattr("skvr._base.metadata", {"skvr": urls}.__getitem__)
    expected = {f"https://skvr.example/stable/api.html#skvr.{cls.__name__}"} if address else set()
    scaler = links(estimator_html_repr(StandardScaler()))
    for model in (cls(), cls().fit(*iris())):
        assert links(estimator_html_repr(model)) == expected
        assert links(estimator_html_repr(make_pipeline(StandardScaler(), model))) - scaler >= expected
        assert not [link for link in links(estimator_html_repr(model)) if "scikit-learn" in link]

    class Mine(cls):
        """What a user derives has no place there."""

    assert not links(estimator_html_repr(Mine()))


@pytest.mark.parametrize("classes", [2, 3])
def test_coefficients_in_sparse_format(classes):
    """As scikit-learn's LogisticRegression: columns that are empty in the data have coefficients of exactly zero."""
    X, y = iris()
    X, y = np.hstack([X, np.zeros((len(X), 20))])[y < classes], y[y < classes]
    model = LogisticRegression(solver="sgd", tol=None, max_iter=3, warm_start=True, random_state=0).fit(X, y)
    with pytest.raises(sklearn.exceptions.NotFittedError, match="must be fitted before sparsifying"):
        LogisticRegression().sparsify()
    expected, coef = model.decision_function(X), model.coef_.copy()
    assert model.sparsify() is model
    assert sp.issparse(model.coef_)
    assert model.coef_.nnz == 4 * len(coef)
    for rows in (X, sp.csr_matrix(X)):
        np.testing.assert_allclose(model.decision_function(rows), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(model.predict(rows), pickle.loads(pickle.dumps(model)).predict(rows))
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y).coef_, again.fit(X, y).coef_)  # a warm start from sparse ones
    model.sparsify()
    model.partial_fit(X, y)
    np.testing.assert_array_equal(model.coef_, again.partial_fit(X, y).coef_)
    np.testing.assert_array_equal(model.sparsify().densify().coef_, again.coef_)


def test_an_import_leaves_out_other_linear_models(tmp_path):
    """They would take as long as all of skvr: the first fit of a process is meant to cost no more than theirs."""
    code = "import skvr, sys; print(sorted({'sklearn.linear_model', 'matplotlib.pyplot'} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
