"""Promises 3 and 4: the layout of X and the number of threads do not change the answer."""

import subprocess
import sys
import threading

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_info, threadpool_limits

from skvr import LogisticRegression, Ridge
from skvr.problem import FiniteSum
from skvr.solvers import LBFGS, SDCA, SOLVERS, Newton, PreconditionedSVRG

SECOND_ORDER = [LBFGS(), LBFGS("none"), PreconditionedSVRG(batch_size=64)]
ALL_SOLVERS = [*SOLVERS, *SECOND_ORDER]
# LBFGS(), which "auto" is here, forms a Hessian when it is cheap for the layout.
SAME_STEPS = [*(name for name in SOLVERS if name != "auto"), Newton(), *SECOND_ORDER[1:]]
FIXED = {"tol": None, "max_iter": 4, "random_state": 0}


def data(n=400, p=9, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.4)
    return X, rng.integers(0, 3, n)


def int64_csr(X):
    X = sp.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def memory_map(X, folder):
    mapped = np.memmap(folder / "X.dat", dtype=X.dtype, mode="w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    return np.memmap(folder / "X.dat", dtype=X.dtype, mode="r", shape=X.shape)


def with_explicit_zeros_and_duplicates(X):
    """The same table as COO with every entry split in two halves, and zeros stored."""
    rows, columns = np.nonzero(np.ones_like(X))
    halves = X[rows, columns] / 2
    return sp.coo_matrix((np.r_[halves, halves], (np.r_[rows, rows], np.r_[columns, columns])), shape=X.shape)


SPARSE = {
    "csr": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csr int64": int64_csr,
    "csc": sp.csc_matrix,
    "coo": sp.coo_matrix,
    "lil": sp.lil_matrix,
    "duplicates": with_explicit_zeros_and_duplicates,
}


def batch_of(solver):
    """A batch size of its own for the rules whose automatic one depends on the layout."""
    return {"batch_size": 16} if solver in ("adagrad", "rmsprop", "adadelta", "adam") else {}


@pytest.mark.parametrize("solver", ALL_SOLVERS, ids=str)
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge])
def test_dense_layouts_agree(cls, solver, tmp_path):
    X, y = data()
    expected = cls(solver=solver, **FIXED).fit(X, y).coef_
    wide = np.zeros((len(X), 2 * X.shape[1]))
    wide[:, ::2] = X
    for same in (np.asfortranarray(X), wide[:, ::2], X.astype(">f8"), memory_map(X, tmp_path), X.tolist()):
        np.testing.assert_array_equal(cls(solver=solver, **FIXED).fit(same, y).coef_, expected)


@pytest.mark.parametrize("layout", SPARSE)
@pytest.mark.parametrize("solver", SAME_STEPS, ids=str)
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge])
def test_sparse_equals_dense(cls, solver, layout):
    X, y = data()
    options = {"solver": solver, **batch_of(solver), **FIXED}
    dense = cls(**options).fit(X, y)
    sparse = cls(**options).fit(SPARSE[layout](X), y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=0, atol=1e-12 * np.abs(dense.coef_).max())
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, rtol=0, atol=1e-12 * np.abs(y).max())


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.int32, np.uint8, bool])
def test_other_number_types_are_converted(dtype):
    X = (data()[0] * 3).astype(dtype)
    y = data()[1]
    expected = Ridge(**FIXED).fit(X.astype(np.float64), y)
    np.testing.assert_array_equal(Ridge(**FIXED).fit(X, y).coef_, expected.coef_)
    assert expected.coef_.dtype == np.float64


@pytest.mark.parametrize("layout", [np.ascontiguousarray, sp.csr_matrix])
@pytest.mark.parametrize("solver", ["auto", "sag"])
def test_float32_keeps_its_type_and_agrees(solver, layout):
    X, y = data()
    X = X.astype(np.float32)
    single = LogisticRegression(solver=solver, **FIXED).fit(layout(X), y)
    double = LogisticRegression(solver=solver, **FIXED).fit(layout(X.astype(np.float64)), y)
    assert single.coef_.dtype == single.intercept_.dtype == single.decision_function(layout(X)).dtype == np.float32
    assert double.coef_.dtype == np.float64
    np.testing.assert_array_equal(single.coef_, double.coef_.astype(np.float32))


