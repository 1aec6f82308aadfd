"""Promise 7, attacked: no input crashes, ends in nan, or gives a wrong answer without a warning.

Every attack is met by every estimator with every solver, on dense and on sparse rows. A fixed share of this product, an
eighth or a fourth, runs by default; `pytest -m exhaustive` runs the rest.
"""

import re
from fractions import Fraction
from zlib import crc32

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import assert_right_or_warned
from sklearn.base import clone

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers
from skvr._validation import canonical
from skvr.solvers import SOLVERS

ESTIMATORS = [LogisticRegression, Ridge, RidgeClassifier]
OBJECTS = [solvers.Newton(), solvers.LBFGS(), solvers.LBFGS("none"), solvers.PreconditionedSVRG()]
ALL_SOLVERS = [*SOLVERS, *OBJECTS, solvers.SDCA()]
STREAMING = ["sgd", "minibatch", "adagrad", "rmsprop", "adadelta", "adam"]
LAYOUTS = {"dense": lambda X: X, "csr": sp.csr_matrix, "csc": sp.csc_array}


def thinned(cases, keep):
    """Mark all but about one in `keep` of the cases, chosen by a hash of their names, as `exhaustive`."""
    params = []
    for case in cases:
        name = "-".join(getattr(part, "__name__", str(part)) for part in case)
        name = re.sub(" at 0x[0-9a-fA-F]+", "", name)  # another in every process
        marks = () if crc32(name.encode()) % keep == 0 else pytest.mark.exhaustive
        params.append(pytest.param(*case, marks=marks, id=name))
    return params


def data(n=30, p=4, classes=2):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, p)), rng.permutation(np.arange(n) % classes)


def put(value, at=1):
    """Return a function that copies an array as float64 with `value` in it."""

    def change(array):
        array = np.array(array, dtype=np.float64)
        array.flat[at] = value
        return array

    return change


def of_X(change):
    return lambda X, y: (change(X), y, None)


def of_y(change):
    return lambda X, y: (X, change(y), None)


def of_weight(change):
    return lambda X, y: (X, y, change(np.ones(len(y))))


def column(value, j=1):
    def change(X):
        X = X.copy()
        X[:, j] = value
        return X

    return change


def times_column(factor, j=1):
    return lambda X: X * np.where(np.arange(X.shape[1]) == j, factor, 1.0)


