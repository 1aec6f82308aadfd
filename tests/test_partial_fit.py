"""partial_fit: the same steps as a fit, the penalty of what was seen, and nothing lost."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers
from skvr.solvers import SOLVERS

STREAMING = ["sgd", "minibatch", "adagrad", "rmsprop", "adadelta", "adam"]
OPTIONS = {
    **{name: SOLVERS[name](step_size=0.01, sampling="cyclic") for name in STREAMING},
    "heavy ball": solvers.SGD(0.01, sampling="cyclic", momentum=0.9),
    "nesterov": solvers.MiniBatch(0.01, sampling="cyclic", momentum=0.9, nesterov=True),
    "average": solvers.SGD(0.01, sampling="cyclic", average=True),
    "amsgrad": solvers.Adam(0.01, sampling="cyclic", amsgrad=True),
    "exponential": solvers.SGD(solvers.InverseScaling(0.1, decay=0.01), sampling="cyclic"),
}
BATCH, CHUNK = 5, 20


def data(n=100, p=6, classes=2):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5)
    return X, np.arange(n) % classes + (rng.random(n) < 0.1) * (np.arange(n) % classes == 0)


def chunks(*arrays):
    for first in range(0, arrays[0].shape[0], CHUNK):
        yield [a[first : first + CHUNK] for a in arrays]


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("option", OPTIONS)
def test_chunks_make_the_steps_of_one_epoch(option, classes, layout):
    """Without a penalty and with equal weights F does not change with the rows seen, so a fit's epoch is the same."""
    X, y = data(classes=classes)
    X = layout(X)
    solver = clone(OPTIONS[option])
    if "batch_size" in solver.get_params():
        solver.set_params(batch_size=BATCH)
    whole = LogisticRegression(C=np.inf, solver=solver, tol=None, max_iter=1).fit(X, y)
    streamed = LogisticRegression(C=np.inf, solver=solver)
    for X_chunk, y_chunk in chunks(X, y):
        streamed.partial_fit(X_chunk, y_chunk, classes=range(classes))
    assert_allclose(streamed.coef_, whole.coef_, rtol=1e-12, atol=1e-15)
    assert_allclose(streamed.intercept_, whole.intercept_, rtol=1e-12, atol=1e-15)
    assert streamed.n_iter_.tolist() == [5]
    assert np.isnan(streamed.suboptimality_)
    assert len(streamed.history_["epoch"]) == 0
    assert repr(streamed.solver_) == repr(solver)


def test_S_is_the_weight_seen_so_far():
    """sgd written out: w -= eta (w_i r_i x_i + alpha w), w_i = s_i n / S and alpha = 1 / (C S) of the rows seen."""
    X, y = data()
    s = np.random.default_rng(1).uniform(0, 3, len(y)) * (np.arange(len(y)) % 7 > 0)
    C, eta = 0.3, 0.05
    model = LogisticRegression(C=C, solver=solvers.SGD(eta, sampling="cyclic"))
    w, b, n, S = np.zeros(X.shape[1]), 0.0, 0, 0.0
    for X_chunk, y_chunk, s_chunk in chunks(X, y, s):
        model.partial_fit(X_chunk, y_chunk, classes=[0, 1], sample_weight=s_chunk)
        n, S = n + np.count_nonzero(s_chunk), S + s_chunk.sum()
        for i in np.flatnonzero(s_chunk):
            sign = 2 * y_chunk[i] - 1
            r = s_chunk[i] * n / S * -sign * expit(-sign * (X_chunk[i] @ w + b))
            w, b = w - eta * (r * X_chunk[i] + w / (C * S)), b - eta * r
    assert_allclose(model.coef_[0], w, rtol=1e-12)
    assert_allclose(model.intercept_[0], b, rtol=1e-12)


@pytest.mark.parametrize("targets", [1, 3])
def test_ridge_streams_one_and_several_targets(targets):
    X, _ = data()
    rng = np.random.default_rng(2)
    Y = X @ rng.standard_normal((6, targets)) + 3
    Y = Y[:, 0] if targets == 1 else Y
    model = Ridge(alpha=np.logspace(-3, 0, targets) if targets > 1 else 0.1, solver="minibatch", random_state=0)
    for _ in range(30):
        for X_chunk, Y_chunk in chunks(X, Y):
            model.partial_fit(X_chunk, Y_chunk)
    exact = Ridge(alpha=1e-10).fit(X, Y)
    assert model.coef_.shape == exact.coef_.shape
    assert np.shape(model.intercept_) == np.shape(exact.intercept_)
    assert np.isnan(model.suboptimality_).all()
    assert model.score(X, Y) > 0.9 * exact.score(X, Y)
    with pytest.raises(ValueError, match=f"y must have {targets} targets"):
        model.partial_fit(X, np.column_stack([Y, Y]))


