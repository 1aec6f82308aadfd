"""Promise 1: at tol=1e-20 the linearly convergent solvers reach the exact solution.

The bound is quadratic in the distance, bound / F = (alpha d ||w||)^2 / (2 alpha F) at least, so that tol=1e-20 leaves a
relative error d = sqrt(2 tol F / (alpha ||w||^2)) of the coefficients: `solution_error` computes what is promised.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.preprocessing import StandardScaler

from skvr import LogisticRegression, Ridge, RidgeClassifier

SOLVERS = ["auto", "sag", "saga", "svrg"]
EXACT = {"tol": 1e-20, "max_iter": 100_000, "random_state": 0}
LAYOUTS = {"dense": np.asarray, "csr": sp.csr_matrix, "float32": np.float32}


def ridge_solution(X, y, alpha, weight):
    """Solve the normal equations in centred columns, by Cholesky."""
    Y = y.reshape(len(y), -1)
    share = weight / weight.sum()
    X_mean, Y_mean = share @ X, share @ Y
    A, B = X - X_mean, Y - Y_mean
    gram = (A.T * weight) @ A
    alphas = np.broadcast_to(alpha, Y.shape[1])
    coef = np.array(
        [np.linalg.solve(gram + a * np.eye(X.shape[1]), A.T @ (weight * B[:, t])) for t, a in enumerate(alphas)]
    )
    intercept = Y_mean - coef @ X_mean
    return (coef, intercept) if y.ndim == 2 else (coef[0], intercept[0])


def logistic_solution(X, y, C, weight):
    model = SklearnLogisticRegression(C=C, solver="newton-cholesky", tol=1e-13, max_iter=1000)
    model.fit(X, y, sample_weight=weight)
    return model.coef_, model.intercept_


def relative_error(a, b):
    return np.linalg.norm(a - b) / max(np.linalg.norm(b), np.finfo(float).tiny)


def as_layout(X, layout):
    """Return X in the layout, and the float64 table that it holds."""
    converted = LAYOUTS[layout](X)
    return converted, converted.toarray() if layout == "csr" else converted.astype(np.float64)


# rows, columns, constant column
TABLES = [
    (1, 1, False),
    (1, 7, False),
    (2, 3, False),
    (5, 1, False),
    (5, 40, False),
    (10, 10, True),
    (20, 5, False),
    (30, 100, False),
    (50, 20, True),
    (80, 300, False),
    (100, 3, False),
    (150, 60, False),
    (200, 200, False),
    (300, 10, True),
    (300, 50, False),
    (500, 120, False),
    (800, 2, False),
    (1000, 30, True),
    (2000, 8, False),
    (5000, 20, False),
]


def table(n, p, constant_column, seed):
    """Return standardised columns (one of them constant), a noisy linear target, labels, weights from 1/2 to 2."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) / np.sqrt(p) + rng.standard_normal((n, p))
    X = StandardScaler().fit_transform(X) if n > 1 else X / np.abs(X).max()
    if constant_column:
        X[:, 0] = 1.0
    target = X @ rng.standard_normal(p) / np.sqrt(p) + rng.standard_normal(n)
    labels = np.digitize(target, np.quantile(target, [0.5]))
    return X, target, labels, rng.uniform(0.5, 2.0, n)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("case", range(len(TABLES)))
def test_ridge_on_generated_tables(case, solver):
    X, y, _, weight = table(*TABLES[case], seed=case)
    X, exact = as_layout(X, list(LAYOUTS)[case % 2])
    coef, intercept = ridge_solution(exact, y, 1.0, weight)
    model = Ridge(solver=solver, **EXACT).fit(X, y, sample_weight=weight)
    assert relative_error(model.coef_, coef) < 1e-8 or np.linalg.norm(coef) < 1e-12
    assert abs(model.intercept_ - intercept) < 1e-8 * np.abs(y).max()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("case", [c for c, (n, _, _) in enumerate(TABLES) if n > 1])
def test_logistic_regression_on_generated_tables(case, solver):
    X, _, y, weight = table(*TABLES[case], seed=case)
    X, exact = as_layout(X, list(LAYOUTS)[case % 2])
    coef, _ = logistic_solution(exact, y, 1.0, weight)
    model = LogisticRegression(solver=solver, **EXACT).fit(X, y, sample_weight=weight)
    assert relative_error(model.coef_, coef) < 1e-8


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_multinomial(solver, layout):
    data, y = load_wine(return_X_y=True)
    X, exact = as_layout(StandardScaler().fit_transform(data), layout)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    coef, intercept = logistic_solution(exact, y, 0.5, weight)
    model = LogisticRegression(C=0.5, solver=solver, **EXACT).fit(X, y, sample_weight=weight)
    tolerance = 1e-6 if layout == "float32" else 1e-8  # a float32 coef_ holds no more
    assert relative_error(model.coef_, coef) < tolerance
    assert relative_error(model.intercept_, intercept) < tolerance
    assert model.intercept_.sum() == pytest.approx(0, abs=1e-6 if layout == "float32" else 1e-14)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_many_targets_with_their_own_alpha(solver, layout):
    X, y = load_diabetes(return_X_y=True)
    X, exact = as_layout(StandardScaler().fit_transform(X), layout)
    Y = np.column_stack([y, exact[:, 0] ** 2, -3 * y])
    alpha = [0.5, 10.0, 200.0]
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    coef, intercept = ridge_solution(exact, Y, alpha, weight)
    model = Ridge(alpha=alpha, solver=solver, **EXACT).fit(X, Y, sample_weight=weight)
    for t in range(3):
        assert relative_error(model.coef_[t], coef[t]) < (1e-6 if layout == "float32" else 1e-8)
    assert relative_error(model.intercept_, intercept) < (1e-6 if layout == "float32" else 1e-8)
    rounded = np.finfo(np.float32).eps ** 2 * 1e4  # the bound of rounded coefficients: eps^2 times L^2 / (alpha F)
    assert np.all(model.suboptimality_ <= (rounded if layout == "float32" else 1e-20))