# What must be refused: the attack, and what the error says. Rows are made sparse where the attack leaves them a table.
REFUSED = {
    "nan in X": (of_X(put(np.nan)), "X contains NaN"),
    "inf in X": (of_X(put(np.inf)), "X contains infinity"),
    "-inf in X": (of_X(put(-np.inf)), "X contains infinity"),
    "longdouble beyond float64": (of_X(lambda X: X.astype(np.longdouble) * np.longdouble("1e310")), "X contains inf"),
    "squares of X overflow": (of_X(lambda X: X * 1e200), "too large for float64"),
    "one value of X overflows": (of_X(put(1e300)), "too large for float64"),
    "complex X": (of_X(lambda X: X * 1j), "Complex data not supported"),
    "X of strings": (of_X(lambda X: np.full(X.shape, "a")), "could not convert string"),
    "X of objects": (of_X(lambda X: np.full(X.shape, [{}], dtype=object)), "must be a string or a real number"),
    "X one-dimensional": (of_X(lambda X: X[:, 0]), "Expected 2D"),
    "X three-dimensional": (of_X(lambda X: X[:, :, None]), "dim 3|Expected 2D"),
    "X a number": (of_X(lambda X: 3.0), "Expected 2D"),
    "X None": (of_X(lambda X: None), "Expected 2D|NoneType"),
    "no rows": (lambda X, y: (X[:0], y[:0], None), "0 sample"),
    "no columns": (of_X(lambda X: X[:, :0]), "0 feature"),
    "nan in y": (of_y(put(np.nan)), "y contains NaN"),
    "inf in y": (of_y(put(np.inf)), "y contains infinity"),
    "complex y": (of_y(lambda y: y * 1j), "Complex data not supported"),
    "y too short": (of_y(lambda y: y[:-1]), "inconsistent numbers of samples"),
    "y too long": (of_y(lambda y: np.r_[y, 1]), "inconsistent numbers of samples"),
    "y None": (of_y(lambda y: None), "y"),
    "y a number": (of_y(lambda y: 1), "y"),
    "y three-dimensional": (of_y(lambda y: y[:, None, None]), "y|dim 3"),
    "y of dicts": (of_y(lambda y: np.full(len(y), [{}], dtype=object)), "y|must be a string or a real number"),
    "nan weight": (of_weight(put(np.nan)), "sample_weight contains NaN"),
    "inf weight": (of_weight(put(np.inf)), "sample_weight contains infinity"),
    "negative weight": (of_weight(put(-2.0)), "must not be negative, got -2.0 for row 1"),
    "zero weights": (of_weight(np.zeros_like), "at least one"),
    "weights too short": (of_weight(lambda w: w[:-1]), "sample_weight.shape"),
    "weights of two columns": (of_weight(lambda w: np.c_[w, w]), "Sample weights must be 1D"),
    "complex weights": (of_weight(lambda w: w * 1j), "Complex data not supported"),
    "weights of strings": (of_weight(lambda w: np.full(len(w), "a")), "could not convert string"),
    "sum of weights overflows": (of_weight(lambda w: w * 1e308), "sample_weight adds up to inf"),
    "sum of weights subnormal": (of_weight(lambda w: w * 1e-322), "adds up to 2.* not to all digits"),
}

REFUSED_TARGETS = {  # by Ridge
    "squares of y overflow": (of_y(lambda y: y * 1e200), "squares of y are too large"),
    "squares of y underflow": (of_y(lambda y: y * 1e-300), "squares of y are too small"),
    "y of words": (of_y(lambda y: np.array(["a", "b"])[y]), "could not convert string"),
}

REFUSED_LABELS = {  # by classifiers
    "one class": (of_y(np.zeros_like), "holds one class: 0"),
    "one row": (lambda X, y: (X[:1], y[:1], None), "holds one class"),
    "y real": (of_y(lambda y: y + 0.5 * np.arange(len(y))), "Unknown label type: continuous"),
    "y of two columns": (of_y(lambda y: np.c_[y, y]), "label type|1d array"),
    "a class without weight": (lambda X, y: (X, y, (y == 0).astype(float)), "Class 1 has no row of positive weight"),
    "a class of negligible weight": (lambda X, y: (X, y, np.where(y == 0, 1e300, 1e-300)), "class 1 weigh 1.5e-299"),
}

# A chunk may have these: of the label and the scale of other chunks nothing is known.
FIT_ONLY = ["one class", "one row", "a class without weight", "a class of negligible weight", "squares of y underflow"]


def times_weight(factor):
    return lambda X, y: (X, y, np.where(np.arange(len(y)) % 2, factor, 1.0))


