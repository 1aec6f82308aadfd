"""Hessians, their factors and the other preconditioners against dense formulas."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from problems import (
    BOOLS,
    DTYPES,
    EPS,
    LAYOUTS,
    LOSSES,
    N_FEATURES,
    assert_close,
    compiled,
    each,
    make_problem,
    random_point,
    theta_of,
)
from reference import Problem, join

from skvr.problem import FiniteSum
from skvr.solvers import hessian as hessian_module
from skvr.solvers import lapack, woodbury
from skvr.solvers.hessian import (
    KERNEL_COLUMNS,
    Columns,
    Factor,
    _scattered_gram,
    class_covariance,
    hessian,
    packed_gram,
)
from skvr.solvers.preconditioner import Hessian, Kronecker, Nystrom, class_eigenvalues, form
from skvr.solvers.triangle import SMALL, Triangle, sum_of_products
from skvr.solvers.woodbury import RowFactor


def moved(P, offset, scale=1.0):
    """Return the problem in other units: X scaled, and shifted except for the empty column."""
    X = (P.X + offset * np.linspace(-1, 1, P.X.shape[1])) * scale
    X[:, 5] = 3.7 * scale
    return Problem(X, P.y, P.sample_weight, P.alpha, P.loss, P.fit_intercept)


def standardised(P, columns):
    """Return the problem in centred and scaled columns, without a penalty."""
    Z = (P.X - columns.mean) / columns.data_scale
    return Problem(Z, P.y, P.sample_weight, 0 * P.alpha, P.loss, P.fit_intercept)


@each(fit_intercept=BOOLS, loss=LOSSES)
def test_the_explicit_hessian_by_finite_differences(loss, fit_intercept):
    P = make_problem(loss, fit_intercept=fit_intercept)
    x, h = join(*random_point(P)), EPS ** (1 / 3)
    H = reference.hessian(P, *random_point(P))
    for column, e in zip(H.T, h * np.eye(x.size), strict=True):
        e = e.reshape(x.shape)
        e[:, -1] *= fit_intercept
        difference = (P.full_gradient(x + e) - P.full_gradient(x - e)).ravel() / (2 * h)
        assert_allclose(difference, column, rtol=0, atol=100 * EPS ** (2 / 3))  # |x|^3 times a fourth derivative


def triangle_of(H):
    """Return a symmetric matrix as its lower triangle."""
    out = Triangle(len(H))
    i, j = np.tril_indices(len(H))
    out.add_at(i, j, H[i, j])
    return out


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9])
def test_a_triangle_is_a_matrix(n):
    rng = np.random.default_rng(n)
    rows, weight, g = rng.standard_normal((2 * n, n)), rng.uniform(0.5, 2, n), rng.standard_normal((n, 3))
    H = np.eye(n) + rows.T @ rows
    T = sum_of_products(n, [rows, np.eye(n)], 1.0)
    np.testing.assert_array_equal(T.diagonal(), np.diag(T.square()))
    assert_close(T.square(), np.tril(H))
    assert_close(T.times(0.25).square(), np.tril(0.25 * H))
    T.scale(weight)
    H = weight[:, None] * H * weight
    seen = np.zeros((n, n))
    for i, others, entries in T.runs():
        assert_close(entries, H[others, i])
        seen[others, i] += 1
        seen[i, others] += 1
    np.testing.assert_array_equal(seen, 1 + np.eye(n))
    T.set_diagonal(5 * np.diag(H))
    H[np.diag_indices(n)] *= 5
    assert T.cholesky()
    assert_close(T.solve(g), np.linalg.solve(H, g))
    assert_close(T.solve(g[:, 0]), np.linalg.solve(H, g[:, 0]))
    assert not triangle_of(-H).cholesky()


@pytest.mark.parametrize("n", [SMALL, SMALL + 1, SMALL + 2])
def test_sum_of_products(n):
    blocks = [np.random.default_rng(seed).standard_normal((3, n)) for seed in (0, 1)]
    assert_close(sum_of_products(n, blocks, 0.5).square(), np.tril(0.5 * sum(Z.T @ Z for Z in blocks)))


@pytest.fixture(params=[KERNEL_COLUMNS, 0], ids=["kernel", "BLAS"])
def products(request, monkeypatch):
    """Gram matrices by the kernel, some rows a call, and by BLAS."""
    monkeypatch.setattr(hessian_module, "KERNEL_COLUMNS", request.param)
    monkeypatch.setattr(hessian_module, "PRODUCTS", 5 * (3 * (N_FEATURES + 1)) ** 2)


@pytest.mark.usefixtures("products")
@each(offset=[0.0, 1.0, 1e6], fit_intercept=BOOLS, layout=["dense", "int32"], loss=LOSSES)
def test_hessian_in_scaled_columns(loss, layout, fit_intercept, offset):
    """The explicit formula, in columns far from zero, one of them constant."""
    P = moved(make_problem(loss, fit_intercept=fit_intercept), offset)
    problem = compiled(P, layout)
    columns = Columns(problem)
    scaled = standardised(P, columns)
    W, b = random_point(P)
    z = scaled.raw_prediction(W, b)
    H = hessian(problem, columns, z.ravel())
    expected = reference.hessian(scaled, W, b)[: H.n, : H.n]  # "squared": of every target alike
    assert_close(H.square(), np.tril(expected))


@pytest.mark.usefixtures("products")
@each(fit_intercept=BOOLS, layout=["int32", "int64"])
def test_sparse_rows_give_the_gram_matrix_of_dense_ones(layout, fit_intercept):
    P = make_problem("logistic", fit_intercept=fit_intercept)
    problem = compiled(P, layout)
    columns = Columns(problem)
    weight = P.weight * np.random.default_rng(0).uniform(0.5, 2, len(P.X))
    scattered = _scattered_gram(problem, columns, weight)
    assert_close(scattered.square(), packed_gram(problem, columns, np.sqrt(weight)[:, None]).square())


@each(scale=[1e-6, 1.0, 1e6], fit_intercept=BOOLS, layout=LAYOUTS, loss=LOSSES)
def test_a_step_by_the_hessian_is_newtons(loss, layout, fit_intercept, scale):
    P = moved(make_problem(loss, fit_intercept=fit_intercept), 1.0, scale)
    problem = compiled(P, layout)
    columns = Columns(problem)
    W, b = random_point(P)
    W = (W - (W.mean(axis=0) if loss == "softmax" else 0)) / scale
    b = b - (b.mean() if loss == "softmax" else 0)
    theta = theta_of(problem, W, b)
    step = Hessian(problem, columns, problem.raw_prediction(theta)).solve(problem.gradient(theta), theta)
    step = join(problem.coef(step), problem.intercept(step))
    H, g = reference.hessian(P, W, b), join(*P.gradient(W, b)).ravel()
    units = np.tile(np.append(np.full(P.X.shape[1], 1 / scale), 1), len(P.alpha))
    assert_allclose(units * (H @ step.ravel()), units * g, rtol=0, atol=1e-10 * np.abs(units * g).max())


@each(n=[1, 2, 7, 16], dtype=DTYPES, scale=[1e-3, 1.0, 1e3], fit_intercept=BOOLS, loss=LOSSES)
def test_a_step_by_a_matrix_of_the_rows_is_newtons(loss, fit_intercept, scale, dtype, n, monkeypatch):
    """Fewer rows than columns, one of weight zero, a constant column.

    1/alpha (g - ...) is a difference of terms up to the condition number times as large as itself.
    """
    monkeypatch.setattr(woodbury, "FEWEST_COLUMNS", 0)
    P = moved(make_problem(loss, fit_intercept=fit_intercept, n=n), 1.0, scale)
    P = Problem(P.X.astype(dtype).astype(float), P.y, P.sample_weight, P.alpha, P.loss, P.fit_intercept)
    problem = compiled(P, dtype=dtype)
    W, b = random_point(P)
    W = (W - (W.mean(axis=0) if loss == "softmax" else 0)) / scale
    b = (b - (b.mean() if loss == "softmax" else 0)) * fit_intercept
    theta = theta_of(problem, W, b)
    metric = Hessian(problem, Columns(problem), problem.raw_prediction(theta))
    assert all(isinstance(factor, RowFactor) for _, factor in metric.factors)
    step = metric.solve(problem.gradient(theta), theta)
    step = join(problem.coef(step), problem.intercept(step))
    H, g = reference.hessian(P, W, b), join(*P.gradient(W, b)).ravel()
    units = np.tile(np.append(np.full(P.X.shape[1], 1 / scale), 1), len(P.alpha))
    condition = np.linalg.eigvalsh(H)[-1] / P.alpha.min()
    atol = 16 * EPS * condition * np.abs(units * g).max()
    assert_allclose(units * (H @ step.ravel()), units * g, rtol=0, atol=atol)


@each(K=[1, 3])
def test_a_matrix_of_the_rows_is_made_of_two_squares(K):
    """For K classes of one, its triangle, and the K^2-th of one; the rest are some arrays of n K^2 and n p numbers."""
    rng = np.random.default_rng(0)
    n, p = 600 // K, 620
    X, y = rng.standard_normal((n, p)), np.arange(n) % 3.0 if K == 3 else np.resize([-1.0, 1.0], n)
    problem = FiniteSum(X, y, np.ones(n), np.full(K, 0.1), "softmax" if K == 3 else "logistic", True)
    columns = Columns(problem)
    columns.rows(problem)
    tracemalloc.start()
    Hessian(problem, columns, problem.raw_prediction(problem.zeros()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.2 * 8 * (n * K) ** 2


@pytest.mark.parametrize(("p", "kind"), [(300, Hessian), (299, Hessian), (298, Kronecker)])
def test_classes_have_at_most_twice_as_many_rows_as_columns(p, kind):
    X = np.random.default_rng(0).standard_normal((200, p))
    problem = FiniteSum(X, np.arange(200) % 3.0, np.ones(200), np.full(3, 0.1), "softmax", True)
    columns, z = Columns(problem), problem.raw_prediction(problem.zeros())
    assert type(form("hessian", problem, columns, z, None)) is kind
    assert isinstance(Hessian(problem, columns, z).factors[0][1], RowFactor)  # the whole one has fewer rows in any case


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_a_matrix_of_rows_without_curvature(loss, monkeypatch):
    """Saturated predictions: the penalty is all there is, and the intercept is left where it is."""
    monkeypatch.setattr(woodbury, "FEWEST_COLUMNS", 0)
    P = make_problem(loss, n=7)
    problem = compiled(P)
    z = np.where(P.y[:, None] == (1 if loss == "logistic" else np.arange(3)), 800.0, -800.0).ravel()
    columns = Columns(problem)
    theta = theta_of(problem, *random_point(P))
    step = Hessian(problem, columns, z).solve(problem.penalty_gradient(theta), theta)
    assert_close(problem.coef(step), problem.coef(theta))
    assert_close(problem.intercept(step), -problem.coef(theta) @ columns.mean)


@settings(deadline=None)
@given(q=st.integers(1, 30), rank=st.integers(0, 30), blocks=st.sampled_from([1, 3]), seed=st.integers(0, 999))
def test_a_singular_matrix_is_solved_where_it_can_be(q, rank, blocks, seed):
    """Of columns that are combinations of others, and no penalty; in units that differ by powers of ten."""
    rng = np.random.default_rng(seed)
    rank = min(rank, q)
    root = rng.standard_normal((rank, rank)) @ rng.standard_normal((rank, q)) * 10.0 ** rng.integers(-6, 7, q)
    classes = np.eye(blocks) - (blocks > 1) / blocks
    H = np.kron(classes, root.T @ root)
    g = H @ (rng.standard_normal(blocks * q) / np.sqrt(np.where(np.diag(H) > 0, np.diag(H), 1)))
    solution = Factor(triangle_of(H), np.zeros(q), lambda: triangle_of(H)).solve(g)
    units = 1 / np.sqrt(np.where(np.diag(H) > 0, np.diag(H), 1))
    assert_allclose(units * (H @ solution), units * g, rtol=0, atol=1e-6 * np.abs(units * g).max(initial=0))


def classes_problem(K, layout, alpha=0.05):
    """Return a problem of K classes in the place of three, compiled too."""
    P = make_problem("softmax", n=40)
    y = np.random.default_rng(0).integers(0, K, len(P.X)).astype(float)
    P = Problem(P.X, y, P.sample_weight, np.full(K, alpha), "softmax", True)
    return P, compiled(P, layout)


@each(layout=["dense", "int32"], K=[3, 4, 7, 16], equal=BOOLS)
def test_kronecker_is_the_hessian_where_all_rows_have_the_same_probabilities(K, layout, equal):
    """Where the classes' eigenvalues differ, some by more than 64 times, too small in part, by 64 times at most."""
    P, problem = classes_problem(K, layout)
    W, b = np.zeros((K, P.X.shape[1])), np.zeros(K) if equal else -1.0 * np.arange(K)
    theta = theta_of(problem, W, b)
    solver = Kronecker(problem, Columns(problem), problem.raw_prediction(theta))

    def inverse(x):
        """H^-1 of a gradient; that of the empty column is the penalty's, of the parameters x / alpha."""
        step = solver.solve(theta_of(problem, *reference.split(x)), theta_of(problem, *reference.split(x / P.alpha[0])))
        return join(problem.coef(step), problem.intercept(step)).ravel()

    H = reference.hessian(P, W, b)
    q = P.X.shape[1] + 1
    basis = np.linalg.svd(np.eye(K) - 1 / K)[0][:, : K - 1]  # of classes that do not all move together
    basis = np.kron(basis, np.eye(q))
    B = basis.T @ np.column_stack([inverse(e.reshape(K, q)) for e in basis.T])
    values = np.linalg.eigvals(B @ (basis.T @ H @ basis))
    assert_allclose(values.imag, 0, atol=1e-9)
    assert len(solver.factors) == 1 if equal or K < 7 else len(solver.factors) > 1
    assert values.real.min() >= (1 if equal else 1 / 64) - 1e-9
    assert values.real.max() <= 1 + 1e-9


