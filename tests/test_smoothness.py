"""L, L_F, L_B, and the automatic step sizes made of them."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from skvr import LogisticRegression, Ridge, smoothness
from skvr.problem import FiniteSum
from skvr.solvers import SOLVERS
from skvr.solvers.sampling import SAMPLINGS
from skvr.solvers.schedule import PLSchedule

LOSSES = {"logistic": 1, "softmax": 3, "squared": 2}


def problem(loss, n=60, p=7, fit_intercept=True, layout=np.asarray, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-1, 2, p)
    K = LOSSES[loss]
    y = {"logistic": np.sign(X[:, 0]), "softmax": rng.integers(0, 3, n), "squared": rng.standard_normal((n, 2))}[loss]
    weight = rng.uniform(0.2, 3, n)
    alpha = np.array([0.1, 0.7])[:K] if loss == "squared" else np.full(K, 0.1)
    return FiniteSum(layout(X), y, weight, alpha, loss, fit_intercept), X, weight / weight.mean()


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_constants_are_the_eigenvalues_of_the_bounding_hessians(loss, fit_intercept, layout):
    F, X, weight = problem(loss, fit_intercept=fit_intercept, layout=layout)
    rows = np.c_[X, np.full(len(X), float(fit_intercept))]
    c = {"logistic": 0.25, "softmax": 0.5, "squared": 1.0}[loss]
    L_i = c * weight * (rows**2).sum(axis=1)
    np.testing.assert_allclose(smoothness.row_curvature(F), L_i)
    np.testing.assert_allclose(smoothness.max_smoothness(F), L_i.max() + F.alpha)
    exact = c * np.linalg.eigvalsh((rows.T * weight) @ rows / len(X))[-1] + F.alpha
    estimate = smoothness.full_smoothness(F, np.random.default_rng(0))
    assert np.all(estimate >= 0.99 * exact)  # 1/L is safe up to 2/L
    assert np.all(estimate <= smoothness.POWER_MARGIN * exact)


def test_batch_smoothness_runs_from_max_L_to_L_F():
    F, _, _ = problem("logistic")
    rng = np.random.default_rng(0)
    whole = sum(smoothness.batch_smoothness(F, 60, SAMPLINGS["shuffled"](F), rng))
    values = [
        float(sum(smoothness.batch_smoothness(F, b, SAMPLINGS["shuffled"](F), np.random.default_rng(0)))[0])
        for b in (1, 2, 5, 20, 60)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] == smoothness.max_smoothness(F)[0]
    assert values[-1] == whole[0]
    independent = SAMPLINGS["uniform"](F)  # (b - 1)/b L_F + 1/b max L_i: the whole batch keeps a variance
    shared, variance = smoothness.batch_smoothness(F, 60, independent, np.random.default_rng(0))
    np.testing.assert_allclose(shared, 59 / 60 * whole)
    np.testing.assert_allclose(variance, smoothness.max_smoothness(F) / 60)


def test_the_softmax_curvature_bound_holds():
    """1/2 bounds the largest eigenvalue of diag(p) - pp'."""
    rng = np.random.default_rng(0)
    for K in (2, 3, 10):
        for p in rng.dirichlet(np.full(K, 0.3), 200):
            assert np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1] <= 0.5 + 1e-15


def test_the_pl_schedule_is_the_lectures_entered_at_the_safe_step():
    k = np.arange(1000.0)
    mu, L = np.array([1e-3, 0.4]), np.array([2.0, 0.5])
    literal = PLSchedule(mu, np.zeros(2))(k, 0)
    np.testing.assert_allclose(literal, (2 * k[:, None] + 1) / (2 * mu * (k[:, None] + 1) ** 2))
    entered = PLSchedule.entered_at(1 / L, mu)(k, 0)
    assert entered[0, 0] == pytest.approx(1 / L[0])
    assert entered[0, 1] == pytest.approx(1 / (2 * mu[1]))  # 2 mu > L: it starts below 1/L
    assert np.all(np.diff(entered, axis=0) < 0)
    assert np.all(np.isfinite(PLSchedule.entered_at(np.array([1e-200]), np.array([1e-3]))(k, 0)))


DATA = {"breast cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}


def heavy_tailed():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 5)) * rng.standard_t(2, size=(600, 1))
    return X, (X[:, 0] + rng.standard_normal(600) > 0).astype(int)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", [*DATA, "heavy tails", "five rows", "noisy huge column"])
def test_without_a_step_size_every_solver_descends_on_raw_data(name, solver):
    X, y = heavy_tailed() if name not in DATA else DATA[name](return_X_y=True)
    if name == "five rows":
        X, y = X[:5] * 1e-4, np.array([0, 1, 1, 0, 1])
    if name == "noisy huge column":
        X, y = X[:30] * [1e8, 1, 1, 1, 1], np.random.default_rng(1).integers(0, 2, 30)
    model = LogisticRegression(C=100, solver=solver, tol=None, max_iter=25, random_state=0).fit(X, y)
    assert model.history_["objective"][-1] < np.log(len(np.unique(y)))
    ridge = Ridge(solver=solver, tol=None, max_iter=25, random_state=0).fit(X, y)
    assert ridge.history_["objective"][-1] < np.mean(y.astype(float) ** 2) / 2


@pytest.mark.parametrize("solver", ["gd", "sgd", "sag", "saga", "svrg"])
def test_the_step_size_multiplies_the_gradient_of_F(solver):
    """Twice all weights and half of C leave F, and with it every step, as they are."""
    X, y = heavy_tailed()
    options = {"solver": solver, "step_size": 1e-4, "tol": None, "max_iter": 3, "random_state": 0}
    once = LogisticRegression(C=2.0, **options).fit(X, y)
    twice = LogisticRegression(C=1.0, **options).fit(X, y, sample_weight=np.full(len(y), 2.0))
    np.testing.assert_array_equal(once.coef_, twice.coef_)
    if solver == "gd":
        first = LogisticRegression(C=2.0, **{**options, "max_iter": 1}).fit(X, y)
        gradient = -(X.T @ (y - 0.5)) / len(y)
        np.testing.assert_allclose(first.coef_[0], -1e-4 * gradient, rtol=1e-12)


def test_a_flat_spectrum_does_not_end_the_power_iteration_early():
    """n equal eigenvalues and a larger one from the intercept, of which a random start sees 1 / sqrt(n)."""
    n = 20_000
    X, y = sp.identity(n, format="csr") * np.sqrt(n / 4), np.random.default_rng(0).standard_normal(n) + 1
    for seed in range(3):
        model = Ridge(alpha=1e-3, solver="gd", tol=None, max_iter=30, random_state=seed).fit(X, y)
        assert np.all(np.diff(model.history_["objective"]) <= 0)