# What must be fitted, or end in a ValueError that says why this solver does not.
FITTED = {
    "one column": of_X(lambda X: X[:, :1]),
    "more columns than rows": lambda X, y: (np.hstack([X[:6]] * 3), y[:6], None),
    "two rows": lambda X, y: (X[:2], np.array([0, 1]), None),
    "zero column": of_X(column(0.0)),
    "constant column": of_X(column(3.3)),
    "all zero": of_X(np.zeros_like),
    "equal columns": of_X(lambda X: X[:, [0, 0, 1, 1]]),
    "equal rows": of_X(lambda X: np.repeat(X[:1], len(X), axis=0)),
    "far from zero": of_X(lambda X: X + 1e8),
    "large column": of_X(times_column(1e100)),
    "tiny column": of_X(times_column(1e-100)),
    "vanishing column": of_X(times_column(1e-300)),
    "large": of_X(lambda X: X * 1e100),
    "tiny": of_X(lambda X: X * 1e-100),
    "vanishing": of_X(lambda X: X * 1e-300),
    "subnormal": of_X(lambda X: X * 1e-320),
    "one heavy row": of_X(lambda X: X * np.where(np.arange(len(X)) == 7, 1e12, 1.0)[:, None]),
    "float16": of_X(lambda X: X.astype(np.float16)),
    "float32": of_X(lambda X: X.astype(np.float32)),
    "longdouble": of_X(lambda X: X.astype(np.longdouble)),
    "int8": of_X(lambda X: (10 * X).astype(np.int8)),
    "uint64": of_X(lambda X: np.abs(10 * X).astype(np.uint64)),
    "bool": of_X(lambda X: X > 0),
    "objects": of_X(lambda X: X.astype(object)),
    "big-endian": of_X(lambda X: X.astype(">f8")),
    "list": of_X(lambda X: X.tolist()),
    "strided": of_X(lambda X: np.repeat(X, 2, axis=1)[::-1, ::-2]),
    "y bool": of_y(lambda y: y.astype(bool)),
    "y a column": of_y(lambda y: y.astype(float)),
    "rare class": of_y(lambda y: (np.arange(len(y)) == 3).astype(int)),
    "weights of one": of_weight(lambda w: w),
    "weights a number": of_weight(lambda w: 2.0),
    "weights of integers": of_weight(lambda w: np.arange(1, len(w) + 1)),
    "weights bool": of_weight(lambda w: np.arange(len(w)) % 3 > 0),
    "weights of 1e12": times_weight(1e12),
    "weights of 1e-12": times_weight(1e-12),
    "weights of 1e-300": times_weight(1e-300),
    "subnormal weights": times_weight(5e-324),
    "large weights": of_weight(lambda w: w * 1e250),
}
SPARSE_ONLY = {
    "explicit zeros": lambda X: _with_entries(X, zeros=True),
    "duplicates": lambda X: _with_entries(X, halves=2),
    "unsorted": lambda X: _unsorted(X),
    "entries that cancel": lambda X: sp.csr_matrix(_with_entries(X, halves=2) + 1e10 * sp.csr_matrix(X * 0)),
    "coo": sp.coo_array,
    "bsr": lambda X: sp.bsr_matrix(X, blocksize=(2, 2)),
    "dia": sp.dia_matrix,
    "dok": sp.dok_array,
    "lil": sp.lil_matrix,
    "int64 indices": lambda X: _indices(X, np.int64),
    "longdouble values": lambda X: _csr_of(X, np.longdouble),
    "integers": lambda X: _csr_of(10 * X, np.int64),
    "bools": lambda X: _csr_of(X, np.bool_),
}
NOT_INDICES = [np.int8, np.int16, np.uint16, np.uint32, np.uint64, np.float64, np.bool_, object, ">i4"]
LIMITS = [r"SDCA is for one output", r"SDCA needs a penalty", r"diverged", r"needs a strongly convex objective"]


def _with_entries(X, zeros=False, halves=1):
    rows, columns = np.nonzero(np.ones_like(X))
    keep = np.ones(len(rows), bool) if zeros else X[rows, columns] != 0
    rows, columns = np.tile(rows[keep], halves), np.tile(columns[keep], halves)
    order = np.argsort(rows, kind="stable")
    rows, columns = rows[order], columns[order]
    indptr = np.searchsorted(rows, np.arange(len(X) + 1))
    return sp.csr_matrix((X[rows, columns] / halves, columns, indptr), shape=X.shape)


def _unsorted(X):
    S = sp.csr_matrix(X)
    for i in range(len(X)):
        row = slice(S.indptr[i], S.indptr[i + 1])
        S.indices[row], S.data[row] = S.indices[row][::-1].copy(), S.data[row][::-1].copy()
    S.has_sorted_indices = True  # a lie, as a bug elsewhere may leave it
    S.has_canonical_format = True
    return S