@each(factor=[0.5, 1.0, 4.0])
def test_a_kronecker_product_becomes_no_larger_than_the_last_change_says(factor):
    """s = factor B y says that B, as it was formed, is factor times too small: it shrinks, and it does not grow."""
    rng = np.random.default_rng(0)
    X, codes = rng.standard_normal((40, 4)), np.arange(40.0) % 3
    problem = FiniteSum(X, codes, np.ones(40), np.full(3, 0.1), "softmax", True)
    solver = Kronecker(problem, Columns(problem), problem.raw_prediction(problem.zeros()))
    y, g = problem.gradient(problem.zeros()), rng.standard_normal(problem.zeros().size)
    at_first, step = solver.solve(g, g), solver.solve(y, y)
    for _ in range(2):  # whatever its size is before
        solver.resize(factor * step, y)
        assert_allclose(solver.solve(g, g), min(1.0, factor) * at_first)
    solver.resize(np.zeros_like(y), np.zeros_like(y))  # nothing to learn
    assert solver.size == 1


def test_the_covariance_of_saturated_classes_keeps_its_digits():
    """p_k (1 - p_k) of probabilities that round to 1; its eigenvalues are not below what eigh can tell from zero."""
    K = 7
    _, problem = classes_problem(K, "dense")
    p = np.full((len(problem.weight), K), 1e-18)
    p[np.arange(len(p)), np.arange(len(p)) % K] = 1.0
    A, _ = class_covariance(problem, np.log(p).ravel())
    others = np.array([np.delete(p, k, axis=1).sum(axis=1) for k in range(K)]).T
    assert_allclose(np.diag(A), problem.weight @ (p * others) / problem.n_samples, rtol=1e-13)
    for seed in range(20):
        values, _, _ = class_eigenvalues(problem, 100 * np.random.default_rng(seed).standard_normal(p.size))
        assert values.min() >= EPS * values.max() > 0


