"""Promise 2: integer weights equal repeated rows, weight zero a missing row, class weights are sample weights."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skvr import LogisticRegression, Ridge, RidgeClassifier
from skvr.solvers import LBFGS, PreconditionedSVRG
from skvr.solvers.preconditioner import KINDS

SOLVERS = ["auto", "sag", "saga", "svrg"]
SECOND_ORDER = [*map(LBFGS, KINDS), PreconditionedSVRG()]
EXACT = {"tol": 1e-20, "max_iter": 100_000, "random_state": 0}


def predictions(model, X):
    return model.predict(X) if isinstance(model, Ridge) else model.decision_function(X)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge, RidgeClassifier])
def test_weighted_equals_repeated(cls, solver, layout):
    """15 rows, 30 columns, 3 classes, weights 0 to 5: where scikit-learn's own SAG fails."""
    rng = np.random.RandomState(0)
    X, y = rng.rand(15, 30), rng.randint(0, 3, 15)
    weight = rng.randint(0, 6, 15)
    weighted = cls(solver=solver, **EXACT).fit(layout(X), y, sample_weight=weight)
    repeated = cls(solver=solver, **EXACT).fit(layout(np.repeat(X, weight, axis=0)), np.repeat(y, weight))
    expected = predictions(repeated, layout(X))
    np.testing.assert_allclose(predictions(weighted, layout(X)), expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize(
    "solver",
    [
        "auto",
        "gd",
        "sgd",
        "minibatch",
        "sag",
        "saga",
        "svrg",
        "adagrad",
        "adam",
        *map(LBFGS, KINDS),
        PreconditionedSVRG(),
    ],
    ids=str,
)
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge])
def test_zero_weight_equals_a_missing_row_for_every_solver(cls, solver):
    """The very same steps, so equal to rounding; rows of any value may hide behind a zero weight."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((300, 4)), rng.integers(0, 3, 300)
    weight = rng.uniform(0.5, 2, 300)
    weight[::3] = 0
    X[::3] *= 1e6
    kept = weight > 0
    settings = {"solver": solver, "tol": None, "max_iter": 5, "random_state": 0}
    weighted = cls(**settings).fit(X, y, sample_weight=weight)
    removed = cls(**settings).fit(X[kept], y[kept], sample_weight=weight[kept])
    np.testing.assert_allclose(weighted.coef_, removed.coef_, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cls", [LogisticRegression, RidgeClassifier])
def test_class_weight_is_sample_weight(cls, solver):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((60, 3)), np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
    weight = rng.integers(1, 4, 60).astype(float)
    per_class = {"a": 0.5, "b": 2.0, "c": 1.0}
    by_class = cls(class_weight=per_class, solver=solver, **EXACT).fit(X, y, sample_weight=weight)
    by_row = cls(solver=solver, **EXACT).fit(X, y, sample_weight=weight * [per_class[label] for label in y])
    np.testing.assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-12)

    share = {label: weight.sum() / (3 * weight[y == label].sum()) for label in "abc"}
    balanced = cls(class_weight="balanced", solver=solver, **EXACT).fit(X, y, sample_weight=weight)
    by_row = cls(solver=solver, **EXACT).fit(X, y, sample_weight=weight * [share[label] for label in y])
    np.testing.assert_allclose(balanced.coef_, by_row.coef_, rtol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_weighted_equals_repeated_on_any_table(data):
    n, p = data.draw(st.integers(2, 20)), data.draw(st.integers(1, 6))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    weight = np.array(data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    weight[0] += 1
    X, y = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-2, 3, p), rng.standard_normal(n)
    alpha = data.draw(st.sampled_from([0.01, 1.0, 100.0]))
    weighted = Ridge(alpha, tol=1e-16).fit(X, y, sample_weight=weight)
    repeated = Ridge(alpha, tol=1e-16).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=0, atol=1e-7 * np.abs(y).max())
