"""A fit that ends before its time, anywhere and for any reason, leaves no trace: the estimator is as it was.

Kernels, and numpy.zeros, are made to fail at their k-th call, for a share of all k: Ctrl-C between two slices of an
epoch, no memory for a table. Callbacks raise.
"""

import os
import pickle
import threading
from itertools import count

import numpy as np
import pytest
import scipy.sparse as sp
from problems import each
from threadpoolctl import threadpool_info

from skvr import LogisticRegression, Ridge, RidgeClassifier, problem, solvers
from skvr.solvers import SOLVERS

ESTIMATORS = [LogisticRegression, Ridge, RidgeClassifier]
STREAMING = ["sgd", "minibatch", "adagrad", "rmsprop", "adadelta", "adam"]
OPTIONS = [
    *SOLVERS,
    solvers.LBFGS(),
    solvers.SDCA(),
    solvers.PreconditionedSVRG(),
    solvers.SAG(average=True, initial_table="gradient"),
    solvers.SVRG(step_size="line-search", snapshot="average", sampling="lipschitz"),
    solvers.MiniBatch(momentum=0.9, average=True, batch_size="adaptive"),
]
LAYOUTS = {"dense": np.asarray, "csr": sp.csr_array}
STRIDE = 5  # every fifth call fails, and the first ones all


def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    return X, (X[:, 0] + rng.standard_normal(40) > 0).astype(float)


class Failing:
    """Calls a function, or the methods of an object, until the k-th call in all, which raises."""

    def __init__(self, wrapped, error, k):
        self.wrapped, self.error, self.left = wrapped, error, [k]

    def __call__(self, *args, **kwargs):
        self.left[0] -= 1
        if self.left[0] == 0:
            raise self.error
        return self.wrapped(*args, **kwargs)

    def __getattr__(self, name):
        method = Failing(getattr(self.wrapped, name), self.error, 0)
        method.left = self.left
        return method


@pytest.fixture
def fail(monkeypatch):
    """Return a function that makes the k-th call of a kernel, or of numpy.zeros, fail."""

    def install(what, error, k):
        monkeypatch.undo()
        if what == "zeros":
            monkeypatch.setattr(np, "zeros", Failing(np.zeros, error, k))
        elif what == "kernel":
            left = Failing(None, error, k).left
            for name in ("dense", "csr"):
                make = getattr(problem._kernels, name)
                monkeypatch.setattr(problem._kernels, name, lambda *args, make=make: counted(make(*args), error, left))

    return install


def counted(kernels, error, left):
    failing = Failing(kernels, error, 0)
    failing.left = left
    return failing


def call(model, method, X, y):
    classes = {"classes": [0.0, 1.0]} if method == "partial_fit" and not isinstance(model, Ridge) else {}
    return getattr(model, method)(X, y, **classes)


def world():
    """Return what a fit might leave changed outside the estimator."""
    blas = [library["num_threads"] for library in threadpool_info()]
    return blas, np.geterr(), threading.active_count(), np.random.get_state()[1].tolist()  # noqa: NPY002


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("solver", "method"),
    [(solver, "fit") for solver in OPTIONS] + [(solver, "partial_fit") for solver in STREAMING],
    ids=str,
)
@each(layout=LAYOUTS, cls=ESTIMATORS, what=["kernel", "zeros"])
def test_a_fit_that_fails_anywhere_leaves_no_trace(fail, what, cls, layout, solver, method):
    X, y = data()
    X = LAYOUTS[layout](X)
    error = KeyboardInterrupt() if what == "kernel" else MemoryError()
    model = cls(solver=solver, tol=None, max_iter=2, warm_start=True, random_state=0)
    for _ in range(2):
        call(model, method, X, y)
    before, outside = pickle.dumps(model), world()
    twin = pickle.loads(before)
    for k in count(1):
        if k > 4 and k % STRIDE:
            continue
        fail(what, error, k)
        try:
            call(model, method, X, y)
        except type(error) as raised:
            assert raised is error  # noqa: PT017
            assert pickle.dumps(model) == before
            fail(None, None, None)
        else:
            break  # a fit makes fewer than k calls
    fail(None, None, None)
    assert k > 2
    assert world() == outside
    np.testing.assert_array_equal(model.coef_, call(twin, method, X, y).coef_)


@pytest.mark.skipif(os.name != "posix", reason="pthread_kill raises Ctrl-C in the main thread on POSIX only")
@pytest.mark.parametrize("solver", ["sgd", "minibatch", "adam"])
def test_ctrl_c_ends_a_chunk_within_a_second(solver, ctrl_c):
    """The chunk takes a fraction of a second, and the signal comes as it begins: the look is between slices."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60_000, 1200)).astype(np.float32), rng.standard_normal(60_000)
    model = Ridge(solver=solver, random_state=0).partial_fit(X[:50], y[:50])
    before = pickle.dumps(model)
    with ctrl_c(after=0.02):
        model.partial_fit(X, y)
    assert pickle.dumps(model) == before
    twin = pickle.loads(before)
    np.testing.assert_array_equal(model.partial_fit(X[:99], y[:99]).coef_, twin.partial_fit(X[:99], y[:99]).coef_)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit, ZeroDivisionError])
@pytest.mark.parametrize("hook", ["setup", "on_fit_task_begin", "on_fit_task_end", "teardown"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_callback_that_raises_leaves_no_trace(cls, hook, error):
    pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")
    X, y = data()
    model = cls(solver="sag", tol=None, max_iter=3, warm_start=True, random_state=0).fit(X, y)
    before = pickle.dumps(model)
    model.set_callbacks(callback_raising(hook, error))
    with pytest.raises(error):
        model.fit(X * 2, y)
    model.set_callbacks()
    assert pickle.dumps(model) == before


def callback_raising(hook, error):
    class Callback:
        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            pass

        def teardown(self, estimator, context):
            pass

    def fails(self, *args, **kwargs):
        raise error

    setattr(Callback, hook, fails)
    return Callback()