def _indices(X, dtype):
    S = sp.csr_matrix(X)
    S.indices, S.indptr = S.indices.astype(dtype), S.indptr.astype(dtype)
    return S


def _csr_of(X, dtype):
    S = sp.csr_matrix(X)
    S.data = S.data.astype(dtype)
    return S


def made(cls, solver, **parameters):
    return cls(solver=solver, random_state=0, max_iter=15, **parameters)


def layout_of(X, layout):
    is_table = isinstance(X, np.ndarray) and X.ndim == 2 and X.size and X.dtype.kind in "bif" and X.dtype.itemsize < 16
    return LAYOUTS[layout](X) if is_table and X.dtype != np.float16 and X.dtype.isnative else X


def refusals():
    for cls in ESTIMATORS:
        for name in REFUSED | (REFUSED_TARGETS if cls is Ridge else REFUSED_LABELS):
            for layout in LAYOUTS:
                for solver in ALL_SOLVERS:
                    yield cls, name, solver, layout, "fit"
                for solver in STREAMING if name not in FIT_ONLY else ():
                    yield cls, name, solver, layout, "partial_fit"


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # NumPy's, of longdouble values
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")  # scikit-learn's, of them
@pytest.mark.parametrize(("cls", "name", "solver", "layout", "method"), thinned(refusals(), 8))
def test_what_is_refused(cls, name, solver, layout, method):
    """A TypeError or ValueError that says what is wrong; the estimator is as it was, and goes on as if not called."""
    attack, message = (REFUSED | REFUSED_TARGETS | REFUSED_LABELS)[name]
    good = data()
    X, y, weight = attack(*good)
    model, twin = made(cls, solver, tol=None), made(cls, solver, tol=None)
    first = (layout_of(good[0], layout), good[1])
    for one in (model, twin):
        call(one, method, *first)
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError), match=message):
        call(model, method, layout_of(X, layout), y, weight)
    assert vars(model) == before
    np.testing.assert_array_equal(call(model, method, *first).coef_, call(twin, method, *first).coef_)


def call(model, method, X, y, sample_weight=None):
    """Call `fit`, or `partial_fit` with the classes of `data`."""
    classes = {"classes": [0, 1]} if method == "partial_fit" and not isinstance(model, Ridge) else {}
    return getattr(model, method)(X, y, sample_weight=sample_weight, **classes)


def fits():
    for cls in ESTIMATORS:
        for solver in ALL_SOLVERS:
            for name in FITTED:
                for layout in LAYOUTS:
                    yield cls, name, solver, layout, 2
                yield cls, name, solver, "dense", 3
            for name in SPARSE_ONLY:
                yield cls, name, solver, "sparse", 2


@pytest.mark.parametrize(("cls", "name", "solver", "layout", "classes"), thinned(fits(), 8))
def test_what_is_fitted(cls, name, solver, layout, classes):
    """Finite coefficients, a true bound, and a warning where it is above tol."""
    if name in SPARSE_ONLY:
        X, y = data(classes=classes)
        X[np.abs(X) < 0.3] = 0
        X, weight = SPARSE_ONLY[name](X), None
    else:
        X, y, weight = FITTED[name](*data(classes=classes))
        X = layout_of(X, layout)
    check_fit(made(cls, solver), X, y, weight)


def check_fit(model, X, y, weight=None):
    """Fit; the one error allowed is that the solver, or its step size, is not for this problem."""
    weights = np.full(len(y), float(weight)) if np.ndim(weight) == 0 and weight is not None else weight
    try:
        assert_right_or_warned(lambda: model.fit(X, y, sample_weight=weight), model, X, y, weights)
    except ValueError as error:
        if not any(limit in str(error) for limit in LIMITS):
            raise


def chunk_fits():
    for cls in ESTIMATORS:
        for solver in STREAMING:
            for name in FITTED:
                yield cls, name, solver, "dense"
                yield cls, name, solver, "csr"