@each(fit_intercept=BOOLS, layout=["dense", "int32"], loss=LOSSES)
@pytest.mark.parametrize(("p", "rank"), [(17, 17), (120, 40)])
def test_nystrom_is_exact_up_to_its_rank(p, rank, loss, layout, fit_intercept):
    """Where all rows have the same probabilities, so that the Gram matrix is all there is to know."""
    P = make_problem(
        loss, fit_intercept=fit_intercept, n=60, alpha=np.full(3 if loss in ("softmax", "squared-3") else 1, 0.1)
    )
    rng = np.random.default_rng(0)
    X = rng.standard_normal((len(P.X), rank)) @ rng.standard_normal((rank, p)) / np.sqrt(rank)
    P = Problem(X, P.y, P.sample_weight, P.alpha, P.loss, P.fit_intercept)
    problem, K = compiled(P, layout), len(P.alpha)
    W, b = np.zeros((K, p)), np.zeros(K)
    g = rng.standard_normal((K, p + 1))
    g[:, -1] *= fit_intercept
    if loss == "softmax":
        g -= g.mean(axis=0)
    metric = Nystrom(problem, Columns(problem), np.zeros(K * len(X)), np.random.default_rng(1))
    step = metric.solve(theta_of(problem, *reference.split(g)), problem.zeros())
    step = join(problem.coef(step), problem.intercept(step))
    penalised = reference.hessian(P, W, b)
    intercepts = np.arange(K) * (p + 1) + p
    penalised[intercepts, intercepts] += P.alpha * fit_intercept  # which this metric does not tell from the rest
    assert_allclose(penalised @ step.ravel(), g.ravel(), rtol=0, atol=1e-9 * np.abs(g).max())


