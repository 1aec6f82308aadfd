"""The second-order solvers on data of every kind: they reach tol, or say that they did not; and they say the truth."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import problem_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

from skvr import LogisticRegression, Ridge
from skvr.solvers import LBFGS, SDCA, PreconditionedSVRG, auto, sampling
from skvr.solvers.preconditioner import KINDS

EPS = np.finfo(np.float64).eps
TOL = 1e-4


def repeat_a_column(X, rng):
    X[:, -1] = X[:, 0]


def hold_a_column(X, rng):
    X[:, -1] = 3.3


def empty_a_column(X, rng):
    X[:, 0] = 0


def make_columns_rare(X, rng):
    X[:, ::2] = rng.random(X[:, ::2].shape) < 1.5 / len(X)


def move_columns(X, rng):
    X += 1000


def scale_columns(X, rng):
    X *= 10.0 ** rng.integers(-6, 7, X.shape[1])


def make_rows_heavy(X, rng):
    X *= np.abs(rng.standard_cauchy((len(X), 1)))


def repeat_a_row(X, rng):
    X[1:] = X[:1]


FLAWS = [
    repeat_a_column,
    hold_a_column,
    empty_a_column,
    make_columns_rare,
    move_columns,
    scale_columns,
    make_rows_heavy,
    repeat_a_row,
]


class Fit:
    """An estimator but for its solver, and data; printed as how they were made."""

    def __init__(self, model, X, y, weight, origin):
        self.model, self.X, self.y, self.weight, self.origin = model, X, y, weight, origin

    def __repr__(self):
        return f"{self.model} {self.origin}"


@st.composite
def fits(draw, n_outputs=(1, 3)):
    """Return a `Fit` of any kind."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, p = draw(st.sampled_from([1, 2, 5, 20, 60, 300])), draw(st.sampled_from([1, 3, 10, 40]))
    K, squared = draw(st.sampled_from(n_outputs)), draw(st.booleans())
    n = n if squared else max(n, K + 1)
    X = rng.standard_normal((n, p))
    flaws = sorted(draw(st.sets(st.sampled_from(FLAWS), max_size=4)), key=FLAWS.index)
    for flaw in flaws:
        flaw(X, rng)
    X = X.astype(draw(st.sampled_from([np.float32, np.float64])))
    y = X / np.abs(X).max(axis=0, initial=1e-9) @ rng.standard_normal((p, K))
    noise = draw(st.sampled_from([0.0, 0.3, 3.0]))  # 0: separable
    y += noise * rng.standard_normal((n, K))
    weight = rng.uniform(0.1, 3, n) * (rng.random(n) < 0.8) if draw(st.booleans()) else None
    strength = 10.0 ** draw(st.integers(-4, 6))
    if squared:
        alpha = 1 / strength if draw(st.booleans()) else strength ** -np.linspace(-1, 1, K)
        model, y = Ridge(alpha), y * 10.0 ** rng.integers(-3, 4)
        rows = [0]
    else:
        classes = K if K > 1 else 2
        y = np.digitize(y[:, 0], np.quantile(y[:, 0], np.arange(1, classes) / classes ** draw(st.sampled_from([1, 2]))))
        y[:classes] = np.arange(classes)
        model, rows = LogisticRegression(C=strength), slice(classes)
    if weight is not None:
        weight[rows] = 1
    model.set_params(fit_intercept=draw(st.booleans()), random_state=0, tol=TOL)
    X = sp.csr_matrix(X) if draw(st.booleans()) else X
    names = [flaw.__name__ for flaw in flaws]
    origin = f"{type(X).__name__} {X.dtype} {n} x {p}, {K=}, {names}, {noise=}, weighted={weight is not None}, {seed=}"
    return Fit(model, X, y, weight, origin)


