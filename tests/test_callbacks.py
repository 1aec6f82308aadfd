"""scikit-learn's callbacks: what they see of every solver's fit, and that they may stop it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skvr import LogisticRegression, Ridge, RidgeClassifier
from skvr.solvers import SOLVERS

callback = pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")


def data(classes=2):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    return X, (X[:, 0] + rng.standard_normal(60) > 0).astype(int) + (classes == 3) * (X[:, 1] > 0)


class Recorder:
    """Keeps what every hook is given; asks to stop after the epoch `stop`, and raises after `fail`."""

    def __init__(self, stop=None, fail=None):
        self.stop, self.fail = stop, fail
        self.events, self.models = [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.events.append(f"begin {context.task_name}")
        self.max_subtasks = context.max_subtasks if context.task_name == "fit" else self.max_subtasks

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.X, self.y, self.metadata = X, y, metadata
        if context.task_name == "epoch":
            self.models.append(fitted_estimator)
            if context.task_id + 1 == self.fail:
                raise RuntimeError("from the callback")
            return context.task_id + 1 == self.stop
        return False

    def teardown(self, estimator, context):
        self.events.append("teardown")


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge, RidgeClassifier])
def test_a_callback_sees_every_epoch(cls, solver):
    X, y = data(3)
    recorder = Recorder()
    model = cls(solver=solver, tol=None, max_iter=3, random_state=0).set_callbacks(recorder).fit(X, y)
    epochs = ["begin epoch", "end epoch"] * 3
    assert recorder.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert recorder.max_subtasks == 3
    assert_array_equal(recorder.y, y)
    for k, seen in enumerate(recorder.models, start=1):
        alone = clone(model).set_params(max_iter=k)
        alone.set_callbacks()
        assert_allclose(seen.predict(X), alone.fit(X, y).predict(X), rtol=1e-12)
        assert seen.coef_.shape == model.coef_.shape
        assert np.shape(seen.intercept_) == np.shape(model.intercept_)
    assert_array_equal(recorder.models[-1].coef_, model.coef_)
    assert len(model.history_["epoch"]) == 3
    assert not hasattr(model, "_callback_fit_ctx")


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_callback_may_stop_the_fit(solver):
    X, y = data()
    model = LogisticRegression(solver=solver, tol=1e-20, max_iter=100, random_state=0).set_callbacks(Recorder(stop=2))
    model.fit(X, y)  # and no warning: it ended as asked
    assert model.n_iter_.tolist() == [2]
    assert model.suboptimality_ > 0


@pytest.mark.parametrize("cls", [LogisticRegression, Ridge, RidgeClassifier])
def test_an_exception_in_a_callback_leaves_the_estimator_as_it_was(cls):
    X, y = data()
    model = cls(solver="sag", random_state=0).fit(X, y)
    before = dict(vars(model))
    recorder = Recorder(fail=2)
    model.set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="from the callback"):
        model.fit(X * 2, y)
    model.set_callbacks()
    assert vars(model) == before
    assert recorder.events[-1] == "teardown"


def test_targets_and_weights_come_as_the_user_wrote_them():
    X, y = data()
    labels, weight = np.array(["no", "yes"])[y], np.linspace(1, 2, len(y))
    recorder = Recorder()
    model = LogisticRegression(solver="svrg", tol=None, max_iter=1, class_weight={"no": 2, "yes": 1})
    model.set_callbacks(recorder).fit(X, labels, sample_weight=weight)
    assert_array_equal(recorder.y, labels)
    assert_array_equal(recorder.metadata["sample_weight"], weight)
    assert set(recorder.models[0].predict(X)) <= {"no", "yes"}
    Y = np.column_stack([y, 1.0 - y])
    Ridge(solver="gd", tol=None, max_iter=1).set_callbacks(recorder).fit(X, Y)
    assert_array_equal(recorder.y, Y)
    assert recorder.metadata is None


def test_the_scoring_monitor_follows_a_fit():
    X, y = data()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = LogisticRegression(solver="saga", tol=None, max_iter=5, random_state=0).set_callbacks(monitor).fit(X, y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 5
    assert scores[-1] == model.score(X, y)


def test_the_progress_bar_runs(capsys):
    pytest.importorskip("rich", reason="the bar is drawn by rich")
    X, y = data()
    LogisticRegression(solver="saga", tol=None, max_iter=5).set_callbacks(callback.ProgressBar()).fit(X, y)
    assert "LogisticRegression" in capsys.readouterr().out


def test_a_callback_changes_nothing_and_survives_clone():
    X, y = data()
    model = Ridge(solver="sgd", random_state=0, tol=None, max_iter=7)
    watched = clone(model).set_callbacks(Recorder())
    assert_array_equal(watched.fit(X, y).coef_, model.fit(X, y).coef_)
