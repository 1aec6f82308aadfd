"""L-BFGS, preconditioned SVRG and SDCA: their steps against dense twins, and what they do where steps go wrong."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import reference
import sklearn.linear_model
from numpy.testing import assert_allclose
from problems import BOOLS, CURVATURE, LOSSES, assert_close, compiled, each, make_problem, random_point, theta_of
from reference import Problem, join, split
from scipy import sparse as sp
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning

from skvr import LogisticRegression, Ridge
from skvr.problem import FiniteSum
from skvr.solvers import LBFGS, SDCA, Newton, PreconditionedSVRG, preconditioner
from skvr.solvers.hessian import Columns, cost_of_gram, cost_of_pass
from skvr.solvers.lbfgs import PACE_STEPS, Descent, automatic_memory, wait_of_matrix
from skvr.solvers.pairs import Pairs
from skvr.solvers.preconditioner import KINDS, Hessian, form
from skvr.solvers.sampling import effective_rank, sample_sizes

LAYOUTS = ["dense", "int32"]


def flat(problem, theta):
    """Return theta with one row an output, intercepts last, flat."""
    return join(problem.coef(theta), problem.intercept(theta)).ravel()


def first_matrix(P, problem, kind, preconditioner, pairs, g):
    """Return what the recursion starts from, a dense matrix a task: H^-1, or a multiple of it."""
    size = problem.zeros().size
    shape = len(P.alpha), size // len(P.alpha)
    columns = [theta_of(problem, *split(e.reshape(shape))) for e in np.eye(size)]
    M = np.column_stack([flat(problem, preconditioner.solve(e, problem.zeros())) for e in columns])
    n_tasks = problem.n_tasks
    tasks = np.split(np.arange(size), n_tasks)
    M = [M[np.ix_(t, t)] for t in tasks]
    if kind in ("hessian", "nystrom"):
        return tasks, M
    if pairs:  # sized by the last pair, but for b~ = b + mean . w, whose curvature is the mean one of the loss
        of_b = np.zeros(shape)
        if P.fit_intercept:
            of_b[:, -1] = 1 / reference.hessian(P, *random_point(P)).diagonal()[shape[1] - 1 :: shape[1]]
        of_b = of_b.reshape(n_tasks, -1)
        mean = P.weight @ P.X / P.n * P.fit_intercept
        sized = []
        for m, t, b_alone in zip(M, tasks, of_b, strict=True):
            s, y = (flat(problem, a)[t] for a in pairs[-1][:2])
            s_w, s_b = split(s.reshape(-1, shape[1]))
            along = s @ y - (s_b + s_w @ mean) @ split(y.reshape(-1, shape[1]))[1]
            m_w = m - np.diag(b_alone)
            sized.append(along / (y @ m_w @ y) * m_w + np.diag(b_alone))
        return tasks, sized
    # The best size were the curvature of the loss its largest everywhere.
    bound = Problem(P.X, np.zeros((len(P.X), len(P.alpha))), P.sample_weight, 0 * P.alpha, "squared", P.fit_intercept)
    H = CURVATURE[P.loss] * reference.hessian(bound, *random_point(P))
    H += np.diag(join(np.tile(P.alpha[:, None], P.X.shape[1]), 0 * P.alpha).ravel())
    d = [m @ g[t] for m, t in zip(M, tasks, strict=True)]
    return tasks, [m * (g[t] @ v) / (v @ H[np.ix_(t, t)] @ v) for m, t, v in zip(M, tasks, d, strict=True)]


@each(n_pairs=[0, 1, 4], fit_intercept=BOOLS, layout=LAYOUTS, loss=LOSSES, kind=KINDS)
def test_two_loop_recursion_is_the_bfgs_matrix(kind, loss, layout, fit_intercept, n_pairs):
    """Explicit, one a task: any gradient, and the changes of the gradient between random points."""
    P = make_problem(loss, fit_intercept=fit_intercept)
    rng = np.random.default_rng(8)
    P.X[:, 5] = rng.standard_normal(len(P.X))  # no constant column, whose direction depends on theta
    problem = compiled(P, layout)

    def random():
        theta = theta_of(problem, *(rng.standard_normal(a.shape) for a in random_point(P)))
        problem.intercept(theta)[:] *= fit_intercept
        return theta

    columns, theta = Columns(problem), theta_of(problem, *random_point(P))
    preconditioner = form(kind, problem, columns, problem.raw_prediction(theta), rng)
    descent = Descent(LBFGS(kind), problem, columns, theta, preconditioner, rng)
    changes = []
    for _ in range(n_pairs):
        s = random()
        y = problem.gradient(theta + s) - problem.gradient(theta)
        changes.append((s, y))
        descent.pairs.add(s, y)
    descent.gradient = random()
    g = flat(problem, descent.gradient)
    tasks, first = first_matrix(P, problem, kind, preconditioner, changes, g)
    pairs = [(flat(problem, s), flat(problem, y)) for s, y in changes]
    B = [reference.bfgs_matrix(m, [(s[t], y[t]) for s, y in pairs]) for m, t in zip(first, tasks, strict=True)]
    expected = -np.concatenate([b @ g[t] for b, t in zip(B, tasks, strict=True)])
    if not fit_intercept:
        expected.reshape(len(P.alpha), -1)[:, -1] = 0
    assert_close(flat(problem, descent._direction()), expected)


@each(kind=["diagonal", "none"])
def test_the_curvature_of_the_intercept_is_that_of_half_the_passes_ago_at_most(kind):
    problem = compiled(make_problem("logistic"))
    descent = Descent(LBFGS(kind), problem, Columns(problem), problem.zeros(), None, np.random.default_rng(0))
    formed = []
    while descent.passes < 20 * descent.pass_cost:
        before, passes, z = descent.preconditioner, descent.passes / descent.pass_cost, descent.z
        assert descent.step()
        if descent.preconditioner is not before:
            formed.append(passes)
            p = expit(z)
            assert_allclose(descent.preconditioner.curvature_of_b, problem.weight @ (p * (1 - p)) / problem.n_samples)
        assert passes < 2 * formed[-1] + 1
    assert len(formed) == 5


@pytest.mark.parametrize("memory", [0, 1, 3, 100])
def test_the_last_pairs_are_remembered(memory):
    problem = compiled(make_problem("logistic"))
    solver = LBFGS("none", memory)
    descent = Descent(solver, problem, Columns(problem), problem.zeros(), None, np.random.default_rng(0))
    points = [problem.zeros()]
    for _ in range(5):
        assert descent.step()
        points.append(descent.theta)
    expected = [(b - a, problem.gradient(b) - problem.gradient(a)) for a, b in pairwise(points)]
    expected = expected[max(0, len(expected) - memory) :]
    assert len(descent.pairs) == len(expected)
    for slot, (change, gradient_change) in zip(descent.pairs.slots, expected, strict=True):
        assert_close(descent.pairs.S[slot], change)
        assert_allclose(descent.pairs.Y[slot], gradient_change, rtol=0, atol=1e-13)


@each(layout=LAYOUTS, loss=LOSSES)
def test_changes_without_curvature_teach_nothing(loss, layout):
    """None at all, a negative one, and one whose inverse is no number."""
    problem, rng = compiled(make_problem(loss), layout), np.random.default_rng(0)
    s, g = rng.standard_normal((2, problem.zeros().size))
    y = problem.gradient(s) - problem.gradient(problem.zeros())
    alone, among_others = Pairs(problem, 4), Pairs(problem, 4)
    alone.add(s, y)
    for of_s, of_y in [(0, 0), (1, -1), (1, 1), (1e-160, 1e-160)]:
        among_others.add(of_s * s, of_y * y)
    expected, found = (pairs.correct(*pairs.remove(g)) for pairs in (alone, among_others))
    assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("K", "p", "n", "expected"), [(1, 10**6, 9, 20), (4, 100, 9, 20), (4, 10**5, 9, 8), (8, 9999, 10**6, 12)]
)
def test_pairs_of_several_outputs_take_no_more_memory_than_X(K, p, n, expected):
    """Or 8 MB, but are at least 8. The last X takes 16 MB, and a pair 1.28 MB."""
    X = sp.csr_array((np.ones(n), np.zeros(n, dtype=np.int32), np.arange(n + 1, dtype=np.int32)), shape=(n, p))
    problem = FiniteSum(X, np.zeros((n, K)), np.ones(n), np.ones(K), "squared", True)
    assert automatic_memory(problem) == expected


@each(layout=LAYOUTS, loss=["squared", "squared-3"])
def test_a_step_on_squared_loss_is_the_best_of_its_line(loss, layout):
    """For every target apart: the new gradient is orthogonal to the direction, and F is what it is said to be."""
    problem = compiled(make_problem(loss), layout)
    descent = Descent(LBFGS("none"), problem, Columns(problem), problem.zeros(), None, np.random.default_rng(0))
    for _ in range(4):
        before = descent.theta
        assert descent.step()
        value, gradient = problem.evaluate(descent.theta, np.zeros_like(descent.z))
        assert_close(descent.value, value)
        assert_close(descent.gradient, gradient)
        step = descent.theta - before
        sizes = np.sqrt(problem.dot_by_task(step, step) * problem.dot_by_task(gradient, gradient))
        assert np.all(np.abs(problem.dot_by_task(step, gradient)) <= 1e-12 * sizes + 1e-15 * value)


@pytest.mark.parametrize("seed", range(5))
def test_conjugate_gradients_do_not_drift_from_the_gradient(seed):
    """Of a fit that interpolates F falls on and on, and the gradient with it, far below where it began."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((5, 40)), rng.standard_normal(5)
    model = Ridge(alpha=1e-6, solver=LBFGS("none"), tol=1e-10).fit(X, y)
    assert model.suboptimality_ <= 1e-10


