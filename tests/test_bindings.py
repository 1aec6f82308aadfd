"""The binding layer refuses what does not fit, and converts nothing: an epoch would update the copy."""

import weakref

import numpy as np
import pytest
from problems import N_FEATURES, N_ROWS, compiled, each, make_problem

from skvr import _kernels

ORDER = np.arange(N_ROWS, dtype=np.int64)
THETA, ROWS, OUTPUTS = np.zeros(3 * N_FEATURES + 3), np.zeros(3 * N_ROWS), np.zeros(3)
CURVATURE, PER_ROW, FEATURES, ONE_OUTPUT = np.zeros(1), np.zeros(N_ROWS), np.zeros(N_FEATURES), np.zeros(N_FEATURES + 1)
DRAWN, DRAWN_OUTPUTS = np.zeros(N_ROWS), np.zeros(3 * N_ROWS)  # as many as rows are drawn
DRAWN_COLUMNS, GRAM = np.zeros(N_ROWS * (N_FEATURES + 1)), np.zeros((N_FEATURES + 1) * (N_FEATURES + 2) // 2)
STEPS, STANDARD = dict(order=ORDER, steps=DRAWN_OUTPUTS), dict(order=ORDER, mean=FEATURES, inverse_scale=FEATURES)
SAGA = dict(n_seen=N_ROWS, frequency=PER_ROW)
SAG = dict(SAGA, initial_residual=ROWS, centre=THETA)
SDCA = dict(n_samples=1.0, squared_norm=PER_ROW, intercept_square=0.0)
VALID = {  # what every method reads, and the arrays it writes to
    "raw_predictions": (dict(order=ORDER, theta=THETA), dict(z=ROWS)),
    "residuals": (dict(order=ORDER, z=ROWS, shift=OUTPUTS), dict(r=ROWS)),
    "add_gradients": (dict(order=ORDER, r=ROWS), dict(out=THETA)),
    "loss_in_shift": (
        dict(order=ORDER, z=ROWS, shift=OUTPUTS),
        dict(value=OUTPUTS, gradient=OUTPUTS, hessian=CURVATURE),
    ),
    "evaluate": (dict(order=ORDER, theta=THETA), dict(z=ROWS, value=OUTPUTS, gradient=THETA)),
    "residual_gradient": (dict(order=ORDER, theta=THETA), dict(r=ROWS, gradient=THETA)),
    "losses": (dict(order=ORDER, z=ROWS), dict(value=OUTPUTS, r=DRAWN_OUTPUTS)),
    "add_moments": (dict(order=ORDER, centre=FEATURES), dict(stored=FEATURES, first=FEATURES, second=FEATURES)),
    "standardised_norms": (STANDARD, dict(norms=PER_ROW)),
    "scaled_rows": (dict(STANDARD, root=DRAWN), dict(out=DRAWN_COLUMNS)),
    "add_gram": (dict(order=ORDER, weight=DRAWN), dict(gram=GRAM)),
    "add_packed_gram": (dict(STANDARD, root=PER_ROW), dict(gram=GRAM)),
    "add_gradient_changes": (dict(order=ORDER, weight=DRAWN, theta=THETA, residual=ROWS), dict(out=THETA)),
    "sdca_epoch": (dict(order=ORDER, **SDCA), dict(theta=ONE_OUTPUT, residual=PER_ROW)),
    "sgd_epoch": (dict(STEPS, batch=1), dict(theta=THETA, total=THETA)),
    "sag_epoch": (dict(STEPS, **SAG), dict(theta=THETA, table=ROWS, sum=THETA, total=THETA)),
    "saga_epoch": (dict(STEPS, **SAGA), dict(theta=THETA, table=ROWS, sum=THETA, total=THETA)),
    "svrg_epoch": (dict(STEPS, batch=1, snapshot_residual=ROWS), dict(theta=THETA, full_gradient=THETA, total=THETA)),
    "rule_epoch": (dict(order=ORDER, eta=DRAWN_OUTPUTS, batch=1), dict(theta=THETA)),
}


def call(method, layout="dense", **changed):
    """Call a method with valid arguments, except those in `changed`."""
    read, written = VALID[method]
    arguments = read | {name: a.copy() for name, a in written.items()} | changed
    if method == "rule_epoch":
        arguments.setdefault("rule", _kernels.adagrad(THETA.copy(), 1e-6))
    layout = "int32" if method == "add_gram" else layout  # of sparse rows alone
    problem = compiled(make_problem("squared" if method == "sdca_epoch" else "squared-3"), layout)
    getattr(problem.kernels, method)(**arguments)


@each(layout=["dense", "int32"], method=VALID)
def test_arrays_that_do_not_fit_are_refused(method, layout):
    read, written = VALID[method]
    call(method, layout)
    per_drawn = [id(a) for a in (ORDER, DRAWN, DRAWN_OUTPUTS, DRAWN_COLUMNS)]
    call(
        method, layout, **{name: a[:0].copy() for name, a in (read | written).items() if id(a) in per_drawn}
    )  # no rows
    for name, a in (read | written).items():
        if not isinstance(a, np.ndarray):
            continue
        unfit, read_only = [a.astype(np.float32), a.astype(np.int32), a[None], list(a)], a[:]
        if len(a) > 1:  # one number has no stride
            unfit.append(np.repeat(a, 2)[::2])
        read_only.flags.writeable = False
        if name in written:
            unfit.append(read_only)
        else:
            call(method, layout, **{name: read_only})
        for wrong in unfit:
            with pytest.raises(TypeError, match="incompatible function arguments"):
                call(method, layout, **{name: wrong})
        for wrong in (a[1:], np.append(a, a[0])):
            if name != "order":  # which fits in any length
                with pytest.raises(ValueError, match=r"size|must"):
                    call(method, layout, **{name: wrong})
    for row in (-1, N_ROWS, 2**62):
        with pytest.raises(ValueError, match="row number outside"):
            call(method, layout, order=np.where(ORDER == 3, row, ORDER))


def test_numbers_that_do_not_fit_are_refused():
    for method in ("sgd_epoch", "svrg_epoch", "rule_epoch"):
        for batch in (-1, 0, 2, N_ROWS):  # 2, N_ROWS: not the batch that the steps are for
            with pytest.raises((TypeError, ValueError), match=r"arguments|batch|eta"):
                call(method, batch=batch)
    for method in ("sag_epoch", "saga_epoch"):
        with pytest.raises(ValueError, match="n_seen"):
            call(method, n_seen=N_ROWS + 1)
    dense, gram = compiled(make_problem("squared"), "dense"), GRAM.copy()
    with pytest.raises(ValueError, match="for sparse rows"):
        dense.kernels.add_gram(ORDER, DRAWN, gram)
    for wrong in (dict(centre=None), dict(initial_residual=None)):
        with pytest.raises(ValueError, match="go together"):
            call("sag_epoch", **wrong)
    for method in ("sgd_epoch", "sag_epoch", "saga_epoch", "svrg_epoch"):
        with pytest.raises(TypeError, match="arguments"):
            call(method, steps=None)
    for rule in (None, _kernels.adagrad(np.zeros(3), 1e-6)):
        with pytest.raises((TypeError, ValueError), match=r"arguments|state"):
            call("rule_epoch", rule=rule)
    for state in ((np.zeros(3), np.zeros(4)), (np.zeros(3, dtype=np.float32), np.zeros(3))):
        with pytest.raises((TypeError, ValueError), match=r"arguments|one size"):
            _kernels.adam(*state, 0.9, 0.999, 1e-8)


SEARCH = dict(L=np.ones(3), squared_norm=np.ones(N_ROWS), multiple=1.0, lower=0.5)
UNFIT_SEARCH = {
    "L": [np.ones(2), np.ones(4), np.ones(3, dtype=np.float32), [1.0] * 3],
    "squared_norm": [np.ones(N_ROWS - 1), np.ones(N_ROWS, dtype=np.float32), None],
    "multiple": [0.0, -1.0, np.nan, None],
    "lower": [0.0, -1.0, 1.5, np.nan, None],
}


@each(method=["sgd_epoch", "sag_epoch", "saga_epoch", "svrg_epoch"])
def test_line_searches_that_do_not_fit_are_refused(method):
    call(method, steps=_kernels.LineSearch(**SEARCH))
    not_positive = [np.array([1.0, L, 1.0]) for L in (0.0, -1.0, np.nan, np.inf)]
    for name, values in (UNFIT_SEARCH | {"L": UNFIT_SEARCH["L"] + not_positive}).items():
        for wrong in values:
            with pytest.raises((TypeError, ValueError), match=f"arguments|{name} must"):
                call(method, steps=_kernels.LineSearch(**(SEARCH | {name: wrong})))


def int32(*numbers):
    return np.array(numbers, dtype=np.int32)


CSR = dict(data=np.ones(3), indices=int32(0, 2, 1), indptr=int32(0, 2, 3), n_features=3, loss="softmax")
CSR |= dict(y=np.array([1.0, 0.0]), weight=np.ones(2), alpha=np.ones(2), fit_intercept=True)
CORRUPTED = {
    "data": [np.ones(2), np.ones(3, dtype=int)],
    "indices": [int32(0, 3, 1), int32(0, -1, 1), int32(0, 2), np.zeros(3, dtype=np.int64), np.zeros(3)],
    "indptr": [int32(0, 2), int32(1, 2, 3), int32(0, 2, 4), int32(0, 2, -1), int32(0, 4, 3), int32(0, -1, 3)],
    "n_features": [2, -1],
    "loss": ["hinge", "logistic"],  # "logistic" has one output, not two
    "y": [np.ones(3), np.array([0.0, 2.0]), np.array([0.0, -1.0]), np.array([0.0, np.nan]), int32(0, 1)],
    "weight": [np.ones(3), np.ones(2, dtype=np.float32)],
    "alpha": [np.ones(1), np.ones(2, dtype=np.float32)],
}


def test_rows_that_do_not_fit_are_refused():
    for name, values in CORRUPTED.items():
        for wrong in values:
            with pytest.raises((TypeError, ValueError)):
                _kernels.csr(**(CSR | {name: wrong}))
    for X in (np.ones((2, 3), order="F"), np.ones((3, 3)), np.ones((2, 3), dtype=int), np.ones(2)):
        with pytest.raises((TypeError, ValueError)):
            _kernels.dense(X, "logistic", np.ones(2), np.ones(2), np.ones(1), True)


def test_kernels_own_their_arrays():
    arrays = {name: a.copy() for name, a in CSR.items() if isinstance(a, np.ndarray)}
    references = [weakref.ref(a) for a in arrays.values()]
    kernels = _kernels.csr(**(CSR | arrays))
    del arrays
    assert all(r() is not None for r in references)
    del kernels
    assert all(r() is None for r in references)
