"""Threads and processes: fits run at the same time, share nothing, and leave the process as it was."""

import multiprocessing
import os
import pickle
import sys
import threading
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_info, threadpool_limits

from skvr import LogisticRegression, Ridge, RidgeClassifier, _kernels, problem
from skvr.solvers import SOLVERS
from skvr.solvers.triangle import Triangle, sum_of_products

ESTIMATORS = [LogisticRegression, Ridge, RidgeClassifier]


def data(n=300, p=6):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5)
    return X, (X[:, 0] + rng.standard_normal(n) > 0).astype(int)


def world():
    """Return the state of the process that a library may spoil."""
    blas = [(library["internal_api"], library["num_threads"]) for library in threadpool_info()]
    state = np.random.get_state()  # noqa: NPY002
    return blas, np.geterr(), list(warnings.filters), state[1].tolist(), state[2:], np.get_printoptions()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_fit_changes_nothing_global(cls, solver):
    before, (X, y) = world(), data()
    model = cls(solver=solver, max_iter=3, n_jobs=2).fit(X, y)  # random_state=None draws, but not as a side effect
    assert [a == b for a, b in zip(world()[:3], before[:3], strict=True)] == [True] * 3
    cls(solver=solver, max_iter=3, random_state=0).fit(X, y)
    model.predict(X)
    after_draw = world()
    cls(solver=solver, max_iter=3, random_state=0).fit(sp.csr_array(X), y)
    assert world() == after_draw


def test_a_kernel_runs_while_python_goes_on():
    """The kernels release the GIL: this thread goes on before a single call, in another thread, has ended.

    With a switch interval of minutes nothing else lets it. It may oversleep a call on a busy machine, not all of them.
    """
    n, p = 20_000, 500
    X = np.ones((n, p))
    kernels = _kernels.dense(X, "squared", np.ones(n), np.ones(n), np.zeros(1), True)
    order, theta = np.resize(np.arange(n, dtype=np.int64), 20 * n), np.zeros(p + 1)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(300)
    try:
        assert any(python_goes_on(lambda: kernels.sgd_epoch(order, 1, np.zeros(len(order)), theta)) for _ in range(5))
        assert not python_goes_on(lambda: sum(range(10**6)))  # what holds the GIL is seen to
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("what", ["sum_of_products", "cholesky", "solve"])
def test_a_factorisation_runs_while_python_goes_on(what):
    """As above; SciPy's wrappers of these functions of LAPACK hold the GIL."""
    n = 1500
    rows = np.random.default_rng(0).standard_normal((n, n))
    triangle = sum_of_products(n, [rows, np.eye(n)], 1.0)
    factor = Triangle(n, triangle.values.copy())
    assert factor.cholesky()
    calls = {
        "sum_of_products": lambda: sum_of_products(n, [rows], 1.0),
        "cholesky": lambda: Triangle(n, triangle.values).cholesky(),
        "solve": lambda: factor.solve(rows),
    }
    interval = sys.getswitchinterval()
    sys.setswitchinterval(300)
    try:
        assert any(python_goes_on(calls[what]) for _ in range(5))
    finally:
        sys.setswitchinterval(interval)


def python_goes_on(call):
    events, begun = [], threading.Event()

    def run():
        begun.set()
        call()
        events.append("call ended")

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    events.append("went on")
    thread.join()
    return events[0] == "went on"


@pytest.mark.parametrize("solver", ["auto", "sag", "svrg", "adam"])
def test_fits_in_threads_have_the_bits_of_fits_in_turn(solver):
    X, y = data(n=20_000)  # so many that OpenBLAS would use threads
    settings = {"solver": solver, "tol": None, "max_iter": 5}
    expected = [LogisticRegression(random_state=seed, **settings).fit(X, y) for seed in range(8)]
    before = threadpool_info()
    for backend in ("threading", "loky"):
        with joblib.parallel_backend(backend, n_jobs=4):
            fits = joblib.Parallel()(
                joblib.delayed(LogisticRegression(random_state=seed, **settings).fit)(X, y) for seed in range(8)
            )
        for model, in_turn in zip(fits, expected, strict=True):
            np.testing.assert_array_equal(model.coef_, in_turn.coef_)
            np.testing.assert_array_equal(model.history_["bound"], in_turn.history_["bound"])
    assert threadpool_info() == before


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_during_a_fit_in_any_thread(monkeypatch):
    """Also where another thread has set a limit: from 3.8 on threadpoolctl obeys one thread alone."""
    X, y = data()
    make, seen = _kernels.dense, []
    monkeypatch.setattr(problem._kernels, "dense", lambda *args: seen.append(blas_threads()) or make(*args))
    fit = LogisticRegression().fit
    for _ in range(2):
        with threadpool_limits(limits=2, user_api="blas"):
            before = blas_threads()
            fit(X, y)
            assert blas_threads() == before
            for _ in range(2):
                thread = threading.Thread(target=fit, args=(X, y))
                thread.start()
                thread.join()
                assert blas_threads() == before
    assert seen == [{1}] * 6


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_one_estimator_predicts_in_many_threads(cls):
    X, y = data()
    model = cls().fit(X, y)
    before = pickle.dumps(model)
    wrong = []

    def predict(rows):
        expected = pickle.loads(before).predict(rows)
        for _ in range(20):
            if not np.array_equal(model.predict(rows), expected):
                wrong.append(rows)

    threads = [threading.Thread(target=predict, args=[rows]) for rows in (X, sp.csr_array(X)) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert pickle.dumps(model) == before


def fit_in_child(queue, n_jobs):
    X, y = data()
    queue.put(LogisticRegression(solver="saga", tol=None, max_iter=3, random_state=0, n_jobs=n_jobs).fit(X, y).coef_)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12's, of a process with threads
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_process_forked_after_a_fit_can_fit(n_jobs):
    X, y = data()
    expected = LogisticRegression(solver="saga", tol=None, max_iter=3, random_state=0, n_jobs=n_jobs).fit(X, y).coef_
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=fit_in_child, args=(queue, n_jobs))
    child.start()
    np.testing.assert_array_equal(queue.get(), expected)
    child.join(timeout=60)
    assert child.exitcode == 0