@pytest.mark.parametrize(("cls", "name", "solver", "layout"), thinned(chunk_fits(), 4))
def test_what_is_taken_in_chunks(cls, name, solver, layout):
    """The coefficients stay finite, or the error says that they do not."""
    X, y, weight = FITTED[name](*data())
    model = made(cls, solver)
    for _ in range(3):
        try:
            call(model, "partial_fit", layout_of(X, layout), y, weight)
        except ValueError as error:
            if "diverged" not in str(error):
                raise
            return
        assert np.all(np.isfinite(model.coef_))
        assert np.all(np.isfinite(model.intercept_))


@st.composite
def mutations(draw):
    """A compressed matrix in which one number of one index array was changed, or one array cut or stretched."""
    X = sp.random(8, 6, density=0.4, format=draw(st.sampled_from(["csr", "csc", "bsr"])), random_state=draw(seeds))
    name = draw(st.sampled_from(["indices", "indptr", "data"]))
    array = getattr(X, name).copy()
    at = draw(st.integers(0, len(array) - 1))
    change = draw(st.sampled_from(["cut", "stretch", "set"] if name != "data" else ["cut", "stretch"]))
    if change == "cut":
        array = np.delete(array, at, axis=0)
    elif change == "stretch":
        array = np.insert(array, at, array[at], axis=0)
    else:
        array[at] = draw(st.sampled_from([-1, 0, 1, 5, 6, 8, len(X.indices) - 1, len(X.indices), 2**31 - 1, -(2**31)]))
    setattr(X, name, array)
    return X


seeds = st.integers(0, 2**16)


@settings(deadline=None, max_examples=300)
@given(mutations())
@pytest.mark.parametrize("method", ["fit", "predict"])
def test_a_matrix_with_one_wrong_number_is_refused_or_means_what_it_says(method, X):
    """SciPy's full check is the judge. What passes it is a matrix, perhaps with duplicates, and equals its table."""
    y = np.arange(8) % 2
    model = Ridge(tol=1e-12).fit(np.eye(8, 6), y)
    try:
        X.copy().check_format(full_check=True)
        if np.any(X.indptr[1:] < X.indptr[:-1]):  # which it does not look for where the last entry is 0 or less
            raise ValueError("indptr decreases")
    except (ValueError, IndexError):
        with pytest.raises(ValueError, match=r"X\.|X has a"):
            model.fit(X, y) if method == "fit" else model.predict(X)
        return
    table = X.tocsr().toarray()  # in block format toarray refuses data beyond those that indptr names
    if method == "fit":
        np.testing.assert_allclose(clone(model).fit(X, y).coef_, clone(model).fit(table, y).coef_, rtol=1e-5, atol=1e-9)
    else:
        np.testing.assert_allclose(model.predict(X), model.predict(table), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("indices", 3, 4),
        ("indices", 3, -1),
        ("indptr", 5, 2**30),
        ("indptr", 5, -1),
        ("indptr", -1, 1000),
        ("indptr", 0, 1),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_indices_that_change_after_the_check_are_refused_by_the_kernels(cls, method, name, at, value, monkeypatch):
    """As another thread may do through a view; what it writes once the kernels are made, nobody sees."""
    X, y = data()
    X = sp.csr_array(X)
    view = getattr(X, name)[:]

    def and_then_change(X):
        rows = canonical(X)
        view[at] = value
        return rows

    monkeypatch.setattr("skvr._base.canonical", and_then_change)
    model = cls(solver="sgd", random_state=0)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"indptr must|a column is out of range"):
        call(model, method, X, y)
    assert vars(model) == before