def other_solution(model, P, y):
    """Return the W and b of another method, exact where it can be; no better than the optimum anywhere."""
    if P.loss == "squared":
        share = P.weight / P.weight.sum() * P.fit_intercept
        X_mean, Y_mean = share @ P.X, share @ P.y
        root = np.sqrt(P.weight / P.n)[:, None]
        solve = lambda y, a: np.linalg.lstsq(  # noqa: E731
            np.vstack([root * (P.X - X_mean), np.sqrt(a) * np.eye(P.X.shape[1])]),
            np.append(root[:, 0] * y, np.zeros(P.X.shape[1])),
            rcond=None,
        )[0]
        W = np.array([solve(y, a) for y, a in zip((P.y - Y_mean).T, P.alpha, strict=True)])
        return W, Y_mean - W @ X_mean
    other = SklearnLogisticRegression(
        C=model.C, fit_intercept=model.fit_intercept, solver="newton-cholesky", tol=1e-10, max_iter=100
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.fit(P.X, y, sample_weight=P.sample_weight)
    return other.coef_, other.intercept_


def assert_true(model, X, y, weight):
    """Fit; what is certified must hold, and what is not certified must be warned of. Return the warnings."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        model.fit(X, y, sample_weight=weight)
    assert all(issubclass(warning.category, ConvergenceWarning) for warning in record), record[0].message
    reached = np.max(model.suboptimality_) <= TOL
    assert reached == (not record)
    P = problem_of(model, X, y, weight)
    W, b = np.atleast_2d(model.coef_).astype(np.float64), np.atleast_1d(model.intercept_).astype(np.float64)
    assert np.all(np.isfinite(W))
    assert np.all(np.isfinite(b))
    F, other = P.objective(W, b), P.objective(*other_solution(model, P, y))
    # With g known to an error e, ||g||^2 / (2 alpha) is at most twice what was certified, plus ||e||^2 / alpha.
    rounding = 64 * EPS * np.max(np.abs(P.X) @ np.abs(W).T + np.abs(b))  # of a raw prediction, e times the rows
    error = rounding * (1 + np.sqrt(F)) + rounding**2 * (1 + np.mean(P.X**2) * P.X.shape[1] / P.alpha)
    assert np.all(F * (1 - np.minimum(2 * model.suboptimality_, 1)) <= other * (1 + 1e-9) + error)
    return [str(warning.message) for warning in record]


LIMITS = {  # what makes `auto` take its branches on small data
    "newton": {},
    "dual": {"SMALL_GRAM": 0, "LARGE_GRAM": 0, "GRAM_OF_X": 0},
}


@pytest.fixture
def small_samples(monkeypatch):
    """Samples of the rows of small tables."""
    monkeypatch.setattr(sampling, "FEWEST_ROWS", 10)
    monkeypatch.setattr(sampling, "ROWS_PER_PARAMETER", 0.5)


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("branch", LIMITS)
def test_auto_on_data_of_every_kind(branch, monkeypatch):
    for name, value in LIMITS[branch].items():
        monkeypatch.setattr(auto, name, value)

    @settings(deadline=None, max_examples=60)
    @given(fits())
    def run(fit):
        messages = assert_true(fit.model, fit.X, fit.y, fit.weight)
        # Nothing but rounding keeps a Hessian from tol. Without an intercept, columns far from zero are all alike.
        if branch != "dual" and (fit.model.fit_intercept or "move_columns" not in fit.origin):
            assert all("rounding" in message or "float32" in message for message in messages), messages

    run()


SOLVERS = [LBFGS(kind) for kind in KINDS] + [PreconditionedSVRG(kind) for kind in KINDS]


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("solver", [*SOLVERS, SDCA()], ids=str)
def test_solvers_on_data_of_every_kind(solver):
    @settings(deadline=None, max_examples=15)
    @given(fits(n_outputs=[1] if isinstance(solver, SDCA) else [1, 3]))
    def run(fit):
        assert_true(fit.model.set_params(solver=solver, max_iter=60), fit.X, fit.y, fit.weight)

    run()


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("solver", [*SOLVERS, SDCA()], ids=str)
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge])
def test_weighted_equals_repeated(cls, solver):
    """And a warm start ends where a cold one does: as near to each other as both bounds say."""
    rng = np.random.default_rng(0)
    X, weight = rng.standard_normal((120, 6)), rng.integers(0, 4, 120).astype(float)
    y = (X[:, 0] + rng.standard_normal(120) > 0).astype(float)
    settings = {"solver": solver, "tol": 1e-12, "max_iter": 2000, "random_state": 0}
    weighted = cls(**settings).fit(X, y, sample_weight=weight)
    copies = weight.astype(int)
    repeated = cls(**settings).fit(np.repeat(X, copies, axis=0), np.repeat(y, copies))
    name, stronger = ("C", 0.1) if cls is LogisticRegression else ("alpha", 10.0)
    warm = cls(**settings).set_params(**{name: stronger}).fit(X, y, sample_weight=weight)
    warm.set_params(warm_start=True, **{name: 1.0}).fit(X, y, sample_weight=weight)
    P = problem_of(weighted, X, y, weight)
    F = P.objective(np.atleast_2d(weighted.coef_), np.atleast_1d(weighted.intercept_)).item()
    for model in (repeated, warm):
        # F - F* >= alpha/2 ||w - w*||^2
        distance = sum(np.sqrt(2 * m.suboptimality_ * F / P.alpha[0]) for m in (weighted, model))
        assert np.linalg.norm(model.coef_ - weighted.coef_) <= distance + 1e-13
