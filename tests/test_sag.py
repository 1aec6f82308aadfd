"""SAG's table between fits, its initial tables, and what line search and draws by L_i gain."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from problems import compiled, each, make_problem

from skvr import LogisticRegression, Ridge, solvers


def data(n=300, p=20, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, (X @ rng.standard_normal(p) + rng.standard_normal(n) > 0).astype(int)


@each(sampling=["uniform", "lipschitz"], loss=["logistic", "softmax", "squared-3"], weighted=[True, False])
def test_a_resumed_table_keeps_its_scalars_and_has_the_mean_of_X(sampling, loss, weighted):
    P = make_problem(loss, weighted=weighted)
    problem, solver = compiled(P), solvers.SAG(sampling=sampling)
    theta, rng = problem.zeros(), np.random.default_rng(0)
    state = solver.init(problem, theta, rng)
    for _ in range(2):
        solver.epoch(problem, theta, state, rng)
    kept = solver.remember(problem, state)
    resumed = solver.resume(problem, theta, rng, kept)
    assert resumed.passes == 0.5
    assert resumed.n_seen == state.n_seen
    assert_allclose(resumed.table, state.table, rtol=1e-15)
    assert_allclose(resumed.sum, state.sum, rtol=1e-12, atol=1e-12 * np.abs(state.sum).max())
    other = solvers.SAG().resume(problem, theta, rng, kept)  # another sampling: the same gradients
    assert_allclose(other.sum, state.sum, rtol=1e-12, atol=1e-12 * np.abs(state.sum).max())


@each(solver=[solvers.SAG(), solvers.SAG("line-search"), solvers.SAGA(), solvers.SAG(initial_table="centred-gradient")])
def test_a_warm_start_goes_on_with_another_C(solver):
    X, y = data()
    warm = LogisticRegression(C=0.1, solver=solver, warm_start=True, tol=1e-8, random_state=0).fit(X, y)
    warm.set_params(C=0.11).fit(X, y)
    cold = LogisticRegression(C=0.11, solver=solver, tol=1e-8, random_state=0).fit(X, y)
    assert warm.suboptimality_ <= 1e-8
    assert warm.history_["passes"][-1] < 0.8 * cold.history_["passes"][-1]
    assert warm.history_["passes"][0] == warm.history_["epoch"][0] + 0.5  # the mean of the table, from X


def test_warm_starts_of_one_epoch_are_a_fit():
    """Each goes on with the last one's table and draws: the same draws every time would be cyclic, and diverge."""
    X, y = data()
    whole = LogisticRegression(solver="sag", tol=None, max_iter=30, random_state=0).fit(X, y)
    restarted = LogisticRegression(solver="sag", tol=None, max_iter=1, warm_start=True, random_state=0)
    for _ in range(30):
        restarted.fit(X, y)
    assert_allclose(restarted.coef_, whole.coef_, rtol=1e-10)


def test_a_table_of_other_rows_is_not_used():
    X, y = data()
    model = Ridge(solver="sag", warm_start=True, random_state=0, tol=1e-10).fit(X, y)
    model.fit(X[:200], y[:200])
    exact = Ridge(tol=1e-20).fit(X[:200], y[:200])
    assert_allclose(model.coef_, exact.coef_, atol=1e-4)
    assert model.history_["passes"][0] == model.history_["epoch"][0] + 1  # the gradients of the start, anew


def one_hot(n=4000, groups=14, seed=0):
    """Rows of 14 ones among some 140 columns, as categories give them, most of the columns rare."""
    rng = np.random.default_rng(seed)
    columns = np.minimum(rng.geometric(0.35, (n, groups)) - 1, 9) + 10 * np.arange(groups)
    X = sp.csr_array(
        (np.ones(n * groups), columns.ravel(), np.arange(0, n * groups + 1, groups)), shape=(n, 10 * groups)
    )
    return X, (X @ rng.standard_normal(10 * groups) + 2 * rng.standard_normal(n) > 0).astype(int)


def test_line_search_and_draws_by_L_need_fewer_epochs():
    X, y = one_hot()
    epochs = {}
    for solver in (solvers.SAG(), solvers.SAG(step_size="line-search", sampling="lipschitz")):
        model = LogisticRegression(solver=solver, tol=1e-6, random_state=0).fit(X, y)
        assert model.suboptimality_ <= 1e-6
        epochs[solver.step_size] = model.n_iter_[0]
    assert epochs["line-search"] < epochs["auto"]


@each(step_size=["auto", "line-search"])
def test_draws_by_L_gain_from_the_first_row_on(step_size):
    """max L_i is 170 times the mean. A mean of the rows seen so far, the steepest first, would raise F 1e19-fold."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 50))
    X *= (rng.lognormal(0, 1, 1000) / np.linalg.norm(X, axis=1))[:, None]
    y = X @ rng.standard_normal(50) + 0.5 * rng.standard_normal(1000)
    epochs = {}
    for sampling in ("uniform", "lipschitz"):
        solver = solvers.SAG(step_size, sampling=sampling)
        model = Ridge(alpha=1, fit_intercept=False, solver=solver, tol=1e-4, random_state=0).fit(X, y)
        epochs[sampling] = model.n_iter_
    assert epochs["lipschitz"] <= 0.5 * epochs["uniform"]


@pytest.mark.parametrize("average", [False, True])
def test_the_lectures_bound_holds(average):
    """E f(mean of x_l) - f* <= 48 n / k (f(x_0) - f*) + 128 L / k ||x_0 - x*||^2 for step 1 / (16 L) (lecture, SAG)."""
    X, y = data(100, 5)
    exact = LogisticRegression(tol=1e-18, fit_intercept=False).fit(X, y)
    optimum = exact.history_["objective"][-1]
    L = 0.25 * (X**2).sum(axis=1).max() + 1 / len(y)
    solver = solvers.SAG(1 / (16 * L), initial_table="centred-gradient", average=average)
    gaps = []
    for seed in range(5):
        model = LogisticRegression(fit_intercept=False, solver=solver, tol=None, max_iter=40, random_state=seed)
        gaps.append(model.fit(X, y).history_["objective"] - optimum)
    k = model.history_["epoch"] * len(y)
    bound = 48 * len(y) / k * (np.log(2) - optimum) + 128 * L / k * np.sum(exact.coef_**2)
    assert np.all(np.mean(gaps, axis=0) <= bound)
    assert np.mean(gaps, axis=0)[-1] < 0.5 * np.mean(gaps, axis=0)[0]