@pytest.mark.parametrize("dtype", NOT_INDICES, ids=str)
@pytest.mark.parametrize("attribute", ["csr indices", "csr indptr", "csc indices", "bsr indptr"])
def test_indices_of_another_type_are_refused(attribute, dtype):
    form, name = attribute.split()
    X, y = data()
    S = sp.csr_matrix(X).asformat(form)
    setattr(S, name, getattr(S, name).astype(dtype))
    with pytest.raises(ValueError, match=f"X.{name} must hold 32- or 64-bit integers"):
        Ridge().fit(S, y)


def test_a_corrupted_list_of_lists_is_refused():
    X, y = data()
    model = Ridge().fit(X, y)
    S = sp.lil_matrix(X)
    S.rows[2] = [0, 1, 2, 77]
    for call_it in (lambda: model.fit(S, y), lambda: model.predict(S)):
        with pytest.raises(ValueError, match="column index 77"):
            call_it()


def as_the_solver(name, **parameters):
    return {"solver": getattr(solvers, name)(**parameters)}


def as_each(name, **parameters):
    """Return a solver object for every value of every parameter."""
    return [as_the_solver(name, **{key: value}) for key, values in parameters.items() for value in values]


# Parameters out of range or of the wrong type. Those of every estimator are in test_validation.py.
BAD = [
    *({"step_size": value} for value in (0, -1.0, np.nan, np.inf, True, None, [0.1], "0.1", 1j, b"auto")),
    *({"batch_size": value} for value in (0, -1, 1.0, 1.5, np.nan, np.inf, True, None, [8], "8", 1j)),
    *({"tol": value} for value in (-1e-300, np.nan, np.inf, True, "0", [1e-4], 1j)),
    *({"max_iter": value} for value in (0, -1, 1.5, np.float64(3), np.nan, True, None, "10")),
    *({"fit_intercept": value} for value in (0, 1, None, "True", np.ones(1))),
    *({"warm_start": value} for value in (0, 1, None, "False")),
    *({"n_jobs": value} for value in (0, 1.0, "2", True, np.nan)),
    *({"verbose": value} for value in (-1, 0.5, None, "1")),
    *({"random_state": value} for value in (-1, 2**32, 0.5, "0", np.random.default_rng(0))),
    *({"solver": value} for value in ("", "SAG", "newton", None, 3, ["sag"], solvers.SAG, object())),
    *(
        as_the_solver(name, **{parameter: value})
        for name in ("SGD", "MiniBatch")
        for parameter, values in {
            "momentum": (-0.1, 1.0, np.nan, "0.9", None, True),
            "nesterov": (1, None, True),  # True: without momentum
            "average": (1, None),
            "sampling": ("random", None, 1, ["uniform"]),
        }.items()
        for value in values
    ),
    *(as_the_solver("SAG", **{"sampling": value}) for value in ("shuffled", "cyclic", None)),
    *(as_the_solver("SAGA", **{"sampling": value}) for value in ("cyclic", None)),
    *(as_the_solver("SAG", **{"initial_table": value}) for value in ("ones", None, 0)),
    *(as_the_solver("SAG", **{"average": value}) for value in (1, None)),
    *(as_the_solver("SVRG", **{"inner_length": value}) for value in (0, -1.0, np.nan, np.inf, 1e300, "2", None)),
    *(as_the_solver("SVRG", **{"snapshot": value}) for value in ("first", None, 0)),
    *(
        as_the_solver(name, **{parameter: value})
        for name, parameters in {
            "Adagrad": ["epsilon"],
            "RMSprop": ["epsilon", "gamma"],
            "Adadelta": ["epsilon", "gamma", "rho"],
            "Adam": ["epsilon", "beta_1", "beta_2"],
        }.items()
        for parameter in parameters
        for value in (-1e-9, np.nan, np.inf, "0.9", True, [0.9])
    ),
    *(as_the_solver("Adam", **{"amsgrad": value}) for value in (1, None)),
    *(as_the_solver("Adam", **{"sampling": value}) for value in ("lipschitz", None)),
    *(as_the_solver("LBFGS", **{"memory": value}) for value in (-1, 1.5, "10", None, True)),
    *(as_the_solver("LBFGS", **{"preconditioner": value}) for value in ("diag", None, 1)),
    *(as_the_solver("PreconditionedSVRG", **{"preconditioner": value}) for value in ("diag", None, 1)),
    *(as_the_solver("PreconditionedSVRG", **{"batch_size": value}) for value in (0, "geometric", None)),
    *(
        {"step_size": policy}
        for value in (0.0, -1.0, np.nan, "0.1", None, True)
        for policy in (
            solvers.Constant(value),
            solvers.PL(value),
            solvers.InverseScaling(value),
            solvers.Exponential(value),
            solvers.Exponential(0.1, rate=value),
            solvers.LineSearch(value),
        )
    ),
    *({"step_size": solvers.InverseScaling(0.1, decay=value)} for value in (-1.0, np.nan, np.inf, None, "0.1")),
    *({"step_size": solvers.InverseScaling(0.1, power=value)} for value in (-1.0, np.nan, np.inf, None, "auto")),
    *({"batch_size": solvers.GeometricBatch(value)} for value in (0, -1, 1.0, "geometric", None)),
    *({"batch_size": solvers.GeometricBatch(8, rate=value)} for value in (0.9, 0, np.nan, np.inf, None, "1.2")),
    *({"batch_size": solvers.AdaptiveBatch(value)} for value in (0, -1, 1.0, "adaptive", None)),
]