@each(fit_intercept=BOOLS, layout=["dense", "int32"], loss=LOSSES, kind=["diagonal", "none"])
def test_diagonal_and_none_are_the_identity_in_centred_columns(kind, loss, layout, fit_intercept):
    """B = J J' with theta = J (w~, b~): w = w~ / scale and b = b~ / sqrt(h) - mean . w, h the mean curvature."""
    P = make_problem(loss, fit_intercept=fit_intercept)
    problem = compiled(P, layout)
    p, K = P.X.shape[1], len(P.alpha)
    W, b = random_point(P)
    h = reference.hessian(replace(P, fit_intercept=True), W, b).diagonal()[p :: p + 1]
    mean = P.weight @ P.X / P.n if fit_intercept else np.zeros(p)
    variance = P.weight @ (P.X - mean) ** 2 / P.n
    scale = np.sqrt(h.mean() * variance + P.alpha.min()) if kind == "diagonal" else np.ones(p)
    J = np.zeros((K, p + 1, p + 1))
    J[:, np.arange(p), np.arange(p)] = 1 / scale
    J[:, p, p] = 1 / np.sqrt(h) if fit_intercept else 0.0
    J[:, p, :p] = -mean / scale * fit_intercept
    g = np.random.default_rng(0).standard_normal((K, p + 1))
    g[:, p] *= fit_intercept
    if fit_intercept:  # of a constant column the penalty is all there is
        g[:, :p][:, variance == 0] = (mean[variance == 0] * g[:, p:]) + 1.0
    theta = theta_of(problem, 1.0 / P.alpha[:, None] * np.ones((K, p)), np.zeros(K))
    z = problem.raw_prediction(theta_of(problem, W, b))
    step = form(kind, problem, Columns(problem), z, None).solve(theta_of(problem, g[:, :p], g[:, p]), theta)
    expected = np.einsum("kij,klj,kl->ki", J, J, g)
    assert_close(join(problem.coef(step), problem.intercept(step)), expected)


def test_triangles_of_the_wrong_size_are_refused():
    """LAPACK would write beyond their arrays."""
    for wrong in (np.zeros(9), np.zeros(11), np.zeros(10, np.float32), np.zeros((2, 5)), np.zeros(20)[::2]):
        for call in (
            lambda values: lapack.cholesky(4, values),
            lambda values: lapack.solve(4, values, np.zeros((4, 1))),
            lambda values: lapack.add_products(4, 1.0, np.zeros((3, 4)), values),
        ):
            with pytest.raises(ValueError, match="A triangle of 4 rows"):
                call(wrong)
    for call in (
        lambda: lapack.solve(4, np.zeros(10), np.zeros((3, 1))),
        lambda: lapack.add_products(4, 1.0, np.zeros((4, 3)), np.zeros(10)),
    ):
        with pytest.raises(ValueError, match="beside a triangle"):
            call()
