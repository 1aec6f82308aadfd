"""Step-size policies: their formulas, what reaches them, what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from problems import compiled, each, make_problem
from sklearn.model_selection import GridSearchCV

from skvr import LogisticRegression, Ridge, solvers
from skvr.smoothness import max_smoothness, strong_convexity
from skvr.solvers import SOLVERS
from skvr.solvers.step_size import POLICIES, get_policy

FIRST_ORDER = [name for name in SOLVERS if name != "auto"]
SEARCHED = ["sgd", "minibatch", "sag", "saga", "svrg"]
positive = st.floats(1e-6, 1e6)


def data(n=40, p=4):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, (X @ rng.standard_normal(p) + rng.standard_normal(n) > 0).astype(int)


def sizes(policy, problem, start=None, k=(0, 1, 7, 1000), epoch=3, steps_per_epoch=10):
    schedule = policy.schedule(problem, start, steps_per_epoch)
    out = schedule(np.array(k, dtype=float), epoch)
    assert_allclose(schedule.steps(5, 3, epoch), schedule(np.array([5.0, 6.0, 7.0]), epoch).ravel())
    assert_allclose(schedule.steps(5, 1, epoch, 0.25), schedule(np.array([5.0]), epoch).ravel() / 4)
    return out


@given(start=positive, decay=st.floats(0, 10), power=st.floats(0, 2), rate=st.floats(0.1, 2), epoch=st.integers(0, 50))
def test_formulas(start, decay, power, rate, epoch):
    problem, k = compiled(make_problem("squared-3")), np.array([0.0, 1, 7, 1000])
    expected = {
        solvers.Constant(start): np.full(4, start),
        solvers.InverseScaling(start, decay, power): start / (1 + decay * k) ** power,
        solvers.InverseScaling(start): start / np.sqrt(1 + k / 10),
        solvers.Exponential(start, rate): np.full(4, start * rate**epoch),
    }
    for policy, values in expected.items():
        assert_allclose(sizes(policy, problem, epoch=epoch), np.tile(values[:, None], 3), rtol=1e-13)


@each(loss=["logistic", "softmax", "squared-3"])
def test_pl_is_the_lectures_schedule_entered_where_it_equals_its_start(loss):
    problem = compiled(make_problem(loss))
    mu, k = strong_convexity(problem), np.arange(100.0)
    literal = (2 * k[:, None] + 1) / (2 * mu * (k[:, None] + 1) ** 2)
    assert_allclose(sizes(POLICIES["pl-literal"], problem, k=k), literal, rtol=1e-13)
    safe = 1 / max_smoothness(problem)
    assert_allclose(sizes(solvers.PL(), problem, safe, k=[0])[0], safe, rtol=1e-12)
    entered = solvers.PL().schedule(problem, safe, 10)
    t = k[:, None] + entered.k0
    assert_allclose(entered(k, 0), (2 * t + 1) / (2 * mu * (t + 1) ** 2), rtol=1e-13)
    # where the literal schedule starts below, the entry is at k = 0
    assert_allclose(sizes(solvers.PL(1e9), problem, k=k), literal, rtol=1e-13)


def test_mu_is_alpha_and_with_an_intercept_at_most_its_curvature():
    P = make_problem("logistic", alpha=np.array([10.0]))
    assert strong_convexity(compiled(P)) == 0.25
    assert strong_convexity(compiled(make_problem("logistic", alpha=np.array([10.0]), fit_intercept=False))) == 10
    assert strong_convexity(compiled(make_problem("logistic", alpha=np.array([1e-250])))) == 0


@each(name=FIRST_ORDER, policy=[*POLICIES, solvers.Exponential(rate=0.9), solvers.InverseScaling(power=1.0)])
def test_every_solver_takes_every_policy_by_name_or_object(name, policy):
    X, y = data()
    model = LogisticRegression(solver=name, step_size=policy, tol=None, max_iter=3, random_state=0)
    is_search = policy == "line-search"
    if is_search and name not in SEARCHED:
        with pytest.raises(ValueError, match=r"step_size must be a positive number, one of \['auto', 'constant'"):
            model.fit(X, y)
        return
    model.fit(X, y)
    as_object = LogisticRegression(
        solver=SOLVERS[name](step_size=get_policy(policy)), tol=None, max_iter=3, random_state=0
    )
    np.testing.assert_array_equal(model.coef_, as_object.fit(X, y).coef_)
    assert np.all(np.isfinite(model.history_["step_size"]))


def test_step_sizes_of_a_fit_follow_the_policy():
    X, y = data()
    model = LogisticRegression(solver="gd", step_size=solvers.Exponential(0.1, rate=1.5), tol=None, max_iter=4).fit(
        X, y
    )
    assert_allclose(model.history_["step_size"], 0.1 * 1.5 ** np.array([1, 2, 3, 4]))  # of the next step
    model.set_params(solver="sgd", step_size=solvers.InverseScaling(0.1, decay=0.01, power=1.0)).fit(X, y)
    assert_allclose(model.history_["step_size"], 0.1 / (1 + 0.01 * 40 * np.array([1, 2, 3, 4])))
    assert model.step_size_ == model.history_["step_size"][-1]


def test_policies_are_reached_from_a_grid_search():
    X, y = data()
    for estimator, grid in (
        (LogisticRegression(solver="sgd"), {"step_size": [0.1, "pl", solvers.Exponential(0.1)]}),
        (
            LogisticRegression(solver=solvers.SGD(step_size=solvers.Exponential(0.1))),
            {"solver__step_size__rate": [0.5, 0.9]},
        ),
        (LogisticRegression(solver=solvers.SAG()), {"solver__step_size": ["auto", "line-search"]}),
    ):
        estimator.set_params(tol=None, max_iter=3)
        search = GridSearchCV(estimator, grid, cv=2, error_score="raise").fit(X, y)
        assert search.best_params_.keys() == grid.keys()


def test_pl_literal_may_go_far_and_come_back():
    """It is no divergence before something is not finite."""
    X, y = data(200)
    model = Ridge(alpha=2.0, solver="sgd", step_size="pl-literal", tol=None, max_iter=300, random_state=0).fit(X, y)
    objective = model.history_["objective"]
    start = 0.5 * np.mean((y - y.mean()) ** 2)
    assert objective.max() > 1e3 * start
    assert objective[-1] < start


def test_an_exponential_rate_above_one_ends_in_an_error_that_names_it():
    X, y = data()
    model = Ridge(solver="gd", step_size=solvers.Exponential(rate=2.0), tol=None, max_iter=2000)
    with pytest.raises(ValueError, match="GD diverged"):
        model.fit(X, y)


BAD = [
    (solvers.Constant(0), ValueError, "start of Constant must be a number in"),
    (solvers.Constant("large"), TypeError, "start of Constant"),
    (solvers.Constant(np.inf), ValueError, "start of Constant"),
    (solvers.PL(-1), ValueError, "start of PL"),
    (solvers.InverseScaling(decay=-1), ValueError, "decay of InverseScaling"),
    (solvers.InverseScaling(power=np.nan), ValueError, "power of InverseScaling"),
    (solvers.Exponential(rate=0), ValueError, "rate of Exponential"),
    (solvers.LineSearch(L_0=0), ValueError, "L_0 of LineSearch"),
    ("line", ValueError, "'line-search'"),
    (solvers.PL, TypeError, "policy object"),
]


@pytest.mark.parametrize(("step_size", "error", "message"), BAD, ids=lambda v: str(v)[:40])
def test_bad_policies_are_refused(step_size, error, message):
    with pytest.raises(error, match=message):
        LogisticRegression(solver="sag", step_size=step_size).fit(*data())


def test_policies_that_a_solver_cannot_take_are_refused():
    X, y = data()
    with pytest.raises(ValueError, match="step_size must be a policy among"):
        LogisticRegression(solver="adam", step_size=solvers.LineSearch()).fit(X, y)
    with pytest.raises(ValueError, match="no penalty"):
        LogisticRegression(C=np.inf, solver="svrg", step_size="pl").fit(X, y)
    with pytest.raises(ValueError, match=r"line search .* momentum=0.9"):
        LogisticRegression(solver=solvers.SGD("line-search", momentum=0.9)).fit(X, y)