@pytest.mark.parametrize("solver", ["auto", "sag", "svrg", "adam", *SECOND_ORDER], ids=str)
@pytest.mark.parametrize("layout", [np.ascontiguousarray, sp.csr_matrix])
def test_X_is_neither_copied_nor_changed(layout, solver, monkeypatch):
    X, y = data()
    X = layout(X)
    before = X.copy()
    seen = []
    from skvr import problem

    original = problem.FiniteSum.__init__
    monkeypatch.setattr(
        problem.FiniteSum, "__init__", lambda self, X, *args, **kw: (seen.append(X), original(self, X, *args, **kw))[1]
    )
    LogisticRegression(solver=solver, **FIXED).fit(X, y, sample_weight=np.arange(len(y)) % 3)
    values = [s.data if sp.issparse(s) else s for s in seen]
    assert seen
    assert all(np.shares_memory(v, X.data if sp.issparse(X) else X) for v in values)
    assert abs(X - before).max() == 0


def big(layout, seed=0):
    """Enough work for several slices of a pass."""
    rng = np.random.default_rng(seed)
    n, p = 150_000, 40
    X = rng.standard_normal((n, p)).astype(np.float32)
    y = rng.integers(0, 3, n)
    if layout == "csr":
        X[rng.random((n, p)) < 0.5] = 0
        X = sp.csr_matrix(X)
    return X, y


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("solver", ["auto", "gd", "sag", "svrg"], ids=str)
def test_threads_do_not_change_a_bit(solver, layout):
    X, y = big(layout)
    assert any(library["user_api"] == "blas" for library in threadpool_info())
    settings = {"solver": solver, "tol": None, "max_iter": 2, "random_state": 3}
    with threadpool_limits(1):
        expected = LogisticRegression(n_jobs=1, **settings).fit(X, y)
    for n_jobs in (2, 3, -1):
        with threadpool_limits(2):
            model = LogisticRegression(n_jobs=n_jobs, **settings).fit(X, y)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        np.testing.assert_array_equal(model.intercept_, expected.intercept_)
        np.testing.assert_array_equal(model.history_["bound"], expected.history_["bound"])


@pytest.mark.parametrize("solver", [SDCA(), LBFGS("none"), LBFGS("nystrom"), PreconditionedSVRG()], ids=str)
def test_threads_do_not_change_a_bit_of_two_classes(solver):
    X, y = big("dense")
    settings = {"solver": solver, "tol": None, "max_iter": 2, "random_state": 3}
    expected, model = (LogisticRegression(n_jobs=n_jobs, **settings).fit(X, y > 0) for n_jobs in (1, 3))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.history_["bound"], expected.history_["bound"])


@pytest.mark.parametrize("solver", ["gd", "svrg"])
def test_threads_of_a_joblib_context_do_not_change_a_bit(solver):
    X, y = big("dense")
    settings = {"solver": solver, "tol": None, "max_iter": 1, "random_state": 3}
    expected = LogisticRegression(n_jobs=1, **settings).fit(X, y)
    with joblib.parallel_config("threading", n_jobs=2):
        model = LogisticRegression(**settings).fit(X, y)
    nested = joblib.Parallel(2, "threading")(joblib.delayed(LogisticRegression(**settings).fit)(X, y) for _ in range(2))
    for fitted in (model, *nested):
        np.testing.assert_array_equal(fitted.coef_, expected.coef_)


def test_threads_are_as_many_as_asked_for_and_end_with_the_pass():
    problem = FiniteSum(*big("dense"), np.ones(150_000), np.ones(3), "softmax", True, n_jobs=2)
    before = threading.active_count()
    seen = set()

    def task(rows):
        seen.add(threading.get_ident())
        if len(rows) and rows[0] > 0:
            raise KeyboardInterrupt
        return rows

    with pytest.raises(KeyboardInterrupt):
        list(problem._map_slices(task))
    assert len(seen) <= 2
    assert threading.get_ident() not in seen
    assert threading.active_count() == before


def test_blas_threads_are_given_back():
    before = [library["num_threads"] for library in threadpool_info()]
    Ridge().fit(*data())
    assert [library["num_threads"] for library in threadpool_info()] == before