def bad_parameters():
    for cls in ESTIMATORS:
        for bad in BAD:
            yield cls, bad
        for value in (0, -1.0, np.nan, np.inf if cls is not LogisticRegression else -np.inf, "1", None, True, 1j):
            if cls is LogisticRegression or value != 0:
                yield cls, {"C" if cls is LogisticRegression else "alpha": value}
        if cls is not Ridge:
            for value in ("balance", 3, [1, 2], {0: np.nan}, {0: -1}, {0: "a"}, {5: 1.0}):
                yield cls, {"class_weight": value}


@pytest.mark.parametrize(("cls", "bad"), thinned(bad_parameters(), 3))
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_parameters_that_are_refused(cls, bad, method):
    """A TypeError or ValueError that names the parameter and shows the value; the estimator is as it was."""
    if "solver" not in bad:
        bad = {"solver": "minibatch" if "batch_size" in bad or method == "partial_fit" else "sag", **bad}
    model = cls(**bad)
    X, y = data()
    before = dict(vars(model))
    chunk = method == "partial_fit" and hasattr(model, "partial_fit")
    arguments = {"classes": [0, 1]} if chunk and cls is not Ridge else {}
    with pytest.raises((TypeError, ValueError)) as error:
        (model.partial_fit if chunk else model.fit)(X, y, **arguments)
    assert vars(model) == before
    name, value = [*bad.items()][-1]
    if isinstance(value, (solvers.Solver, solvers.StepSize, solvers.BatchSize)):
        default = type(value)().get_params(deep=False)
        names = [key for key, given in value.get_params(deep=False).items() if given is not default[key]]
    else:
        names = {"class_weight": ["class_weight", "classes"], "random_state": ["seed"]}.get(name, [name])
    assert any(name in str(error.value).lower() for name in [n.lower() for n in names]), error.value


