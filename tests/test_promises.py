"""What doc/reliability.md promises, as properties of generated data and parameters.

Those with a file of their own are not here: that the bound is one (test_certificate.py), that no input is lost
(test_attacks.py).
"""

import pickle
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Long, parameters, problem_of
from sklearn.base import clone

from skvr import LogisticRegression, Ridge, RidgeClassifier, problem, solvers
from skvr.solvers import SOLVERS

OBJECTS = [
    solvers.LBFGS(),
    solvers.LBFGS("none"),
    solvers.PreconditionedSVRG(),
    solvers.SGD(momentum=0.5, average=True),
    solvers.MiniBatch(batch_size=0.2, sampling="lipschitz"),
    solvers.SAG(initial_table="centred-gradient", average=True, sampling="lipschitz"),
    solvers.SVRG(snapshot="average", batch_size=3),
    solvers.SVRG("line-search"),
]
ALL_SOLVERS = [*SOLVERS, *OBJECTS]
LINEAR = ["gd", "sgd", "minibatch", "sag", "saga", "svrg", *OBJECTS[3:-1]]  # whose steps do not amplify rounding errors


@st.composite
def cases(draw, names=ALL_SOLVERS, decades=3, weakest=2):
    """Return an estimator of five epochs, dense rows on the scale of 1, of which half are zeros, y and weights.

    Weights range over `decades` on both sides of 1, C or 1/alpha up to 10^weakest.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cls, K = draw(st.sampled_from([LogisticRegression, Ridge, RidgeClassifier])), draw(st.integers(2, 4))
    n, p = draw(st.integers(4, 40)), draw(st.integers(1, 20))
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5)
    y = rng.standard_normal((n, K - 1)) if cls is Ridge else rng.permutation(np.arange(n) % K)
    C = 10.0 ** draw(st.integers(-2, weakest))
    model = cls(C=C) if cls is LogisticRegression else cls(1 / C)
    model.set_params(
        solver=draw(st.sampled_from(names)), fit_intercept=draw(st.booleans()), random_state=0, tol=None, max_iter=5
    )
    weight = draw(st.sampled_from([None, rng.uniform(0.1, 3, n), 10.0 ** rng.integers(-decades, decades + 1, n)]))
    return model, X.astype(draw(st.sampled_from([np.float32, np.float64]))), y, weight


def fitted(model, *data):
    return clone(model).fit(*data)


def assert_same_bits(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    np.testing.assert_array_equal(one.suboptimality_, other.suboptimality_)


def assert_close(one, other):
    """To 1e-12 of the largest parameter; of float32 rows, whose parameters are rounded, to a unit in the last place."""
    tolerance = 1e-12 if one.coef_.dtype == np.float64 else np.finfo(np.float32).eps
    scale = max(np.abs(other.coef_).max(), np.abs(other.intercept_).max())
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(one.intercept_, other.intercept_, rtol=0, atol=tolerance * scale)


@settings(deadline=None, max_examples=60)
@given(cases(["auto", "sag", "saga", "svrg"], decades=1, weakest=0))  # the textbook methods need many epochs beyond
def test_the_exact_solution_is_reached(case):
    """||w - w*||^2 <= 2 suboptimality F / alpha; of float32 rows the coefficients are rounded to it."""
    model, X, y, weight = case
    model.set_params(tol=1e-20, max_iter=100_000).fit(X, y, weight)
    P = problem_of(model, X, y, weight)
    x = parameters(model)
    best = Long(P).minimum(x)
    size = np.linalg.norm(best[:, :-1].astype(float))
    error = np.linalg.norm((x - best)[:, :-1].astype(float))
    assert error <= (1e-6 if X.dtype == np.float32 else 1e-8) * size


@settings(deadline=None, max_examples=100)
@given(cases(["auto", *LINEAR]), st.data())
def test_a_weight_of_zero_is_a_missing_row(case, data):
    """The very same steps; sums of weights are rounded in another order."""
    model, X, y, weight = case
    weight = np.ones(len(X)) if weight is None else weight
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(X), max_size=len(X))))
    if not isinstance(model, Ridge):
        kept[np.unique(y, return_index=True)[1]] = True  # a row of every class
    kept[0] = True
    weight = np.where(kept, weight, 0.0)
    X[~kept] *= 100
    assert_close(fitted(model, X, y, weight), fitted(model, X[kept], y[kept], weight[kept]))


@settings(deadline=None, max_examples=60)
@given(cases(["auto"]), st.data())
def test_an_integer_weight_is_a_number_of_rows(case, data):
    """Both are within the distance of the exact solution that their bounds allow."""
    model, X, y, _ = case
    weight = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(X), max_size=len(X))))
    X = X.astype(np.float64)
    model.set_params(tol=1e-20, max_iter=1000)
    weighted = fitted(model, X, y, weight)
    repeated = fitted(model, np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=0, atol=1e-8 * np.abs(weighted.coef_).max())


def layouts(X):
    """Return the same rows in other layouts: dense ones, and sparse ones."""
    csr = sp.csr_array(X)
    wide = np.zeros((len(X), 2 * X.shape[1]), X.dtype)
    wide[:, ::2] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    int64 = sp.csr_array(X)
    int64.indices, int64.indptr = int64.indices.astype(np.int64), int64.indptr.astype(np.int64)
    dense = [X, np.asfortranarray(X), wide[:, ::2], read_only]
    return dense, [csr, int64, sp.csc_array(X), sp.coo_array(X), sp.lil_array(X)]


@settings(deadline=None, max_examples=60)
@given(cases())
def test_layouts_of_a_kind_have_the_same_bits(case):
    model, X, y, weight = case
    for same in layouts(X):
        one = fitted(model, same[0], y, weight)
        for other in same[1:]:
            assert_same_bits(fitted(model, other, y, weight), one)


@settings(deadline=None, max_examples=100)
@given(cases(LINEAR))
def test_sparse_rows_equal_dense_ones(case):
    model, X, y, weight = case
    assert_close(fitted(model, sp.csr_array(X), y, weight), fitted(model, X, y, weight))


@settings(deadline=None, max_examples=60)
@given(cases(), st.sampled_from([2, 3, -1]), st.booleans())
def test_a_seed_gives_the_same_bits_on_any_threads(case, n_jobs, sparse):
    """Slices of a few rows, so that threads have something to share; and in a thread of its own."""
    model, X, y, weight = case
    X = sp.csr_array(X) if sparse else X
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem, "SLICE_WORK", 100)
        one, others = fitted(model, X, y, weight), []
        others.append(fitted(model.set_params(n_jobs=n_jobs), X, y, weight))
        thread = threading.Thread(target=lambda: others.append(fitted(model, X, y, weight)))
        thread.start()
        thread.join()
    for other in others:
        assert_same_bits(other, one)


@settings(deadline=None, max_examples=60)
@given(cases(), st.sampled_from([np.nan, np.inf, -np.inf]), st.sampled_from(["X", "weight", "y"]))
def test_what_is_refused_changes_nothing(case, value, where):
    model, X, y, weight = case
    model.fit(X, y, weight)
    before, twin = pickle.dumps(model), clone(model)
    bad = {"X": X.copy(), "y": np.array(y, dtype=float), "weight": np.ones(len(X))}
    bad[where].flat[-1] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.fit(bad["X"], bad["y"], bad["weight"])
    assert pickle.dumps(model) == before
    assert_same_bits(model.fit(X, y, weight), twin.fit(X, y, weight))
