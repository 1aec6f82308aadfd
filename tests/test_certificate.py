"""Promise 5: the certified bound is a bound; the best intercept is the best."""

from contextlib import nullcontext

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import EPS, EPS_LONG, Long, assert_right_or_warned, gradient_error, parameters, problem_of
from reference import Problem
from scipy.optimize import minimize_scalar
from sklearn.exceptions import ConvergenceWarning

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers
from skvr.certificate import Certificate
from skvr.intercept import best_intercept
from skvr.problem import FiniteSum
from skvr.solvers import SOLVERS

KINDS = {LogisticRegression: (2, 3, 4), RidgeClassifier: (2, 3), Ridge: (1, 2)}  # classes, or targets
LAYOUTS = [np.asarray, sp.csr_matrix, sp.csc_array]
OBJECTS = [solvers.Newton(), solvers.LBFGS(), solvers.LBFGS("none"), solvers.PreconditionedSVRG()]


@st.composite
def fits(draw, offsets=(0.0, 5.0, 1e4)):
    """Return an estimator that may end anywhere between the start and the optimum, and data of any scale."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cls = draw(st.sampled_from(list(KINDS)))
    K = draw(st.sampled_from(KINDS[cls]))
    n, p = draw(st.integers(max(2, K), 40)), draw(st.integers(1, 8))
    X = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-4, 5, p) + draw(st.sampled_from(offsets))
    X = draw(st.sampled_from(LAYOUTS))(X.astype(draw(st.sampled_from([np.float64, np.float32]))))
    weights = [None, rng.uniform(0.1, 3, n), 10.0 ** rng.integers(-8, 9, n), rng.integers(0, 3, n)]
    weight = draw(st.sampled_from(weights))
    strength = 10.0 ** draw(st.integers(-6, 6))
    if cls is Ridge:
        model = Ridge(strength * 10.0 ** rng.integers(-2, 3, K))
        y = rng.standard_normal((n, K)) * 10.0 ** rng.integers(-6, 7, K) + draw(st.sampled_from([0.0, 3.0]))
    else:
        model = cls(**{"C" if cls is LogisticRegression else "alpha": strength})
        y = np.r_[np.arange(K), rng.integers(0, K, n - K)]
    if weight is not None:
        weight[: max(1, K)] = 1  # of every class one row counts
    one_output = (1 if cls is Ridge else 2) == K
    names = [*SOLVERS, *OBJECTS, *([solvers.SDCA()] if one_output else [])]
    model.set_params(
        solver=draw(st.sampled_from(names)),
        fit_intercept=draw(st.booleans()),
        tol=draw(st.sampled_from([1e-1, 1e-4, 1e-12, 0, None])),
        max_iter=draw(st.integers(1, 30)),
        random_state=0,
    )
    return model, X, y, weight


@settings(deadline=None, max_examples=400)
@given(fits())
def test_the_bound_holds(fit):
    """F* is from Newton in extended precision, so good that its own bound is nothing beside the one it judges."""
    model, X, y, weight = fit
    assert_right_or_warned(lambda: model.fit(X, y, sample_weight=weight), model, X, y, weight)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@settings(deadline=None, max_examples=100)
@given(fits(offsets=[0.0, 5.0]))  # of 1e4 + 1e-4 times a number not even extended precision can form the Gram matrix
def test_the_judge_is_exact(fit):
    """Its own F - F*, by the same inequality, is below the eps of float64, or at the rounding of its own gradient."""
    model, X, y, weight = fit
    model.set_params(solver="auto", tol=1e-6).fit(X, y, sample_weight=weight)
    P = problem_of(model, X, y, weight)
    F = Long(P)
    x = F.minimum(parameters(model))
    alpha = P.alpha if P.loss == "squared" else P.alpha[:1]
    own = np.sqrt(2 * alpha * np.finfo(np.float64).eps * F.objective(x))
    assert np.all(np.sqrt(F.gradient_square(x)) <= own + gradient_error(P, x) * EPS_LONG / EPS)


@pytest.mark.parametrize("z", [-60.0, 0.0, 1.0, 30.0, 60.0])
def test_the_judge_of_a_saturated_class_is_exact(z):
    """log(1 + e^-z) is some 1e-26 there: rounded beside 1, it would be off by more than the bound it judges."""
    X, x, one = np.ones((1, 1)), np.array([[z, 0.0], [0.0, 0.0]], dtype=np.longdouble), np.ones(1)
    softmax = Long(Problem(X, np.zeros(1), one, np.zeros(2), "softmax", False)).terms(x)
    logistic = Long(Problem(X, one, one, np.zeros(1), "logistic", False)).terms(x[:1])
    for of_classes, of_two in zip(softmax, logistic, strict=True):  # value, residual and curvature of class 0
        np.testing.assert_allclose(of_classes.ravel()[0], of_two.ravel()[0], rtol=8 * EPS_LONG)


def problem(y, loss, alpha=1e-3, K=1):
    n = len(y)
    return FiniteSum(np.ones((n, 1)), y, np.random.default_rng(0).uniform(0.5, 2, n), np.full(K, alpha), loss, True)


@pytest.mark.parametrize("spread", [0.0, 1.0, 100.0, 1e4])
@pytest.mark.parametrize("positive", [1, 50, 199])
def test_the_best_intercept_of_two_classes(positive, spread):
    """Plain Newton overflows on imbalanced, saturated predictions."""
    rng = np.random.default_rng(positive)
    y = np.where(np.arange(200) < positive, 1.0, -1.0)
    F = problem(y, "logistic")
    z = spread * rng.standard_normal(200)
    b, value, _ = best_intercept(F, z, np.zeros(1))
    _, gradient, _ = F.loss_in_shift(z, b)
    assert abs(gradient[0]) < 1e-12
    exact = minimize_scalar(lambda c: F.loss_in_shift(z, np.array([c]))[0][0], bracket=(b[0] - 1, b[0] + 1))
    assert value[0] <= exact.fun * (1 + 1e-12)


@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("rare", [1, 20])
def test_the_best_intercepts_of_many_classes(rare, spread):
    rng = np.random.default_rng(rare)
    y = np.r_[np.zeros(200 - 2 * rare), np.full(rare, 1.0), np.full(rare, 2.0)]
    F = problem(y, "softmax", K=3)
    z = spread * rng.standard_normal(600)
    b, value, start = best_intercept(F, z, np.zeros(3))
    _, gradient, _ = F.loss_in_shift(z, b)
    assert value[0] <= start[0]
    assert b.sum() == pytest.approx(0, abs=1e-8 * max(1, np.abs(b).max()))
    assert np.abs(gradient).max() < 1e-10


def test_a_perfect_fit_has_no_suboptimality():
    """F* = 0: the bound is compared with the rounding level of F's scale, not with F."""
    X = np.random.default_rng(0).standard_normal((30, 2))
    for y in (np.zeros(30), np.full(30, 7.0)):
        for solver in ("auto", "sag", "svrg"):
            model = Ridge(solver=solver, random_state=0).fit(X, y)
            assert model.suboptimality_ == 0
            np.testing.assert_allclose(model.predict(X), y, rtol=1e-12)