@pytest.mark.parametrize("solver", ["sgd", "sag", "svrg", "adam"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_another_path(solver):
    X, y = data()
    first, again = (LogisticRegression(solver=solver, **FIXED).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.coef_, again.coef_)
    other = LogisticRegression(solver=solver, **{**FIXED, "random_state": 1}).fit(X, y)
    assert np.any(other.coef_ != first.coef_)


MEMORY = """
import ctypes
import sys

import numpy as np
import scipy.sparse as sp
from skvr import LogisticRegression, Ridge, solvers


def memory(key):
    with open("/proc/self/status") as status:
        return 1024 * int(next(line for line in status if line.startswith(key)).split()[1])


cls, layout, dtype, n, p, classes, solver, tol = sys.argv[1:]
n, p = int(n), int(p)
X, rng = np.empty((n, p if layout == "dense" else p // 10), dtype), np.random.default_rng(0)
for first in range(0, n, 1000):  # columns that are alike: of independent ones no matrix might be formed
    X[first : first + 1000] = rng.standard_normal((1000, X.shape[1])) + 3 * rng.standard_normal((1000, 1))
y = np.digitize(X[:, 0], np.quantile(X[:, 0], np.arange(1, int(classes)) / int(classes)))
size = X.nbytes
if layout == "csr":  # a tenth of the values are stored, of every row in columns of its own
    columns = 10 * np.arange(p // 10, dtype=np.int32) + rng.integers(0, 10, (n, 1), dtype=np.int32)
    X = sp.csr_array((X.ravel(), columns.ravel(), np.arange(n + 1, dtype=np.int32) * (p // 10)), shape=(n, p))
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
estimator = {"LogisticRegression": LogisticRegression, "Ridge": Ridge}[cls]
settings = {"tol": None, "max_iter": 2} if tol == "None" else {"tol": float(tol)}
for first in (solver, solvers.Newton()):  # code and buffers that a first fit brings in
    estimator(solver=first, tol=None, max_iter=2).fit(X[: p + 1], y[: p + 1])
libc = ctypes.CDLL(None)
if hasattr(libc, "malloc_trim"):  # else what the first fit has freed would serve the second unseen
    libc.malloc_trim(0)
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")  # the peak begins again
before = memory("VmRSS")
model = estimator(solver=solver, random_state=0, **settings).fit(X, y)
print(memory("VmHWM") - before, size)
"""


def extra_memory(folder, *case):
    """Return what a fit needs at its peak, and the size of X, in bytes."""
    command = [sys.executable, "-c", MEMORY, *map(str, case)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return map(int, result.stdout.split())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self is Linux's")
@pytest.mark.parametrize("solver", ["auto", "gd", "sag", "svrg", "adam"])
def test_a_fit_needs_a_few_percent_of_the_memory_of_X(solver, tmp_path):
    extra, X = extra_memory(tmp_path, "LogisticRegression", "dense", "float32", 40_000, 1000, 2, solver, None)
    assert extra < 0.1 * X


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self is Linux's")
@pytest.mark.parametrize(
    ("cls", "dtype", "p", "classes", "tol"),
    [
        ("LogisticRegression", "float64", 1000, 2, 1e-4),
        ("LogisticRegression", "float64", 1000, 3, 1e-4),
        ("LogisticRegression", "float64", 1000, 10, 1e-4),
        ("LogisticRegression", "float32", 1000, 2, 1e-4),
        ("Ridge", "float64", 1000, 2, 1e-4),
        ("Ridge", "float32", 1000, 2, 1e-2),
    ],
)
def test_the_default_needs_a_tenth_of_the_memory_of_X_from_20_rows_a_column(cls, dtype, p, classes, tol, tmp_path):
    extra, X = extra_memory(tmp_path, cls, "dense", dtype, 20 * p, p, classes, "auto", tol)
    assert extra < 0.1 * X


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self is Linux's")
@pytest.mark.parametrize(
    ("layout", "dtype", "classes"),
    [("dense", "float32", 3), ("csr", "float64", 2), ("csr", "float64", 3)],
)
def test_the_default_needs_a_triangle_16_numbers_a_row_and_class_and_4_megabytes(layout, dtype, classes, tmp_path):
    n, p = 20_000, 1000
    extra, _ = extra_memory(tmp_path, "LogisticRegression", layout, dtype, n, p, classes, "auto", 1e-4)
    outputs = 1 if classes == 2 else classes
    assert extra < 8 * ((p + 1) * (p + 2) / 2 + 16 * n * outputs) + 2**22
