"""The compiled passes and epochs against NumPy: the same rows in the same order give the same numbers."""

import functools
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from problems import (
    BOOLS,
    CURVATURE,
    DTYPES,
    EPS,
    LAYOUTS,
    LOSSES,
    N_FEATURES,
    N_OUTPUTS,
    N_ROWS,
    RTOL,
    assert_close,
    compiled,
    each,
    make_problem,
    random_point,
    theta_of,
)
from reference import join
from scipy.special import expit, logsumexp, softmax

from skvr import _kernels
from skvr.intercept import best_intercept
from skvr.problem import FiniteSum

SHARES = np.array([1.0, 0.7, 0.4])  # of the step size, for the targets of "squared-3"
LOWER = 0.93  # what a line search multiplies L by before a step: often enough to double it again many times

# Every compiled method: its twin in reference.py and the twin's parameters. Each epsilon is large enough that its
# place, inside or outside the root, shows.
RULES = {
    "adagrad": {"epsilon": 1e-3},
    "rmsprop": {"gamma": 0.8, "epsilon": 1e-3},
    "adadelta": {"gamma": 0.8, "rho": 0.7, "epsilon": 1e-3},
    "adam": {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
    "amsgrad": {"beta_1": 0.8, "beta_2": 0.7, "epsilon": 1e-3},
    "heavy_ball": {"momentum": 0.8},
    "nesterov": {"momentum": 0.8},
}
RELATIVE_DRAWS = np.resize([1.0, 0.4, 2.5, 1.5, 0.7], N_ROWS)  # n q_i, any numbers: the rows of a test are given
LINEAR, ADAPTIVE = {"sgd": ("sgd", {})}, {}
for name in ("sag", "saga"):
    LINEAR[f"{name}-zeros"] = name, {"initial_table": "zeros"}
    LINEAR[f"{name}-gradient"] = name, {"initial_table": "gradient"}
    LINEAR[f"{name}-nonuniform"] = name, {"initial_table": "gradient", "relative_draws": RELATIVE_DRAWS}
LINEAR["sag-centred"] = "sag", {"initial_table": "centred"}
for table in ("zeros", "centred"):
    LINEAR[f"sag-{table}-nonuniform"] = "sag", {"initial_table": table, "relative_draws": RELATIVE_DRAWS}
for batch in (1, 7, N_ROWS):
    LINEAR[f"minibatch-{batch}"] = "minibatch", {"batch": batch}
    LINEAR[f"svrg-{batch}"] = "svrg", {"batch": batch}
    ADAPTIVE |= {f"{name}-{batch}": (name, rule | {"batch": batch}) for name, rule in RULES.items()}
# Each of them with the sum of its iterates, with step sizes by line search, and a few with both.
AVERAGED, SEARCHED = ({f"{method}-{option}": LINEAR[method] for method in LINEAR} for option in ("average", "search"))
BOTH = {
    f"{method}-search-average": LINEAR[method]
    for method in ("sgd", "sag-centred-nonuniform", "saga-nonuniform", "svrg-7")
}
AVERAGED, SEARCHED = AVERAGED | BOTH, SEARCHED | BOTH
LINEAR |= AVERAGED | SEARCHED
METHODS = LINEAR | ADAPTIVE


def draw(P, method, n_rows=3 * N_ROWS + 2, seed=2):
    """Return an order of rows of positive weight, repeats and a short last batch included, and decreasing steps."""
    name, parameters = METHODS[method]
    order = np.random.default_rng(seed).choice(np.flatnonzero(P.weight), n_rows)
    k = np.arange(-(-n_rows // parameters.get("batch", 1)))
    L = CURVATURE[P.loss] * np.max(P.weight * (np.sum(P.X**2, axis=1) + P.fit_intercept)) + P.alpha
    first = np.full_like(P.alpha, 0.1) if name in RULES else 1 / np.where(L > 0, L, 1)
    shares = SHARES[: len(P.alpha)] if P.loss == "squared" else 1
    return order, shares * first / np.sqrt(1 + k[:, None] / 10)


def first_L(P):
    """Return a first L a task for a line search, too small for most rows."""
    return 0.037 * (SHARES[: len(P.alpha)] if P.loss == "squared" else np.ones(1))


def run(method, P, problem, order, steps, cuts=(), multiple=2.0):
    """Return the compiled method's last (W, b), and their sum from the first on or L where it has them, as a list.

    The method is called anew at the steps `cuts`; svrg moves its snapshot half-way. A line search makes as many steps
    as `steps` has, by `multiple` smaller than 1 / (L + alpha).
    """
    name, parameters = METHODS[method]
    kernels, theta = problem.kernels, theta_of(problem, *random_point(P))
    batch, half = parameters.get("batch", 1), len(steps) // 2
    L, squared_norm = first_L(P), problem.squared_row_norms + P.fit_intercept
    search = _kernels.LineSearch(L, squared_norm, multiple, LOWER)
    total = theta.copy() if method in AVERAGED else None
    if name in ("sag", "saga"):
        table, table_sum, n_seen, options = np.full(len(P.X) * problem.n_outputs, np.nan), problem.zeros(), 0, {}
        relative_draws = np.ones(len(P.X))
        if "relative_draws" in parameters:
            relative_draws = options["frequency"] = parameters["relative_draws"][: len(P.X)].copy()
            kernels = kernels.reweighted(problem.weight / relative_draws)
        if parameters["initial_table"] != "zeros":
            residual = problem.residual(problem.raw_prediction(theta))
            gradient = problem.loss_gradient(residual)
            residual, table_sum = residual / np.repeat(relative_draws, problem.n_outputs), problem.n_samples * gradient
            if parameters["initial_table"] == "gradient":
                table, n_seen = residual, problem.n_samples
            else:
                options |= {"initial_residual": residual, "centre": gradient}
    elif name in RULES:
        state = [np.zeros(theta.size) for _ in range({"adadelta": 2, "adam": 2, "amsgrad": 3}.get(name, 1))]
        rule = getattr(_kernels, name)(*state, **RULES[name])
    for first, last in pairwise(sorted({0, *cuts, len(steps)} | ({half} if name == "svrg" else set()))):
        rows, eta = order[first * batch : last * batch], steps[first:last].ravel()
        if method in SEARCHED:
            eta = search
        if name in ("sag", "saga"):
            epoch = kernels.sag_epoch if name == "sag" else kernels.saga_epoch
            n_seen = epoch(rows, eta, theta, table, table_sum, n_seen, total=total, **options)
        elif name in RULES:
            kernels.rule_epoch(rows, batch, eta, theta, rule)
        elif name == "svrg":
            if first in (0, half):
                residual = problem.residual(problem.raw_prediction(theta))
                full = problem.loss_gradient(residual)
            kernels.svrg_epoch(rows, batch, eta, theta, residual, full, total)
        else:
            kernels.sgd_epoch(rows, batch, eta, theta, total)
    points = [theta] if total is None else [theta, total]
    return [join(problem.coef(x), problem.intercept(x)) for x in points] + ([L] if method in SEARCHED else [])


def twin(method, P, order, steps, multiple=2.0):
    """Return what `run` returns, by the twin."""
    name, parameters = METHODS[method]
    W, b = random_point(P)
    search, options = reference.LineSearch(first_L(P), multiple, LOWER), {}
    if method in AVERAGED:
        options["total"] = join(W, b)
    half = len(steps) // 2
    if name == "svrg":
        order, steps = np.split(order, [half * parameters["batch"]]), np.split(steps, [half])
    if method in SEARCHED:
        steps = [search, search] if name == "svrg" else search
    x = join(*getattr(reference, name)(P, W, b, order, steps, **parameters, **options))
    return [x, *options.values()] + ([search.L] if method in SEARCHED else [])


def assert_all_close(actual, desired):
    for a, d in zip(actual, desired, strict=True):
        assert_close(a, d)


@functools.cache
def solved(method, loss, dtype, weighted, fit_intercept):
    P = make_problem(loss, dtype=dtype, weighted=weighted, fit_intercept=fit_intercept)
    order, steps = draw(P, method)
    return P, order, steps, twin(method, P, order, steps)


@each(fit_intercept=BOOLS, weighted=BOOLS, dtype=DTYPES, layout=LAYOUTS, loss=LOSSES, method=METHODS)
def test_epoch_follows_the_formula(method, loss, layout, dtype, weighted, fit_intercept):
    P, order, steps, expected = solved(method, loss, dtype, weighted, fit_intercept)
    assert_all_close(run(method, P, compiled(P, layout, dtype), order, steps), expected)


@each(layout=LAYOUTS, loss=LOSSES, method=METHODS)
def test_cut_epoch_equals_one_call(method, loss, layout):
    P = make_problem(loss)
    problem = compiled(P, layout)
    order, steps = draw(P, method)
    whole = run(method, P, problem, order, steps)
    cut = run(method, P, problem, order, steps, cuts=(len(steps) // 3, len(steps) // 3 + 1))
    # The end of a call brings the lazy coordinates of CSR rows up to date, which rounds them. (Along wide dense rows
    # every call first goes forward, and their sums are then added in another order.)
    compare = assert_array_equal if layout == "dense" or method in ADAPTIVE else assert_close
    for a, d in zip(cut, whole, strict=True):
        compare(a, d)


@each(layout=LAYOUTS, n_rows=[0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 25], method=METHODS)
def test_epoch_of_any_length(method, n_rows, layout):
    # Rows are asked for 12 and 24 steps ahead, and taken by four: fewer, and what is left over at the end.
    P = make_problem("softmax")
    order, steps = draw(P, method, n_rows)
    assert_all_close(run(method, P, compiled(P, layout), order, steps), twin(method, P, order, steps))


# A step along a dense row goes over w with the next prediction, sixteen coordinates at a time and a rest; and rows of
# more than 512 bytes, 64 values or 128, are asked for line by line, of a batch while four are multiplied and added. Of
# 4100 values every other step goes backward, whatever it takes beside w: two float32 rows and w alone are 64 KB.
WIDE = ["sgd", "sgd-average", "sgd-search", "minibatch-7", "svrg-1", "svrg-7", "adam-1", "adam-7"]
WIDE += ["sag-zeros-average", "sag-centred", "saga-nonuniform"]


@each(p=[1, 8, 16, 31, 65, 129, 205, 4100, 4112], dtype=DTYPES, loss=["logistic", "softmax"], method=WIDE)
def test_dense_epoch_over_rows_of_any_width(method, loss, dtype, p):
    # Rows whose length does not grow with p: long ones are fitted by a step, and a line search then compares roundings.
    P = make_problem(loss, dtype=dtype, p=p, scale=min(1.0, np.sqrt(N_FEATURES / p)))
    order, steps = draw(P, method)
    assert_all_close(run(method, P, compiled(P, dtype=dtype), order, steps), twin(method, P, order, steps))


# rho = 1 - eta alpha is what a step leaves of a coordinate that its row does not touch. Given: the largest alpha, and
# the step sizes in turn.
SHRINKAGE = {
    "no_penalty": (0.0, [0.2]),  # rho = 1: the geometric sums of the closed form are plain sums
    "beyond_1/alpha": (4.0, [0.05, 0.25, 0.375]),  # rho = 0.8, 0, -0.5: no product can carry the last two
    "underflow": (
        4.0,
        [0.24999975],
    ),  # rho = 1e-6: 1e-432 after 72 steps, when coordinates are brought up to date anyway
    "all": (4.0, [0.24999975, 0.1, 0.24975, 0.375, 0.05]),
}


@each(layout=LAYOUTS, loss=LOSSES, shrinkage=SHRINKAGE, method=LINEAR)
def test_lazy_updates_are_exact(method, shrinkage, loss, layout):
    largest, cycle = SHRINKAGE[shrinkage]
    # Targets with penalties of their own: a step has another rho for each.
    alpha = largest * np.array([1.0, 0.25, 0.0]) if loss == "squared-3" else np.full(N_OUTPUTS[loss], largest)
    P = make_problem(loss, weighted=False, alpha=alpha, scale=0.1)  # small rows: alpha alone decides what is stable
    order, _ = draw(P, method, n_rows=150 * METHODS[method][1].get("batch", 1))
    steps = np.tile(np.resize(cycle, 150)[:, None], len(alpha))
    # The steps of a line search: for the rows' tiny L, rho = 1 - 1 / multiple.
    for multiple in (0.75, 1.0, 10.0) if method in SEARCHED else (1.0,):
        desired = twin(method, P, order, steps, multiple)
        assert_all_close(run(method, P, compiled(P, layout), order, steps, multiple=multiple), desired)


# The adaptive rules are not here: where eta / sqrt(v + epsilon) exceeds 2 / L their steps amplify rounding errors. Nor
# are line searches: a row among few is soon fitted, and the losses they compare then differ by their rounding errors.
@settings(max_examples=30, deadline=None)
@given(
    loss=st.sampled_from(list(N_OUTPUTS)),
    n=st.integers(1, 12),
    alpha=st.sampled_from([0.0, 1e-8, 0.1, 100.0]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    fit_intercept=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_lazy_updates_equal_dense_ones(loss, alpha, seed, **data):
    P = make_problem(loss, alpha=np.full(N_OUTPUTS[loss], alpha), seed=seed, **data)
    for method in LINEAR.keys() - SEARCHED:
        order, steps = draw(P, method, n_rows=30, seed=seed)
        dense, lazy = (run(method, P, compiled(P, layout), order, steps) for layout in ("dense", "int32"))
        assert_all_close(lazy, dense)


def searched_L(loss, y, x, w, L, lower=1.0, n_steps=1):
    """Return L after line searches of sgd, its steps of size zero, on one row x of one output."""
    problem = FiniteSum(np.array([[x]]), np.array([y]), np.ones(1), np.zeros(1), loss, False)
    L = np.array([L])
    search = _kernels.LineSearch(L, np.array([x**2]), np.inf, lower)
    problem.kernels.sgd_epoch(np.zeros(n_steps, dtype=np.int64), 1, search, np.array([w, 0.0]))
    return L[0]


@each(scale=[2.0**-300, 2.0**-30, 1.0, 2.0**30, 2.0**300])
def test_line_search_doubles_to_the_curvature_at_every_scale(scale):
    # For the squared loss the inequality says L >= x^2 = 9.
    assert searched_L("squared", 0.3 * scale, 3.0, scale, L=1e-3) == 1e-3 * 2**14
    assert searched_L("squared", 0.3 * scale, 3.0, scale, L=9.5) == 9.5
    assert searched_L("squared", 0.3 * scale, 3.0, scale, L=10.0, lower=0.9, n_steps=3) == 10 * 0.9 * 0.9 * 2 * 0.9


@each(w=[np.inf, np.nan, 1e308], loss=["logistic", "squared"])
def test_line_search_ends_after_divergence(loss, w):
    assert 0 < searched_L(loss, 1.0, -1e3, w, L=0.1) < np.inf


@each(loss=["logistic", "squared"])
def test_line_search_from_a_tiny_L(loss):
    # The second derivative of the loss at z = -0.6 is above 0.9 of its largest.
    assert 0.9 * CURVATURE[loss] * 2**2 < searched_L(loss, 1.0, 2.0, -0.3, L=5e-324) < CURVATURE[loss] * 2**2 * 2


def test_line_search_leaves_fitted_rows_alone():
    # x w = 0.3 but for a few units in the last place: the losses before and after a trial are rounding errors.
    for w in 0.1 + EPS / 16 * np.arange(-8, 9):
        assert searched_L("squared", 0.3, 3.0, w, L=9.5) == 9.5
        assert searched_L("squared", 0.3, 3.0, w, L=1e-3) <= 1e-3 * 2**14
    assert searched_L("logistic", 1.0, 3.0, 20.0, L=1e-3) == 1e-3  # the loss is exp(-60)
    assert searched_L("squared", 0.0, 3.0, 0.0, L=1e-3, lower=0.5, n_steps=2000) > 0


@each(weighted=BOOLS, dtype=DTYPES, layout=LAYOUTS, loss=LOSSES)
def test_passes(loss, layout, dtype, weighted):
    P = make_problem(loss, dtype=dtype, weighted=weighted)
    problem = compiled(P, layout, dtype)
    (W, b), shift = random_point(P), np.linspace(-1, 2, len(P.alpha))
    theta, z = theta_of(problem, W, b), P.raw_prediction(W, b)
    prediction = problem.raw_prediction(theta).reshape(z.shape)
    assert_close(prediction, np.where(P.weight[:, None] > 0, z, 0))  # rows of zero weight are left out
    assert_close(problem.residual(z.ravel(), shift).reshape(z.shape), P.residual(z + shift))
    assert_close(problem.objective(theta), P.objective(W, b))
    gradient = join(problem.coef(problem.gradient(theta)), problem.intercept(problem.gradient(theta)))
    assert_close(gradient, join(*P.gradient(W, b)))
    assert_close(join(W, b) - 0.1 * gradient, join(*reference.gd(P, W, b, np.full((1, len(b)), 0.1))))
    value, gradient, _ = problem.loss_in_shift(z.ravel(), shift)
    assert_close(value, P.loss_value(z + shift).sum(axis=0) / P.n)
    assert_close(gradient, P.residual(z + shift).sum(axis=0) / P.n)


@each(loss=LOSSES)
def test_derivatives_by_finite_differences(loss):
    P = make_problem(loss)
    problem = compiled(P)
    z, shift = P.raw_prediction(*random_point(P)).ravel(), np.linspace(-1, 2, len(P.alpha))
    value, gradient, hessian = problem.loss_in_shift(z, shift)
    if P.loss == "squared":
        hessian = hessian[0, 0] * np.eye(len(shift))
    # A central difference errs by h^2/6 times a third or fourth derivative (below 1 for every loss) and by the rounding
    # error of what it subtracts over h: with this h both are about eps^(2/3) = 4e-11.
    h = EPS ** (1 / 3)
    atol = EPS ** (2 / 3) * max(1, value.max())
    for k, e in enumerate(h * np.eye(len(shift))):
        above, below = problem.loss_in_shift(z, shift + e), problem.loss_in_shift(z, shift - e)
        assert_allclose((above[0] - below[0]).sum() / (2 * h), gradient[k], rtol=0, atol=atol)
        assert_allclose((above[1] - below[1]) / (2 * h), hessian[k], rtol=0, atol=atol)


def test_thousands_of_targets_make_no_matrix_of_targets():
    K = 2000
    problem = FiniteSum(np.ones((4, 1)), np.ones((4, K)), np.ones(4), np.ones(K), "squared", True)
    z = np.zeros(4 * K)
    tracemalloc.start()
    best_intercept(problem, z, np.zeros(K))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * K * z.itemsize  # some vectors; a matrix would be K of them


@each(dtype=DTYPES, p=[1, 15, 16, 17, 33, 2051])  # 2051: a pass adds such rows by four
def test_every_lane_of_a_dense_row_counts_once(p, dtype):
    # Whole numbers: every sum is exact in any order, so one wrong lane shows.
    rng = np.random.default_rng(p)
    X = rng.integers(-9, 10, (7, p)).astype(dtype)
    W, b = rng.integers(-9, 10, (3, p)), rng.integers(-9, 10, 3)
    problem = FiniteSum(X, np.zeros((7, 3)), np.ones(7), np.zeros(3), "squared", True)
    z = problem.raw_prediction(theta_of(problem, W, b)).reshape(7, 3)
    assert_array_equal(z, X @ W.T + b)
    total = problem.zeros()
    problem.kernels.add_gradients(np.arange(7, dtype=np.int64), z.ravel(), total)
    assert_array_equal(problem.coef(total), z.T @ X)
    assert_array_equal(problem.intercept(total), z.sum(axis=0))


@each(dtype=DTYPES, p=[5, 2051])
def test_rows_added_together_have_the_bits_of_rows_added_in_turn(p, dtype):
    rng = np.random.default_rng(p)
    X, r = rng.standard_normal((7, p)).astype(dtype), rng.standard_normal(21)
    problem = FiniteSum(X, np.zeros((7, 3)), np.ones(7), np.zeros(3), "squared", True)
    together, in_turn = problem.zeros(), problem.zeros()
    order = np.array([3, 0, 6, 3, 1, 5, 2])
    problem.kernels.add_gradients(order, r, together)
    for s in range(7):
        problem.kernels.add_gradients(order[s : s + 1], r, in_turn)
    assert_array_equal(together, in_turn)


def one_row(loss, y, n_outputs):
    return FiniteSum(np.zeros((1, 1)), np.array([float(y)]), np.ones(1), np.zeros(n_outputs), loss, True)


def loss_of_row(loss, y, z):
    """Return the kernels' value, gradient and Hessian of the loss of one row; z may have any size."""
    z = np.array(z, dtype=np.float64)
    problem = one_row(loss, y, len(z))
    value, gradient, hessian = problem.loss_in_shift(z, np.zeros(len(z)))
    assert_array_equal(gradient, problem.residual(z))
    return value[0], gradient, hessian


@each(y=[-1, 1], z=[-1e4, -800.0, -40.0, -1.0, 0.0, 1e-9, 1.0, 40.0, 700.0, 800.0, 1e4])
def test_logistic_loss_is_stable(z, y):
    value, gradient, hessian = loss_of_row("logistic", y, [z])
    assert_allclose(value, np.logaddexp(0, -y * z), rtol=RTOL)
    assert_allclose(gradient, [-y * expit(-y * z)], rtol=RTOL)
    assert_allclose(hessian, [[expit(z) * expit(-z)]], rtol=RTOL)


def residual_of_a_step(problem, z):
    """Return that of the first row at raw predictions z, as SAG's table keeps it."""
    table, theta = np.full(len(z), np.nan), np.append(np.zeros(len(z)), z)
    problem.kernels.sag_epoch(np.zeros(1, dtype=np.int64), np.zeros(len(z)), theta, table, problem.zeros(), 0)
    return table


def test_the_logistic_residual_of_a_step():
    """Of every size, on both sides of the limit of the table of exp."""
    rng = np.random.default_rng(0)
    edges = np.array([0.0, 1e-300, 1 / 256, 63.9, np.nextafter(64, 0), 64.0, 65.0, 700.0, 708.0, 1e4, 1e300, np.inf])
    for y in (-1, 1):
        problem = one_row("logistic", y, 1)
        for z in np.concatenate([edges, -edges, rng.uniform(-70, 70, 2000), rng.standard_normal(2000), [np.nan]]):
            with np.errstate(over="ignore"):
                expected = -y / (1 + np.exp(np.longdouble(y * z)))
            actual = residual_of_a_step(problem, np.array([z]))
            assert_allclose(actual, float(expected), rtol=4 * EPS, atol=np.finfo(np.float64).tiny)


@each(y=[0, 1, 2], size=[1e-3, 1.0, 30.0, 100.0, 1e4], bad=[None, np.nan, np.inf])
def test_the_softmax_residual_of_a_step(y, size, bad):
    """As the passes over blocks have it; nan where a raw prediction is nan or infinite."""
    problem = one_row("softmax", y, 3)
    for z in size * np.random.default_rng(0).standard_normal((100, 3)):
        if bad is None:
            assert_allclose(residual_of_a_step(problem, z), problem.residual(z), rtol=16 * EPS)
        else:
            z[1] = bad
            assert np.isnan(residual_of_a_step(problem, z)).all()


@each(y=[0, 1, 2], z=[[0, 0, 0], [1, 2, -1], [40, 0, -3], [1e4, 0, -1e4], [1e4, 1e4, 1e4 + 1], [-1e4, -9e3, -1e4]])
def test_softmax_loss_is_stable(z, y):
    value, gradient, hessian = loss_of_row("softmax", y, z)
    p = softmax(z)
    assert_allclose(value, logsumexp(z) - z[y], rtol=RTOL, atol=EPS * max(map(abs, z)))  # two terms, each rounded
    assert_allclose(np.delete(gradient, y), np.delete(p, y), rtol=RTOL)
    assert_allclose(gradient[y], -np.delete(p, y).sum(), rtol=RTOL)  # p_y - 1 without the cancellation
    assert_allclose(hessian, np.diag(p) - np.outer(p, p), rtol=RTOL, atol=EPS)  # p_k - p_k^2 with p_k near 1


@each(K=[2, 3, 1000, 5000], spread=[0.0, 0.1])
def test_softmax_loss_of_many_classes_that_are_alike(K, spread):
    """No probability is found from 1, which is K times as large."""
    z = spread * np.random.default_rng(0).standard_normal(K)
    for y in (0, K - 1, int(z.argmin())):
        assert_allclose(one_row("softmax", y, K).mean_loss(z), logsumexp(z) - z[y], rtol=1e-14)


@each(k=[0, 1, 2], bad=[np.nan, np.inf])
def test_softmax_loss_is_nan_where_a_raw_prediction_is_not_finite(k, bad):
    """And where it is infinite: no fit goes on from there."""
    for y in range(3):
        z = np.array([0.0, 1.0, -1.0])
        z[k] = bad
        assert np.isnan(one_row("softmax", y, 3).mean_loss(z))


def test_a_class_is_a_whole_number():
    with pytest.raises(ValueError, match="none of the classes"):
        one_row("softmax", 1.5, 3)
