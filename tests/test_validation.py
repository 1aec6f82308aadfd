"""Promise 7: bad input gets a clear error; a failed fit leaves the estimator as it was."""

from contextlib import nullcontext

import numpy as np
import pytest
import scipy.sparse as sp

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers
from skvr.solvers import SOLVERS

ESTIMATORS = [LogisticRegression, Ridge, RidgeClassifier]


def data(n=30, p=4):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, p)), rng.integers(0, 2, n)


def broken(attribute, value, fmt="csr"):
    """A sparse matrix whose index arrays were changed after construction, as a bug elsewhere may do."""
    X = sp.random(30, 4, density=0.5, format=fmt, random_state=0)
    array = getattr(X, attribute).copy()
    if callable(value):
        array = value(array)
    setattr(X, attribute, array)
    return X


def at(position, value):
    def change(array):
        array[position] = value
        return array

    return change


CORRUPTED = {
    "column too large": (broken("indices", at(3, 4)), "column index 4"),
    "column negative": (broken("indices", at(3, -1)), "column index -1"),
    "row too large": (broken("indices", at(3, 30), "csc"), "row index 30"),
    "indptr decreases": (broken("indptr", at(5, 0)), "must not decrease"),
    "indptr too short": (broken("indptr", lambda a: a[:-1]), "shape \\(31,\\)"),
    "indptr starts late": (broken("indptr", at(0, 1)), "must run from 0"),
    "indptr ends late": (broken("indptr", at(-1, 1000)), "must run from 0"),
    "data too short": (broken("data", lambda a: a[:-1]), "equally long"),
    "coo row": (broken("row", at(0, 77), "coo"), "row index 77"),
    "coo column": (broken("col", at(0, -2), "coo"), "column index -2"),
    "coo data too short": (broken("data", lambda a: a[:-1], "coo"), "equally long"),
    "coo row too short": (broken("row", lambda a: a[:-1], "coo"), "equally long"),
}


@pytest.mark.parametrize("name", CORRUPTED)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_corrupted_sparse_structure_is_refused(cls, name):
    X, message = CORRUPTED[name]
    y = data()[1]
    with pytest.raises(ValueError, match=message):
        cls().fit(X, y)
    fitted = cls().fit(*data())
    if name != "indptr too short":
        with pytest.raises(ValueError, match=message):
            fitted.predict(X)


@pytest.mark.parametrize("cls", [LogisticRegression, RidgeClassifier])
def test_a_class_without_weight_is_named(cls):
    X, y = data()
    labels = np.array(["cat", "dog"])[y]
    with pytest.raises(ValueError, match=r"Class 'dog' has no row of positive weight"):
        cls().fit(X, labels, sample_weight=(y == 0).astype(float))
    with pytest.raises(ValueError, match=r"Class 'dog' has no row of positive weight"):
        cls(class_weight={"cat": 1, "dog": 0}).fit(X, labels)
    with pytest.raises(ValueError, match=r"class_weight\['dog'\] must be a number in \[0, inf\), got -1"):
        cls(class_weight={"cat": 1, "dog": -1}).fit(X, labels)
    with pytest.raises(ValueError, match="holds one class"):
        cls().fit(X, np.zeros(len(y)))


BAD_PARAMETERS = [
    ({"solver": "lbfgs"}, ValueError, "solver must be one of"),
    ({"solver": 3}, TypeError, "solver must be one of"),
    ({"solver": solvers.SAG}, TypeError, "solver must be one of"),
    ({"solver": "sag", "step_size": 0}, ValueError, "step_size must be a positive number"),
    ({"solver": "sag", "step_size": np.nan}, ValueError, "step_size"),
    ({"solver": "sag", "step_size": np.inf}, ValueError, "step_size"),
    ({"solver": "adam", "step_size": "line-search"}, ValueError, "step_size must be a positive number, one of"),
    ({"solver": "sag", "step_size": [0.1]}, TypeError, "step_size"),
    ({"solver": "sag", "batch_size": 4}, ValueError, "takes no batch_size"),
    ({"solver": "svrg", "batch_size": 0}, ValueError, "batch_size must be a positive integer"),
    ({"solver": "svrg", "batch_size": 2.5}, ValueError, "batch_size must be a positive integer"),
    ({"solver": "svrg", "batch_size": "all"}, ValueError, "batch_size must be a positive integer"),
    ({"step_size": 0.1}, ValueError, "solver='sag', step_size=0.1"),
    ({"batch_size": 8}, ValueError, "solver='minibatch', batch_size=8"),
    ({"solver": solvers.Adam(), "step_size": 0.1}, ValueError, r"solver=solvers.Adam\(step_size=0.1\)"),
    ({"solver": solvers.SVRG(inner_length=0)}, ValueError, "inner_length"),
    ({"solver": solvers.Adam(beta_1=1.0)}, ValueError, r"beta_1 must be a number in \[0, 1\)"),
    ({"solver": solvers.Adagrad(epsilon=0)}, ValueError, "epsilon"),
    ({"solver": solvers.Adadelta(rho=-0.1)}, ValueError, "rho"),
    ({"solver": solvers.RMSprop(gamma="0.9")}, TypeError, "gamma"),
    ({"solver": solvers.LBFGS(memory=-1)}, ValueError, "memory must be a non-negative integer or 'auto', got -1"),
    ({"solver": solvers.LBFGS(memory=2.5)}, TypeError, "memory must be a non-negative integer or 'auto', got 2.5"),
    ({"solver": solvers.LBFGS(memory="all")}, ValueError, "memory must be a non-negative integer or 'auto', got 'all'"),
    ({"solver": solvers.SAG(initial_table="ones")}, ValueError, "initial_table"),
    ({"tol": -1.0}, ValueError, r"tol must be a number in \[0"),
    ({"tol": "tight"}, TypeError, "tol"),
    ({"max_iter": 0}, ValueError, "max_iter must be an integer in"),
    ({"max_iter": 10.0}, TypeError, "max_iter"),
    ({"fit_intercept": "yes"}, TypeError, "fit_intercept must be True or False"),
    ({"warm_start": 1}, TypeError, "warm_start must be True or False"),
    ({"n_jobs": 0}, ValueError, "n_jobs"),
    ({"verbose": -1}, ValueError, "verbose"),
    ({"random_state": "seed"}, ValueError, "seed"),
]


