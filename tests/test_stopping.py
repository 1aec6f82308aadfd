"""The one stopping rule: tol, max_iter, history, warnings, errors, interrupts."""

import os

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skvr import LogisticRegression, Ridge
from skvr.solvers import SOLVERS

SUBLINEAR = ["sgd", "minibatch", "adagrad", "rmsprop", "adadelta", "adam"]


def scaled_breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_tol_every_epoch_is_run_and_recorded(solver):
    X, y = scaled_breast_cancer()
    model = LogisticRegression(solver=solver, tol=None, max_iter=7, random_state=0).fit(X, y)
    assert model.n_iter_.tolist() == [7]
    assert model.n_iter_.dtype == np.int32
    assert model.history_["epoch"].tolist() == list(range(1, 8))
    table = pd.DataFrame(model.history_)
    assert len(table) == 7
    assert table["objective"].iloc[-1] < np.log(2)
    assert (table[["passes", "seconds", "evaluation_passes", "evaluation_seconds"]].diff().dropna() > 0).all(axis=None)


def test_passes_count_snapshots_and_tables():
    X, y = scaled_breast_cancer()

    def passes(**parameters):
        return LogisticRegression(tol=None, max_iter=4, random_state=0, **parameters).fit(X, y).history_["passes"]

    assert passes(solver="sgd").tolist() == [1, 2, 3, 4]
    assert passes(solver="sag").tolist() == [1, 2, 3, 4]
    assert passes(solver="saga").tolist() == [2, 3, 4, 5]  # the first table
    assert passes(solver="svrg").tolist() == [2, 3, 5, 6]  # a snapshot every second epoch


@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-12])
@pytest.mark.parametrize("solver", ["auto", "gd", "sag", "saga", "svrg"])
def test_tol_is_certified(solver, tol):
    X, y = scaled_breast_cancer()
    model = LogisticRegression(C=0.1, solver=solver, tol=tol, max_iter=20_000, random_state=0).fit(X, y)
    best = LogisticRegression(C=0.1, tol=1e-20).fit(X, y).history_["objective"][-1]
    assert model.suboptimality_ <= tol
    assert (model.history_["objective"][-1] - best) / best <= tol + 1e-14
    assert model.history_["bound"][-1] / model.history_["objective"][-1] == pytest.approx(model.suboptimality_)


@pytest.mark.parametrize("solver", ["sag", "saga", "svrg", "gd"])
def test_few_evaluations_are_spent(solver):
    """Evaluations cost a pass each: they are spaced, and the solver's own estimate calls for the last ones."""
    X, y = scaled_breast_cancer()
    model = LogisticRegression(solver=solver, tol=1e-10, max_iter=20_000, random_state=0).fit(X, y)
    assert model.history_["evaluation_passes"][-1] < 0.15 * model.n_iter_[0] + 10
    wasteful = LogisticRegression(solver=solver, tol=None, max_iter=int(model.n_iter_[0]), random_state=0).fit(X, y)
    first = np.flatnonzero(wasteful.history_["bound"] <= 1e-10 * wasteful.history_["objective"])[0] + 1
    assert model.n_iter_[0] <= 1.1 * first + 3


@pytest.mark.parametrize("solver", [name for name in SUBLINEAR if name != "adagrad"])  # its F falls on and on
def test_sublinear_methods_stop_when_the_objective_stops_falling(solver):
    X, y = make_classification(2000, 5, random_state=0)
    model = LogisticRegression(solver=solver, step_size=0.5, tol=1e-9, max_iter=5000, random_state=0)
    with pytest.warns(ConvergenceWarning, match="has stopped falling|max_iter"):
        model.fit(X, y)
    assert model.n_iter_[0] < 5000


def test_tol_zero_ends_at_rounding_level():
    X, y = load_diabetes(return_X_y=True)
    for solver in ("auto", "sag"):
        model = Ridge(alpha=0.1, solver=solver, tol=0, max_iter=100_000, random_state=0)
        try:
            with pytest.warns(ConvergenceWarning, match="rounding"):
                model.fit(X, y)
        except pytest.fail.Exception:  # exactly zero within rounding: no reason to warn
            assert model.suboptimality_ == 0
        assert model.suboptimality_ < 1e-24
        assert model.n_iter_[0] < 100_000


def test_without_a_penalty_the_relative_gradient_decides():
    X, y = load_diabetes(return_X_y=True)
    expected = np.linalg.lstsq(np.c_[X, np.ones(len(y))], y, rcond=None)[0][:-1]
    model = Ridge(alpha=0, tol=1e-12).fit(X, y)
    assert np.isnan(model.suboptimality_)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-8)
    epochs = set()
    for scale in (1.0, 1e4, 1e-3):  # the rule is free of the scale of y
        model = Ridge(alpha=0, solver="gd", tol=1e-2).fit(StandardScaler().fit_transform(X), scale * (y - y.mean()))
        epochs.add(int(model.n_iter_[0]))
    assert len(epochs) == 1