@pytest.mark.parametrize("solver", STREAMING)
@pytest.mark.parametrize("cls", [LogisticRegression, RidgeClassifier])
def test_automatic_step_sizes_learn(cls, solver):
    X, y = data(2000, classes=3)
    X[np.arange(2000), y] += 2
    model = cls(solver=solver, random_state=0)
    labels = np.array(["a", "b", "c"])
    for _ in range(3):
        for X_chunk, y_chunk in chunks(X, y):
            model.partial_fit(X_chunk, labels[y_chunk], classes=labels)
    assert model.score(X, labels[y]) > 0.9 * cls().fit(X, labels[y]).score(X, labels[y])


@pytest.mark.parametrize("solver", STREAMING)
def test_a_larger_row_may_only_lower_an_automatic_step(solver):
    X, y = data()

    def step_size(scale):
        model = LogisticRegression(solver=solver, random_state=0).partial_fit(X, y, classes=[0, 1])
        return model.partial_fit(X * scale, y).step_size_

    assert step_size(0.01) == step_size(1.0)
    assert step_size(10.0) < 0.5 * step_size(1.0)


STREAMS = {  # chunks that ask for ever smaller steps than the first one
    "single rows after a batch": (solvers.MiniBatch(), [1000] + [1] * 300, lambda X: X),
    "heavier rows": (
        solvers.SGD(sampling="lipschitz"),
        [200, 200, 200],
        lambda X: X * np.repeat([1, 30, 1], 200)[:, None],
    ),
    "zeros first": (solvers.SGD(), [100, 100], lambda X: X * np.repeat([0, 1], 100)[:, None]),
    "aligned rows": (solvers.MiniBatch(), [256, 256, 256], lambda X: np.r_[X[:256], np.tile(X[:1], (512, 1))]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_automatic_step_sizes_suit_every_chunk(name):
    solver, sizes, change = STREAMS[name]
    rng = np.random.default_rng(0)
    X = change(rng.standard_normal((sum(sizes), 50)))
    y = X @ rng.standard_normal(50)
    model = Ridge(1e-3, solver=solver, random_state=0)
    for last in np.cumsum(sizes):
        size = sizes[np.searchsorted(np.cumsum(sizes), last)]
        model.partial_fit(X[last - size : last], y[last - size : last])
    assert model.score(X, y) > 0  # better than a constant


def test_a_changed_solver_starts_anew_from_the_last_iterate():
    X, y = data()
    model = LogisticRegression(solver="sgd", step_size=0.1, random_state=0).partial_fit(X, y, classes=[0, 1])
    for changed in (
        dict(solver="adam"),
        dict(solver="rmsprop", step_size="auto"),
        dict(solver=solvers.Adam(amsgrad=True)),
        dict(solver=solvers.SGD(momentum=0.9)),
        dict(solver=solvers.SGD(average=True)),
        dict(solver="minibatch", step_size=solvers.InverseScaling(), batch_size="adaptive"),
    ):
        model.set_params(step_size="auto", batch_size="auto").set_params(**changed)
        before = model.coef_.copy()
        model.partial_fit(X, y)
        assert np.all(np.isfinite(model.coef_))
        assert not np.array_equal(model.coef_, before)
        assert model.n_iter_ == [1]  # of this solver
    still = LogisticRegression(solver=solvers.SGD(1e-12)).partial_fit(X, y, classes=[0, 1])
    still._stream.theta[:] = 1.0
    still.set_params(solver=solvers.MiniBatch(1e-12)).partial_fit(X, y)
    assert_allclose(still.coef_, 1.0)


@pytest.mark.parametrize("batch_size", [solvers.GeometricBatch(100, rate=1.0), solvers.AdaptiveBatch(100)])
def test_a_small_chunk_does_not_shrink_a_growing_batch(batch_size):
    X, y = data(600)
    model = LogisticRegression(solver="minibatch", step_size=0.1, batch_size=batch_size)
    for last, size in ((256, 256), (261, 5), (262, 1), (562, 300)):
        model.partial_fit(X[last - size : last], y[last - size : last], classes=[0, 1])
    assert model._stream.state.batch >= 100


def test_solvers_that_need_all_rows_have_no_partial_fit():
    for name in SOLVERS:
        assert hasattr(LogisticRegression(solver=name), "partial_fit") == (name in STREAMING)
        assert hasattr(Ridge(solver=SOLVERS[name]()), "partial_fit") == (name in STREAMING)
    with pytest.raises(AttributeError, match="partial_fit") as error:
        RidgeClassifier(solver="sag").partial_fit  # noqa: B018
    assert "needs one of the solvers ['sgd', 'minibatch'" in str(error.value.__cause__)


def fitted():
    X, y = data()
    return LogisticRegression(solver="adam", random_state=0).partial_fit(X, y, classes=[0, 1])


BAD_CALLS = {
    "no classes": (lambda m, X, y: clone(m).partial_fit(X, y), "classes must be passed"),
    "one class": (lambda m, X, y: clone(m).partial_fit(X, y, classes=[1]), "at least 2 classes"),
    "other classes": (lambda m, X, y: m.partial_fit(X, y, classes=[0, 2]), "not the same"),
    "unknown label": (lambda m, X, y: m.partial_fit(X, y + 5), "label 5, which is not one of the classes"),
    "other columns": (lambda m, X, y: m.partial_fit(X[:, 1:], y), "features"),
    "nan": (lambda m, X, y: m.partial_fit(X * np.nan, y), "NaN"),
    "negative weight": (lambda m, X, y: m.partial_fit(X, y, sample_weight=-np.ones(len(y))), "negative"),
    "zero weights": (lambda m, X, y: m.partial_fit(X, y, sample_weight=np.zeros(len(y))), "at least one"),
    "sparse": (lambda m, X, y: m.partial_fit(sp.csr_array(X), y), "all sparse or all dense"),
    "balanced": (
        lambda m, X, y: m.set_params(class_weight="balanced").partial_fit(X, y),
        "class_weight='balanced' needs all rows",
    ),
    "absurd": (lambda m, X, y: m.partial_fit(X * 1e200, y), "too large for float64"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_refused_chunk_leaves_the_estimator_as_it_was(name):
    call, message = BAD_CALLS[name]
    X, y = data()
    model, twin = fitted(), fitted()
    with pytest.raises(ValueError, match=message):
        call(model, X, y)
    model.set_params(class_weight=None)
    assert_array_equal(model.partial_fit(X, y).coef_, twin.partial_fit(X, y).coef_)


def test_a_diverging_chunk_leaves_the_estimator_as_it_was():
    X, y = data()
    model = Ridge(solver="sgd", step_size=0.01, random_state=0).partial_fit(X, y)
    before = model.coef_.copy()
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="SGD diverged"):
        model.set_params(step_size=1e300).partial_fit(X, y)
    assert_array_equal(model.coef_, before)
    twin = Ridge(solver="sgd", step_size=0.01, random_state=0).partial_fit(X, y).partial_fit(X, y)
    assert_array_equal(model.set_params(step_size=0.01).partial_fit(X, y).coef_, twin.coef_)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_pickle_between_chunks_changes_nothing(option):
    X, y = data()
    model = LogisticRegression(solver=OPTIONS[option], random_state=0).partial_fit(X, y, classes=[0, 1])
    copy = pickle.loads(pickle.dumps(model))
    assert_array_equal(copy.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


def test_class_weight_and_zero_weight_are_sample_weight():
    X, y = data()
    weight = np.where(y == 1, 3.0, 1.0)
    one = LogisticRegression(solver="sgd", step_size=0.1, class_weight={0: 1, 1: 3}, random_state=0)
    other = LogisticRegression(solver="sgd", step_size=0.1, random_state=0)
    assert_allclose(
        one.partial_fit(X, y, classes=[0, 1]).coef_,
        other.partial_fit(X, y, classes=[0, 1], sample_weight=weight).coef_,
        rtol=1e-12,
    )


def test_partial_fit_goes_on_from_a_fit():
    X, y = data()
    model = LogisticRegression(solver=solvers.SGD(1e-12), tol=None, max_iter=1)
    model.fit(X, y)
    model.coef_ += 1.0
    model.partial_fit(X, y)
    assert_allclose(model.coef_, 1.0, atol=1e-6)  # steps of 1e-12 leave it where it was
    again = model.fit(X, y)
    assert np.abs(again.coef_).max() < 1e-6  # fit starts anew


def test_float32_rows_keep_float64_state():
    X, y = data()
    model = LogisticRegression(solver="adam", random_state=0)
    exact = LogisticRegression(solver="adam", random_state=0)
    for _ in range(20):
        model.partial_fit(X.astype(np.float32), y, classes=[0, 1])
        exact.partial_fit(X.astype(np.float32).astype(np.float64), y, classes=[0, 1])
    assert model.coef_.dtype == np.float32
    assert_array_equal(model.coef_, exact.coef_.astype(np.float32))