# Valid, at the ends of their ranges.
ENDS = [
    *({"tol": tol} for tol in (0, 0.0, 5e-324, 1e308, np.float32(1e-3), Fraction(1, 10**4), None)),
    *({"max_iter": n} for n in (1, np.int8(127))),
    *({"n_jobs": n} for n in (-1, -100, 10**6, np.int64(1))),
    *({"verbose": verbose} for verbose in (False, np.bool_(False))),
    *({"random_state": seed} for seed in (2**32 - 1, np.random.RandomState(0), None)),
    {"fit_intercept": False},
    {"fit_intercept": np.bool_(False)},
    *({"batch_size": rows} for rows in (1, 30, 31, 10**30, 1e-300, 0.999, np.int8(3), "geometric", "adaptive")),
    *({"step_size": eta} for eta in (5e-324, 1e-300, 1e300, 1.7e308, np.float32(0.01), 1, Fraction(1, 100))),
    *({"step_size": name} for name in ("constant", "pl", "pl-literal", "inverse-scaling", "exponential")),
    *({"step_size": solvers.InverseScaling(0.01, decay=d, power=p)} for d in (0, 1e300) for p in (0, 1, 1e300)),
    *({"step_size": solvers.Exponential(0.01, rate=rate)} for rate in (5e-324, 1.0, 2.0, 1e300)),
    *({"step_size": solvers.PL(start)} for start in (5e-324, 1e300, np.inf)),
    *({"step_size": solvers.LineSearch(L), "solver": "svrg"} for L in (5e-324, 1e-300, 1e300)),
    *({"batch_size": solvers.GeometricBatch(start, rate)} for start in (1, 1e-9, 10**9) for rate in (1.0, 1e300)),
    {"batch_size": solvers.AdaptiveBatch(10**9)},
    *as_each("SGD", momentum=[0, 5e-324, np.float32(0.9), Fraction(9, 10), 0.999999, 1 - 2**-53], average=[True]),
    *as_each("MiniBatch", sampling=["lipschitz", "cyclic", "uniform"]),
    *as_each("SAG", initial_table=["zeros", "gradient", "centred-gradient"], average=[True], sampling=["lipschitz"]),
    *as_each("SAGA", sampling=["shuffled", "lipschitz"]),
    *as_each("SVRG", inner_length=[1e-300, 1e-3, 100.0], snapshot=["average"], batch_size=[10**9]),
    *as_each("Adagrad", epsilon=[5e-324, 1e-300, 1e300]),
    *as_each("RMSprop", epsilon=[5e-324, 1e300], gamma=[0, 1 - 2**-53]),
    *as_each("Adadelta", epsilon=[5e-324, 1e300], gamma=[0, 1 - 2**-53], rho=[0, 1 - 2**-53]),
    *as_each("Adam", epsilon=[5e-324, 1e300, np.float32(1e-8)], amsgrad=[True]),
    *as_each("Adam", beta_1=[0, np.float32(0.9), Fraction(1, 2), 1 - 2**-53], beta_2=[0, 1 - 2**-53]),
    *as_each("LBFGS", memory=[0, 1, 10**9], preconditioner=["diagonal", "nystrom", "hessian", "none"]),
    *as_each("PreconditionedSVRG", batch_size=[1, 10**9, 0.5], preconditioner=["diagonal", "nystrom", "none"]),
]
PENALTIES = {
    LogisticRegression: [{"C": C} for C in (np.inf, 1e308, 1e-300, 1e100, 1e-100, np.float32(2), 3, Fraction(1, 3))],
    Ridge: [{"alpha": a} for a in (0, 5e-324, 1e-300, 1e300, np.array(2.0), np.array([0.5]), [1e-9], Fraction(1, 3))],
}
PENALTIES[RidgeClassifier] = PENALTIES[Ridge]


def ends():
    for cls in ESTIMATORS:
        for end in ENDS:
            for layout in ("dense", "csr"):
                yield cls, end, layout
        for end in PENALTIES[cls]:
            for solver in ALL_SOLVERS:
                yield cls, {"solver": solver, **end}, "dense"


@pytest.mark.parametrize(("cls", "end", "layout"), thinned(ends(), 4))
def test_parameters_at_the_ends_of_their_ranges(cls, end, layout):
    """A right answer, a warning, or the error that the step size is too large: nothing else."""
    X, y = data()
    solver = "minibatch" if "batch_size" in end else "sgd" if "step_size" in end else "sag"
    model = cls(**{"max_iter": 15, "solver": solver, "random_state": 0, **end})
    check_fit(model, layout_of(X, layout), y)
