"""Shapes, types, labels and probabilities of the three estimators, beside scikit-learn's."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as sklearn_models
from sklearn.datasets import load_digits, load_iris

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers

PEERS = [
    (LogisticRegression, sklearn_models.LogisticRegression),
    (Ridge, sklearn_models.Ridge),
    (RidgeClassifier, sklearn_models.RidgeClassifier),
]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("ours", "theirs"), PEERS)
def test_fitted_attributes_have_scikit_learns_shapes_and_types(ours, theirs, n_classes, dtype, fit_intercept):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes].astype(dtype), y[y < n_classes]
    a = ours(fit_intercept=fit_intercept, tol=1e-12).fit(X, y)
    # The peer's data are float64: in float32 its lbfgs ends up to 0.04 from the optimum, by the processor's sums.
    b = theirs(fit_intercept=fit_intercept, tol=1e-8, max_iter=10_000).fit(X.astype(np.float64), y)
    shape = (1 if n_classes == 2 else 3, 4) if ours is LogisticRegression else (4,)
    if ours is RidgeClassifier and n_classes == 3:
        shape = (3, 4)
    assert a.coef_.shape == shape  # scikit-learn 1.9's; older versions differ for RidgeClassifier
    if fit_intercept or ours is LogisticRegression:
        assert np.shape(a.intercept_) == (() if ours is Ridge else (1,) if n_classes == 2 else (3,))
    else:
        assert a.intercept_ == 0.0
    np.testing.assert_allclose(a.coef_.ravel(), b.coef_.ravel(), atol=1e-4)
    np.testing.assert_allclose(np.ravel(a.intercept_), np.ravel(b.intercept_), atol=1e-4)
    assert a.coef_.dtype == dtype
    assert a.n_iter_.dtype == np.int32
    if ours is not Ridge:
        np.testing.assert_array_equal(a.classes_, b.classes_)
        assert a.decision_function(X).shape == b.decision_function(X).shape
    assert a.predict(X).shape == b.predict(X).shape


@pytest.mark.parametrize("n_targets", [1, 3])
def test_ridge_shapes_for_two_dimensional_targets(n_targets):
    X = np.random.default_rng(0).standard_normal((20, 4))
    Y = X[:, :1] @ np.ones((1, n_targets))
    ours, theirs = Ridge().fit(X, Y), sklearn_models.Ridge().fit(X, Y)
    assert ours.coef_.shape == ((4,) if n_targets == 1 else (3, 4))  # scikit-learn 1.9's
    assert np.shape(ours.intercept_) == (n_targets,)
    np.testing.assert_allclose(ours.predict(X).ravel(), theirs.predict(X).ravel(), rtol=1e-9)
    assert ours.n_iter_.shape == (n_targets,)
    assert np.shape(ours.suboptimality_) == ((n_targets,) if n_targets > 1 else ())


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [False, True], [1.0, 2.0], [-1, 7], ["a", "b", "c"], [3, 1, 2]], ids=str
)
@pytest.mark.parametrize("cls", [LogisticRegression, RidgeClassifier])
def test_labels_of_any_kind(cls, labels):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < len(labels)], np.array(labels)[y[y < len(labels)]]
    model = cls().fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.8


def test_probabilities_do_not_overflow():
    model = LogisticRegression().fit(*load_iris(return_X_y=True))
    model.coef_, model.intercept_ = model.coef_ * 1e4, model.intercept_ * 1e4
    X = load_iris().data
    probability, log_probability = model.predict_proba(X), model.predict_log_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert np.all(np.isfinite(log_probability))
    np.testing.assert_allclose(np.exp(log_probability), probability, atol=1e-15)
    np.testing.assert_array_equal(probability.argmax(axis=1), model.decision_function(X).argmax(axis=1))


def test_two_classes_are_the_multinomial_model_of_half_the_scores():
    X, y = load_iris(return_X_y=True)
    X, y = X[y > 0], y[y > 0]
    model = LogisticRegression().fit(X, y)
    score = model.decision_function(X)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-score)))
    np.testing.assert_array_equal(model.predict(X), np.where(score > 0, 2, 1))


def test_sparse_prediction_equals_dense():
    X, y = load_digits(return_X_y=True)
    model = LogisticRegression(tol=1e-2).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(sp.csc_matrix(X)), model.predict_proba(X), rtol=1e-10)


@pytest.mark.parametrize("solver", solvers.SOLVERS)
def test_a_pickled_model_predicts_alike(solver):
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(solver=solver, tol=None, max_iter=3, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert repr(again.solver_) == repr(model.solver_)


def test_what_ran_does_not_change_with_the_users_objects():
    X, y = load_iris(return_X_y=True)
    policy, solver = solvers.Constant(0.1), solvers.SGD(0.1)
    by_name = LogisticRegression(solver="sgd", step_size=policy, tol=None, max_iter=1).fit(X, y)
    by_object = LogisticRegression(solver=solver, tol=None, max_iter=1).fit(X, y)
    policy.start, solver.step_size = 0.2, 0.2
    assert by_name.solver_.step_size.start == by_object.solver_.step_size == 0.1