def a_light_row_whose_norm_overflows():
    """Return X, y and weights; the square of row 7, times its weight, does not overflow."""
    X, y, weight = np.random.default_rng(0).standard_normal((200, 4)), np.arange(200) % 2, np.ones(200)
    X[7], weight[7] = 1e160, 1e-200
    return X, y, weight


@pytest.mark.parametrize("solver", ["sag", solvers.LBFGS("diagonal"), solvers.Newton()])
def test_a_row_whose_norm_overflows_is_refused_however_little_it_weighs(solver):
    with pytest.raises(ValueError, match="the largest that of row 7"):
        LogisticRegression(solver=solver, tol=1e-8).fit(*a_light_row_whose_norm_overflows())


def test_auto_refuses_that_row_or_ends_where_the_others_say_before_it_needs_a_norm():
    X, y, weight = a_light_row_whose_norm_overflows()
    try:
        coef = LogisticRegression(tol=1e-8).fit(X, y, weight).coef_
    except ValueError as error:
        refusal = str(error)
    else:
        others = np.arange(200) != 7
        np.testing.assert_allclose(coef, LogisticRegression(tol=1e-12).fit(X[others], y[others]).coef_, rtol=1e-3)
        return
    assert "the largest that of row 7" in refusal


def test_measure_of_an_estimate_is_the_bound():
    rng = np.random.default_rng(0)
    F = FiniteSum(
        rng.standard_normal((50, 3)), np.sign(rng.standard_normal(50)), np.ones(50), np.array([0.1]), "logistic", True
    )
    theta = rng.standard_normal(4)
    certificate = Certificate(F)
    evaluation = certificate.evaluate(theta)
    theta[-1:] = evaluation.intercept
    assert certificate.measure(F.gradient(theta)) == pytest.approx(evaluation.bound, rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e7])