@pytest.mark.parametrize(("parameters", "error", "message"), BAD_PARAMETERS, ids=lambda v: str(v)[:40])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_bad_parameters_are_refused(cls, parameters, error, message):
    model = cls(**parameters)
    before = dict(vars(model))
    with pytest.raises(error, match=message):
        model.fit(*data())
    assert vars(model) == before


@pytest.mark.parametrize("C", [0, -1.0, np.nan, "1", None])
def test_bad_C_is_refused(C):
    with pytest.raises((ValueError, TypeError), match="C must be a number"):
        LogisticRegression(C=C).fit(*data())


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf, "1", [1.0, 2.0], [[1.0]], [-1.0]])
def test_bad_alpha_is_refused(alpha):
    with pytest.raises((ValueError, TypeError), match="alpha must be"):
        Ridge(alpha=alpha).fit(*data())


EXTREMES = {
    "1e-300": lambda X: X * 1e-300,
    "1e100": lambda X: X * 1e100,
    "1e-8 and 1e8": lambda X: X * [1e-8, 1e8, 1, 1],
    "large mean": lambda X: X + 1e8,
    "zeros": lambda X: X * 0,
    "zero column": lambda X: X * [0, 1, 1, 1],
    "constant column": lambda X: np.c_[X, np.full(len(X), 1e6)],
    "duplicated columns": lambda X: np.c_[X, X],
    "one row twice": lambda X: np.repeat(X[:1], len(X), axis=0),
    "one column": lambda X: X[:, :1],
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_data_end_in_finite_coefficients_that_lower_the_objective(name, solver, layout):
    X, y = data()
    X = EXTREMES[name](X)
    for model in (LogisticRegression(solver=solver, max_iter=40, random_state=0), Ridge(solver=solver, random_state=0)):
        model.set_params(max_iter=40)
        model.fit(layout(X), y)
        assert np.all(np.isfinite(model.coef_))
        start = np.log(2) if isinstance(model, LogisticRegression) else 0.5 * np.mean(y**2)
        assert model.history_["objective"][-1] <= start * (1 + 1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "auto"])
@pytest.mark.parametrize("step_size", [1e-300, 1e300])
def test_absurd_step_sizes_end_in_an_error_or_a_warning(solver, step_size):
    X, y = data()
    model = Ridge(solver=solver, step_size=step_size, max_iter=30, random_state=0)
    before = dict(vars(model))
    diverges = step_size > 1
    with pytest.raises(ValueError, match=r"diverged.* 1/L") if diverges else nullcontext():
        model.fit(X, y)
    if diverges:
        assert vars(model) == before
    else:
        assert np.all(np.isfinite(model.coef_))


@pytest.mark.parametrize("scale", [1e-300, 1e250])
def test_only_the_ratios_of_weights_count(scale):
    """A tiny or huge sum of weights is no reason to fail where the objective is well scaled."""
    X, y = data()
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    expected = LogisticRegression(C=2.0, tol=1e-12).fit(X, y, weight)
    model = LogisticRegression(C=2.0 / scale, tol=1e-12).fit(X, y, weight * scale)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)


def test_a_penalty_beyond_float64_is_an_error():
    X, y = data()
    with pytest.raises(ValueError, match="too small for float64"):
        LogisticRegression(C=1e-300).fit(X, y, np.full(len(y), 1e-300))
    with pytest.raises(ValueError, match="too large for float64"):
        Ridge(alpha=1e300).fit(X, y, np.full(len(y), 1e-300))
    with pytest.raises(ValueError, match="squares of y"):
        Ridge().fit(X, y * 1e200)