REAL = {"breast_cancer": load_breast_cancer, "iris": load_iris, "wine": load_wine, "digits": load_digits}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("solver", SOLVERS)
def test_logistic_regression_on_real_data(name, solver):
    X, y = REAL[name](return_X_y=True)
    C = 1.0
    if name == "digits" and solver != "auto":  # a fifth of the rows and a larger penalty, as the whole takes minutes
        X, y, C = X[::5], y[::5], 0.01
    X = StandardScaler().fit_transform(X)
    coef, _ = logistic_solution(X, y, C, np.ones(len(y)))
    model = LogisticRegression(C=C, solver=solver, **EXACT).fit(X, y)
    assert relative_error(model.coef_, coef) < 1e-8


@pytest.mark.parametrize("solver", SOLVERS)
def test_ridge_on_real_data(solver):
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    coef, _ = ridge_solution(X, y, 1.0, np.ones(len(y)))
    assert relative_error(Ridge(solver=solver, **EXACT).fit(X, y).coef_, coef) < 1e-8


@pytest.mark.filterwarnings("ignore:.*rounding.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scaling", [None, "logspace"])
@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine"])
def test_auto_needs_no_scaling(name, scaling):
    """Raw columns, and columns scaled from 1e-3 to 1e3; the standardised problem with other penalties is the judge."""
    X, y = REAL[name](return_X_y=True)
    if scaling:
        X = X * np.logspace(-3, 3, X.shape[1])
    model = LogisticRegression(**EXACT).fit(X, y)
    # Newton from the solution does not move: the gradient there is zero to rounding.
    again = LogisticRegression(tol=None, max_iter=3, warm_start=True)
    again.coef_, again.intercept_ = model.coef_, model.intercept_
    again.fit(X, y)
    assert relative_error(again.coef_, model.coef_) < 1e-8
    assert model.suboptimality_ < 1e-15


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0, 10_000.0])
@pytest.mark.parametrize("name", REAL)
def test_defaults_on_raw_data_converge_without_a_warning(name, C):
    X, y = REAL[name](return_X_y=True)
    model = LogisticRegression(C=C).fit(X, y)  # warnings are errors here
    assert model.suboptimality_ <= 1e-4
    exact = LogisticRegression(C=C, tol=1e-13).fit(X, y)
    best = exact.history_["objective"][-1]
    assert (model.history_["objective"][-1] - best) / best < 1e-4


@pytest.mark.parametrize("alpha", [100.0, 1.0, 0.01, 0.0001])
@pytest.mark.parametrize("scaled", [True, False])
def test_ridge_defaults_on_raw_data_are_exact(alpha, scaled):
    X, y = load_diabetes(return_X_y=True, scaled=scaled)
    coef, _ = ridge_solution(X, y, alpha, np.ones(len(y)))
    model = Ridge(alpha=alpha).fit(X, y)
    assert relative_error(model.coef_, coef) < 1e-9


@pytest.mark.parametrize("solver", SOLVERS)
def test_ridge_classifier_is_ridge_on_signs(solver):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    coef, intercept = ridge_solution(X, np.where(y[:, None] == np.arange(3), 1.0, -1.0), 1.0, np.ones(len(y)))
    model = RidgeClassifier(solver=solver, **EXACT).fit(X, y)
    assert relative_error(model.coef_, coef) < 1e-8
    assert relative_error(model.intercept_, intercept) < 1e-8
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("value", [0.1, 1 / 3, 2020.1, 1e6 + 1 / 3])
@pytest.mark.parametrize("penalty", [0.0, 1e-8, 1.0])
@pytest.mark.filterwarnings("ignore:.*rounding.*:sklearn.exceptions.ConvergenceWarning")
def test_a_constant_column_beside_an_intercept_gets_no_coefficient(penalty, value):
    """Centred, it holds rounding errors, which are not to be fitted."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5))
    y = X.sum(axis=1) + rng.standard_normal(300)
    with_constant = np.c_[X, np.full(300, value)]
    ridge, without = Ridge(alpha=penalty).fit(with_constant, y), Ridge(alpha=penalty).fit(X, y)
    assert abs(ridge.coef_[5]) < 1e-9
    np.testing.assert_allclose(ridge.coef_[:5], without.coef_, rtol=1e-9)
    C = np.inf if penalty == 0 else 1 / penalty
    clf = LogisticRegression(C=C, tol=1e-10).fit(with_constant, y > 0)
    assert abs(clf.coef_[0, 5]) < 1e-9
    np.testing.assert_allclose(clf.coef_[0, :5], LogisticRegression(C=C, tol=1e-10).fit(X, y > 0).coef_[0], rtol=1e-4)