def test_the_bound_is_that_of_the_rounded_coefficients(offset):
    """float32 cannot hold an intercept of 1e7 to the default tolerance: the fit says so."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5)).astype(np.float32)
    y = X.astype(np.float64).sum(axis=1) + rng.standard_normal(300) + offset
    with pytest.warns(ConvergenceWarning, match="float32") if offset == 1e7 else nullcontext():
        model = Ridge(tol=1e-5).fit(X, y)
    exact = Ridge(tol=1e-20).fit(X.astype(np.float64), y)

    def objective(m):
        residual = X.astype(np.float64) @ m.coef_.astype(np.float64) + np.float64(m.intercept_) - y
        return (residual @ residual + np.sum(m.coef_.astype(np.float64) ** 2)) / 600

    gap = (objective(model) - objective(exact)) / objective(model)
    assert gap <= model.suboptimality_ * (1 + 1e-6) + 1e-14


def test_saturated_classes_do_not_make_the_intercept_worse():
    """Predictions of 0 and 1 with weights over twelve decades: the loss is all but flat in most directions."""
    rng = np.random.default_rng(3)
    for K in (3, 5, 8):
        y = np.r_[np.arange(K), rng.integers(0, K, 20)].astype(float)
        for _ in range(30):
            weight = 10.0 ** rng.integers(-6, 6, len(y))
            F = FiniteSum(np.ones((len(y), 1)), y, weight, np.full(K, 1e-3), "softmax", True)
            z = rng.standard_normal(len(y) * K) * 10.0 ** rng.integers(0, 4)
            start = rng.standard_normal(K)
            b, value, start_value = best_intercept(F, z, start)
            assert value[0] <= start_value[0]
            assert F.loss_in_shift(z, b)[0][0] <= start_value[0] * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_the_best_intercepts_of_saturated_classes_some_of_them_rare(seed):
    """Weights over twelve decades again: the curvatures of the classes differ as much."""
    rng = np.random.default_rng(seed)
    for K, n, spread in ((10, 40, 30.0), (20, 60, 100.0), (40, 100, 30.0)):
        y = np.r_[np.arange(K), rng.integers(0, K, n - K)].astype(float)
        weight = 10.0 ** rng.uniform(-6, 6, n)
        F = FiniteSum(np.zeros((n, 1)), y, weight, np.zeros(K), "softmax", True)
        z = spread * rng.standard_normal(n * K)
        b, _, _ = best_intercept(F, z, np.zeros(K))
        assert np.abs(F.loss_in_shift(z, b)[1]).max() < 1e-10


def test_next_to_the_best_intercept_the_gradient_decides():
    """Rounding hides by how much the best intercepts lower the loss; the bound is for the best ones nevertheless."""
    X = np.array([[5.0081525], [5.0634494], [5.010377], [5.0338387]])
    problem = FiniteSum(X, np.arange(4.0), np.ones(4), np.full(4, 0.25), "softmax", True)
    z = problem.raw_prediction(np.zeros(8))
    best, _, _ = best_intercept(problem, z, np.zeros(4))
    rng = np.random.default_rng(0)
    for distance in 10.0 ** np.arange(-12, -3).repeat(20):
        start = best + distance * rng.standard_normal(4)
        b, _, _ = best_intercept(problem, z, start)
        np.testing.assert_allclose(b - b.mean(), best - best.mean(), atol=1e-14)
