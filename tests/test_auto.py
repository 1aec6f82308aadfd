"""`auto`: which solver it takes, that it says so, and that the estimators remember it."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from skvr import LogisticRegression, Ridge
from skvr.solvers import LBFGS, SDCA, Auto

HESSIAN, DIAGONAL, PLAIN, DUAL = map(str, (LBFGS(), LBFGS("diagonal"), LBFGS("none"), SDCA()))


def chosen(n, p, loss="logistic", K=1, values=None, squared_norm=0.0, alpha=1.0):
    """Return the solver that `auto` chooses by these numbers, as a string."""
    problem = SimpleNamespace(
        X=SimpleNamespace(size=n * p if values is None else values, shape=(n, p)),
        is_sparse=False,
        n_samples=n,
        n_features=p,
        n_outputs=K,
        loss=loss,
        alpha=np.full(K, alpha),
        weight=np.ones(n),
        squared_row_norms=np.full(n, squared_norm),
    )
    solver, reason = Auto().choose(problem)
    assert solver.get_params() == Auto().resolve(problem).get_params()
    assert reason
    return str(solver)


BY_SIZE = [
    (1, 1, {}, HESSIAN),
    # LBFGS with a Hessian: p + 1 <= 1000, or p + 1 <= 3000 and n
    (11, 999, {}, HESSIAN),
    (1001, 1000, {}, HESSIAN),
    (5000, 2999, {}, HESSIAN),
    (5000, 2999, {"loss": "softmax", "K": 3}, HESSIAN),
    (5000, 3000, {}, DUAL),
    (5000, 3000, {"loss": "softmax", "K": 3}, PLAIN),
    (5000, 3000, {"loss": "squared", "K": 3}, PLAIN),
    # or (p + 1)^2 at most a twentieth of the values
    (5000, 3999, {"values": 20 * 4000**2}, HESSIAN),
    (5000, 3999, {"values": 20 * 4000**2 - 1}, DUAL),
    # or dense rows fewer than the columns: n <= 1000, or n^2 at most a twentieth of the values
    (11, 200, {}, HESSIAN),
    (11, 1000, {}, HESSIAN),
    (11, 1000, {"alpha": 0.0}, PLAIN),
    (1000, 1000, {}, HESSIAN),
    (1000, 5000, {}, HESSIAN),
    (1001, 1001, {}, DUAL),
    (1001, 20 * 1001, {}, HESSIAN),
    (1001, 20 * 1001 - 1, {}, DUAL),
    (666, 1000, {"loss": "softmax", "K": 3}, HESSIAN),
    (667, 1000, {"loss": "softmax", "K": 3}, PLAIN),
    (1000, 1000, {"loss": "squared", "K": 3}, HESSIAN),
    # LBFGS in scaled columns: at most 32 values a row
    (5000, 3000, {"values": 32 * 5000}, DIAGONAL),
    (5000, 3000, {"values": 32 * 5000, "loss": "softmax", "K": 3}, DIAGONAL),
    (5000, 3000, {"values": 32 * 5000, "alpha": 0.0}, DIAGONAL),
    (5000, 3000, {"values": 32 * 5000 + 1}, DUAL),
    (5000, 900, {"values": 5000}, HESSIAN),
    # SDCA: c ||x||^2 <= 100 n alpha
    (5000, 3999, {"alpha": 2.0**-10, "squared_norm": 4 * 500_000 / 2**10}, DUAL),
    (5000, 3999, {"alpha": 2.0**-10, "squared_norm": 4 * 500_001 / 2**10}, PLAIN),
    (5000, 3999, {"alpha": 2.0**-10, "squared_norm": 500_000 / 2**10, "loss": "squared"}, DUAL),
    (5000, 3999, {"alpha": 2.0**-10, "squared_norm": 500_001 / 2**10, "loss": "squared"}, PLAIN),
    (5000, 3999, {"alpha": 0.0}, PLAIN),
]


@pytest.mark.parametrize(("n", "p", "options", "expected"), BY_SIZE)
def test_auto_chooses_by_size(n, p, options, expected):
    assert chosen(n, p, **options) == expected


def fitted(n, p, density=1.0, C=1.0, n_classes=2, **parameters):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) if density == 1 else sp.random_array((n, p), density=density, rng=rng, format="csr")
    return LogisticRegression(C=C, random_state=0, **parameters).fit(X, np.arange(n) % n_classes)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"n": 1500, "p": 90}, HESSIAN),
        ({"n": 60, "p": 1200, "density": 0.01}, DIAGONAL),
        ({"n": 60, "p": 1200, "density": 0.1}, DUAL),
        ({"n": 60, "p": 1200, "C": 1e6}, HESSIAN),
        ({"n": 60, "p": 1200, "C": 1e6, "n_classes": 3}, HESSIAN),
        ({"n": 60, "p": 1200, "density": 0.1, "C": 1e6}, PLAIN),
        ({"n": 60, "p": 1200, "density": 0.1, "n_classes": 3}, PLAIN),
        ({"n": 60, "p": 1200, "density": 0.1, "C": np.inf, "tol": None, "max_iter": 3}, PLAIN),
    ],
)
def test_the_estimator_says_which_solver_ran_and_why(options, expected, capsys):
    model = fitted(verbose=1, **options)
    assert str(model.solver_) == expected
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(f"auto: {expected}, since ")
    assert len(first) > len(f"auto: {expected}, since ") + 10
    assert all(line.startswith("epoch") for line in others)
    assert len(others) == model.n_iter_[0]
    if model.tol is not None:
        assert model.suboptimality_ <= model.tol
    again = fitted(solver=model.solver_, verbose=1, **options)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    assert "auto" not in capsys.readouterr().out  # a solver that was asked for needs no reason


def test_no_dual_method_without_a_penalty():
    """Of rows of zeros the penalty is strong enough even where it is none."""
    X, y = np.zeros((60, 1200)), np.arange(60) % 2
    for model in (LogisticRegression(C=np.inf).fit(X, y), Ridge(alpha=0).fit(X, y)):
        assert str(model.solver_) == PLAIN
        np.testing.assert_array_equal(model.coef_, 0)