class Recorded(PreconditionedSVRG):
    """Keeps the batches that were drawn."""

    def init(self, problem, theta, rng):
        self.draws_ = []
        return super().init(problem, theta, rng)

    def _draw(self, problem, state, rng):
        self.draws_.append(super()._draw(problem, state, rng))
        return self.draws_[-1]


@each(weighted=BOOLS, fit_intercept=BOOLS, layout=LAYOUTS, loss=LOSSES, kind=KINDS)
def test_preconditioned_svrg_follows_the_formula(kind, loss, layout, fit_intercept, weighted):
    P = make_problem(loss, fit_intercept=fit_intercept, weighted=weighted)
    problem, solver = compiled(P, layout), Recorded(kind, batch_size=5)
    theta, rng = theta_of(problem, *random_point(P)), np.random.default_rng(9)
    problem.intercept(theta)[:] *= fit_intercept
    state = solver.init(problem, theta, rng)

    def precondition(gradient, x):
        step = state.metric.solve(theta_of(problem, *split(gradient)), theta_of(problem, *split(x)))
        return join(problem.coef(step), problem.intercept(step))

    for _ in range(3):
        solver.draws_.clear()
        solver.epoch(problem, theta, state, rng)
        n_batches = -(-problem.n_samples // 5)
        snapshot = state.snapshot[0]
        W, b = problem.coef(snapshot), problem.intercept(snapshot)
        draws, step = solver.draws_[-n_batches:], state.factor / state.smoothness
        expected = reference.preconditioned_svrg_inner(P, W, b, draws, step, (W, b), precondition)
        assert_close(flat(problem, theta), join(*expected).ravel())


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_unbiased(kind):
    """The expected weight of every row is its 1/n: the chances of the rows times the weights they are given."""
    problem = compiled(make_problem("logistic"))
    solver, rng = PreconditionedSVRG(kind, batch_size=5), np.random.default_rng(0)
    state = solver.init(problem, problem.zeros(), rng)
    chance = np.diff(state.cumulative, prepend=0.0)
    assert_allclose(chance, state.share, rtol=1e-12)
    assert state.cumulative[-1] == 1
    rows, weight = solver._draw(problem, state, rng)
    assert_allclose(weight * 5 * chance[np.searchsorted(problem.rows, rows)], 1 / problem.n_samples, rtol=1e-12)


class Optimistic(PreconditionedSVRG):
    """Takes batches for a thousand times smoother than they are; keeps the factors of the step size."""

    def init(self, problem, theta, rng):
        self.factors_ = []
        return super().init(problem, theta, rng)

    def _refresh(self, problem, state, rng):
        super()._refresh(problem, state, rng)
        state.smoothness /= 1000
        self._set_step_size(problem, state)

    def _take_snapshot(self, problem, theta, state):
        super()._take_snapshot(problem, theta, state)
        self.factors_.append(state.factor)


@each(kind=KINDS)
@pytest.mark.parametrize(("cls", "load"), [(LogisticRegression, load_iris), (Ridge, load_diabetes)])
def test_an_epoch_that_made_it_worse_is_undone(cls, load, kind):
    X, y = load(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    solver = Optimistic(kind, batch_size=32)
    model = cls(solver=solver, random_state=0).fit(X, y)
    assert model.suboptimality_ <= 1e-4
    assert min(solver.factors_) < 0.1  # halved again and again


@each(kind=KINDS)
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_lbfgs_never_raises_the_objective(load, kind):
    X, y = load(return_X_y=True)
    F = (
        LogisticRegression(C=1e3, solver=LBFGS(kind), tol=None, max_iter=60, random_state=0)
        .fit(X, y)
        .history_["objective"]
    )
    assert np.all(np.diff(F) <= 64 * np.finfo(np.float64).eps * F[0])
    assert F[-1] < 0.9 * F[0] or kind == "hessian"


@each(layout=LAYOUTS, fit_intercept=BOOLS, weighted=BOOLS, loss=["logistic", "squared"])
def test_sdca_keeps_w_the_sum_of_its_duals(loss, weighted, fit_intercept, layout):
    P = make_problem(loss, fit_intercept=fit_intercept, weighted=weighted)
    problem, solver, rng = compiled(P, layout), SDCA(), np.random.default_rng(0)
    for start in (problem.zeros(), theta_of(problem, *random_point(P))):
        theta = start.copy()
        problem.intercept(theta)[:] *= fit_intercept
        state = solver.init(problem, theta, rng)
        for _ in range(4):
            solver.epoch(problem, theta, state, rng)
            w = -(state.residual @ P.X) / (P.alpha[0] * P.n)
            assert_close(problem.coef(theta)[0], w)
        for _ in range(300):
            solver.epoch(problem, theta, state, rng)
        assert np.abs(problem.gradient(theta)).max() < 1e-9
        if not fit_intercept:
            assert problem.intercept(theta)[0] == 0


@each(fit_intercept=BOOLS, n_outputs=[1, 3], model=[LogisticRegression(C=100), Ridge(alpha=0.01)])
def test_few_rows_of_correlated_columns_of_any_scale(model, n_outputs, fit_intercept):
    """A matrix of the rows takes over, which neither correlations nor scales of columns slow down."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((80, 10))
    X = hidden @ rng.standard_normal((10, 1200)) + 0.1 * rng.standard_normal((80, 1200)) + 1
    X *= 10.0 ** rng.uniform(-2, 2, 1200)
    z = hidden[:, : max(2, n_outputs)] + 0.3 * rng.standard_normal((80, max(2, n_outputs)))
    y = z[:, :n_outputs] if isinstance(model, Ridge) else np.argmax(z, axis=1)
    model = clone(model).set_params(fit_intercept=fit_intercept, tol=1e-8, random_state=0).fit(X, y)
    assert str(model.solver_) == "LBFGS()"
    assert np.all(model.suboptimality_ <= 1e-8)
    assert model.history_["passes"][-1] < 150
    with pytest.warns(ConvergenceWarning):  # by gradients alone
        model.set_params(solver=LBFGS("none"), max_iter=150).fit(X, y)


def test_a_matrix_of_the_rows_waits_for_twice_its_cost():
    """Rows that are nearly orthogonal need none."""
    X = np.random.default_rng(0).standard_normal((100, 2000))
    P = Problem(X, np.sign(X[:, 0]), np.ones(100), np.array([1e-4]), "logistic", True)
    problem = compiled(P)
    columns, rng = Columns(problem), np.random.default_rng(0)
    wait = wait_of_matrix(problem, columns, rng)
    descent = Descent(LBFGS(), problem, columns, problem.zeros(), None, rng, wait)
    cost = cost_of_gram(problem) / cost_of_pass(problem)
    assert 6 < cost < 8
    while not isinstance(descent.preconditioner, Hessian):
        passes = descent.passes / descent.pass_cost
        assert passes < 2 * cost + 2  # one for a step, and one more for a shorter one
        assert descent.step()
    assert passes >= 2 * cost
    assert cost_of_gram(problem, descent.columns) < 0.1 * cost_of_gram(problem)  # the products of the rows stay


def independent_columns(n=7000, p=350, classes=2):
    """Return sparse rows of nearly independent columns, and noisy labels."""
    rng = np.random.default_rng(0)
    X = sp.random(n, p, 0.05, format="csr", random_state=0, data_rvs=rng.standard_normal)
    z = X @ rng.standard_normal((p, classes))
    return X, np.argmax(z + z.std() * rng.standard_normal(z.shape), axis=1)


@each(targets=[1, 3], singular=BOOLS)
def test_the_certificate_alone_evaluates_the_solution_of_a_quadratic(targets, singular, monkeypatch):
    """Beside it F is evaluated at zero. What a singular matrix gives may not be the solution, and is evaluated."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    alpha = 0.0 if singular else 1.0
    if singular:
        X[:, 4] = X[:, 3]
    Y = X @ np.ones((5, targets)) + rng.standard_normal((200, targets))
    points = []
    evaluate = FiniteSum.evaluate
    monkeypatch.setattr(
        FiniteSum, "evaluate", lambda self, theta, z: points.append(theta.copy()) or evaluate(self, theta, z)
    )
    model = Ridge(alpha, solver=LBFGS(), tol=1e-12).fit(X, Y)
    assert np.all(model.n_iter_ == 1)
    assert len(points) == (2 if singular else 1)
    assert not points[0].any()
    if not singular:
        exact = sklearn.linear_model.Ridge(alpha, solver="cholesky").fit(X, Y)
        assert_allclose(model.coef_, exact.coef_, rtol=1e-10)


def problem_of(X, y):
    """Return the logistic problem, n alpha = 1."""
    X, y = sp.csr_matrix(X), np.where(y, 1.0, -1.0)
    return FiniteSum(X, y, np.ones(len(y)), np.array([1 / len(y)]), "logistic", True)


def test_a_matrix_of_independent_columns_waits_for_twice_its_cost():
    """The first is then that of a sample: it takes over where gradients alone, in scaled columns, were not enough."""
    problem, rng = problem_of(*independent_columns()), np.random.default_rng(0)
    columns = Columns(problem)
    wait = wait_of_matrix(problem, columns, rng)
    size = max(sample_sizes(problem)) / problem.n_samples
    assert wait == 2 * cost_of_gram(problem, share=size) > 8 * cost_of_pass(problem)
    descent = Descent(LBFGS(), problem, columns, problem.zeros(), None, rng, wait)
    while descent.passes < wait:
        assert not isinstance(descent.preconditioner, Hessian)
        assert descent.step()
    assert descent.step()
    assert isinstance(descent.preconditioner, Hessian)
    assert not descent.exact
    while descent.since_refresh < cost_of_gram(problem):  # then, as ever, that of all rows
        assert not descent.exact
        assert descent.step()
    assert descent.step()
    assert descent.exact


@each(n=[3000, 5000])
def test_a_quadratic_that_is_slow_does_not_wait(n):
    """Columns in pairs that are nearly the same look independent, and half of the directions have no curvature.

    Of many rows the matrix is a sample's, and stays until there is that of all rows.
    """
    rng = np.random.default_rng(0)
    half, difference = rng.standard_normal((2, n, 150))
    X = np.hstack([half, half + 1e-2 * difference])
    y = difference @ rng.standard_normal(150) + rng.standard_normal(n)
    problem = FiniteSum(X, y, np.ones(n), np.array([1e-6]), "squared", True)
    columns = Columns(problem)
    wait = wait_of_matrix(problem, columns, rng)
    descent = Descent(LBFGS(), problem, columns, problem.zeros(), None, rng, wait)
    while not isinstance(descent.preconditioner, Hessian):
        passes = descent.passes
        assert descent.step()
    assert PACE_STEPS * descent.pass_cost <= passes < wait / 2
    assert descent.exact == (not sample_sizes(problem))
    while not descent.exact:
        assert descent.step()
        assert isinstance(descent.preconditioner, Hessian)


@each(classes=[2, 4], model=[LogisticRegression(), Ridge()])
def test_independent_columns_take_no_matrix(model, classes, monkeypatch):
    def refuse(*_):
        raise AssertionError("a matrix")

    X, y = independent_columns(4000, 600, classes)
    monkeypatch.setattr(preconditioner, "gram", refuse)
    monkeypatch.setattr(preconditioner, "hessian", refuse)
    model = clone(model).set_params(tol=1e-5, random_state=0).fit(X, y)
    assert str(model.solver_) == "LBFGS()"
    assert np.all(model.suboptimality_ <= 1e-5)


def test_a_matrix_does_not_wait_where_columns_are_alike_or_it_is_cheap():
    rng = np.random.default_rng(0)
    X, y = independent_columns()
    hidden = rng.standard_normal((7000, 10)) @ rng.standard_normal((10, 350))
    for case in (hidden + 0.5 * rng.standard_normal(hidden.shape), sp.hstack([X[:, :70]] * 5), X[:, :100]):
        problem = problem_of(case, y)
        assert wait_of_matrix(problem, Columns(problem), np.random.default_rng(0)) == 0


@each(seed=range(5), layout=[np.asarray, sp.csr_matrix])
def test_the_effective_rank_is_that_of_the_covariance(layout, seed):
    """Of 64 rows an estimate of (sum of the eigenvalues)^2 / sum of their squares, penalty included."""
    rng = np.random.default_rng(seed)
    n, p = 3000, 200
    for spectrum in (np.ones(p), np.logspace(0, -2, p), np.where(np.arange(p) < 4, 30.0, 1.0)):
        rotation = np.linalg.qr(rng.standard_normal((p, p)))[0]
        X = rng.standard_normal((n, p)) * np.sqrt(spectrum) @ rotation + 3
        X = np.vstack([X, 100 * rng.standard_normal((50, p))])  # rows without weight
        weight = np.append(np.ones(n), np.zeros(50))
        for loss, alpha in (("squared", 1e-3), ("logistic", 1.0)):
            problem = FiniteSum(layout(X), np.ones(n + 50), weight, np.array([alpha]), loss, True)
            columns = Columns(problem)
            H = CURVATURE[loss] * np.cov(X[:n].T, bias=True) + alpha * np.eye(p)
            values = np.linalg.eigvalsh(H / np.outer(columns.scale, columns.scale))
            assert_allclose(values.sum(), p)
            exact = p**2 / (values**2).sum()
            assert exact / 1.6 < effective_rank(problem, columns, rng) < 1.6 * exact


def alike_rows(n=400, p=300):
    return np.tile(np.random.default_rng(0).standard_normal(p), (n, 1))


@each(
    X=[np.ones((400, 300)), np.zeros((400, 300)), np.eye(300), alike_rows(), alike_rows(1), alike_rows(20)],
    layout=[np.asarray, sp.csr_matrix],
    fit_intercept=BOOLS,
    penalty=[0.0, 1.0],
)
def test_degenerate_rows_have_an_effective_rank(penalty, fit_intercept, layout, X):
    n, p = X.shape
    y = np.where(np.arange(n) % 2, 1.0, -1.0)
    problem = FiniteSum(layout(X), y, np.ones(n), np.array([penalty]), "squared", fit_intercept)
    assert 0.99 <= effective_rank(problem, Columns(problem), np.random.default_rng(0)) <= p
    model = Ridge(alpha=penalty, solver=LBFGS(), fit_intercept=fit_intercept, tol=1e-8, random_state=0)
    model.fit(layout(X), y)
    gradient = X.T @ (model.predict(layout(X)) - y) + penalty * model.coef_
    assert np.abs(gradient).max() <= 1e-4 * max(1.0, np.abs(X).max() * n)


@pytest.mark.parametrize("heavy", [1e3, 1e6])
def test_the_effective_rank_sees_heavy_rows_and_weights(heavy):
    """Five rows outweigh all others: by their size, or by weights beside which the others underflow."""
    rng = np.random.default_rng(0)
    n, p = 2000, 300
    plain = rng.standard_normal((n, p))
    X, weight = plain.copy(), np.full(n, 5e-324)
    X[:5] *= heavy
    weight[:5] = heavy
    for rows, weights in ((X, np.ones(n)), (plain, weight)):
        problem = FiniteSum(rows, np.ones(n), weights, np.array([1e-9]), "squared", True)
        for seed in range(20):
            assert effective_rank(problem, Columns(problem), np.random.default_rng(seed)) < 10


@each(solver=[LBFGS(), PreconditionedSVRG(), Newton()])
def test_classes_of_few_rows_take_no_matrix_of_the_columns(solver):
    """It would hold 36 MB; those of the rows hold 0.1 MB, the pairs of L-BFGS 8 MB, blocks of columns 6 MB."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((60, 5))
    X, y = hidden @ rng.standard_normal((5, 3000)) + 0.5 * rng.standard_normal((60, 3000)), np.argmax(hidden[:, :3], 1)
    tracemalloc.start()
    model = LogisticRegression(solver=solver, tol=1e-6, max_iter=100, random_state=0).fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert model.suboptimality_ <= 1e-6
    assert peak < 18 * 2**20


def test_the_cost_of_the_products_of_the_rows_is_counted_once():
    X = np.random.default_rng(0).standard_normal((300, 2000))
    problem = compiled(Problem(X, np.sign(X[:, 0]), np.ones(300), np.array([1e-2]), "logistic", True))
    solver, rng, theta = PreconditionedSVRG(batch_size=300), np.random.default_rng(0), problem.zeros()
    state = solver.init(problem, theta, rng)
    spent = []
    for _ in range(3):  # a preconditioner in the first and the third
        before = state.passes
        solver.epoch(problem, theta, state, rng)
        spent.append(state.passes - before)
    products = 300 / 32 + 1
    assert spent[0] > products > spent[2] > spent[1]