def test_separable_data_without_a_penalty_have_no_optimum():
    X, y = load_iris(return_X_y=True)
    for target in (y > 0, y[y < 2]):
        rows = slice(0, len(target))
        with pytest.warns(ConvergenceWarning, match="no finite optimum"):
            model = LogisticRegression(C=np.inf).fit(X[rows], target)
        assert np.all(np.isfinite(model.coef_))
        assert model.score(X[rows], target) == 1.0


def test_data_that_are_not_separable_have_one_without_a_penalty():
    X, y = scaled_breast_cancer()
    X = X[:, :3]
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    weak = LogisticRegression(C=1e12, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(model.coef_, weak.coef_, rtol=1e-6)
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(X[50:, :2], np.arange(100) % 3)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(model.intercept_.sum(), 0, atol=1e-12)


ADVICE = [  # parameters, scale of the columns, what the warning says
    ({"solver": "sag", "max_iter": 3}, 1.0, "Increase max_iter"),
    ({"solver": "sag", "max_iter": 3}, [1e4, 1, 1, 1], "column 0 is the largest"),
    ({"solver": "sag", "step_size": 1e-9, "max_iter": 5}, 1.0, "too small"),
    ({"solver": "gd", "step_size": 3.0, "max_iter": 5}, 1.0, "too large"),
    ({"solver": "adam", "max_iter": 3}, 1.0, "sublinearly"),
]


@pytest.mark.parametrize(("parameters", "scale", "message"), ADVICE)
def test_the_warning_names_the_bound_the_cause_and_a_remedy(parameters, scale, message):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X) * scale
    with pytest.warns(ConvergenceWarning, match=r"suboptimality of \d.*" + message) as record:
        LogisticRegression(random_state=0, **parameters).fit(X, y)
    assert record[0].filename == __file__


def test_divergence_is_an_error_that_names_the_step_size_and_L():
    X, y = load_diabetes(return_X_y=True)
    model = Ridge().fit(X, y)
    model.set_params(solver="gd", step_size=1e3, max_iter=10_000)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"step size is 1e\+03, and 1/L = .* L = max_i L_i"):
        model.fit(X, y)
    assert vars(model) == before


def test_verbose_prints_a_line_per_epoch(capsys):
    X, y = load_iris(return_X_y=True)
    LogisticRegression(solver="sag", tol=None, max_iter=120, verbose=1, random_state=0).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 120
    for word in ("epoch", "passes", "seconds", "objective", "bound", "step size"):
        assert len({line.index(word) for line in lines}) == 1  # aligned, whatever the digits


@pytest.mark.skipif(os.name != "posix", reason="pthread_kill raises Ctrl-C in the main thread on POSIX only")
@pytest.mark.parametrize("solver", ["auto", "gd", "sgd", "sag", "svrg", "minibatch", "adam"])
def test_ctrl_c_ends_a_fit_within_a_second_and_changes_nothing(solver, ctrl_c):
    """One epoch here takes seconds, or the fit that ends by itself: the look is between slices."""
    rng = np.random.default_rng(0)
    classes = 10 if solver == "auto" else 2
    X, y = rng.standard_normal((40_000, 1200)).astype(np.float32), rng.integers(0, classes, 40_000)
    model = (
        LogisticRegression(solver=solver, tol=None, max_iter=1000, random_state=0).fit(X[:50], y[:50])
        if (solver != "auto")
        else LogisticRegression(tol=1e-30, max_iter=1000)
    )
    before = dict(vars(model))
    with ctrl_c(after=1.0):
        model.fit(X, y)
    assert vars(model) == before
    model.set_params(max_iter=1, tol=None).fit(X[:100], y[:100])


@pytest.mark.parametrize("cls", [LogisticRegression, Ridge])
def test_warm_start_continues_where_the_last_fit_ended(cls):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = cls(solver="sag", tol=1e-8, max_iter=10_000, random_state=0, warm_start=True).fit(X, y)
    first = int(model.n_iter_[0])
    model.fit(X, y)
    assert model.n_iter_[0] <= 3 < first
    model.set_params(warm_start=False).fit(X, y)
    assert model.n_iter_[0] == first
    with pytest.raises(ValueError, match="The last fit's coef_, where this one is to start"):
        model.set_params(warm_start=True).fit(X[:, :5], y)
