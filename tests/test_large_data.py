"""More than 2^32 values of dense rows, and more than 2^31 of CSR rows: no index has 32 bits.

X is a block of 4000 rows again and again, its copies in the same memory: 17 GB of addresses, 16 MB of memory. 4000 does
not divide 2^32 / 1024, so an index that lost its upper bits would find another row. Marked `slow`: some minutes each,
and several times an hour under a debugger; `pytest -m slow` runs them.
"""

import ctypes
import mmap
import os
import tempfile

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skvr import LogisticRegression, Ridge
from skvr.problem import FiniteSum

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.name != "posix" or ctypes.sizeof(ctypes.c_void_p) < 8, reason="maps memory as 64-bit POSIX does"
    ),
]

ROWS, COLUMNS = 4000, 1024  # of the block: whole pages of memory
COPIES = {"dense": 1050, "csr": 525}
EPS = np.finfo(np.float64).eps


def repeated(block, copies):
    """Return `copies` of a block of whole pages, one after the other; all of them are the same memory."""
    size = block.nbytes
    whole = mmap.mmap(
        -1, size * copies, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    )  # addresses; memory when written to
    array = np.frombuffer(whole, dtype=block.dtype)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    map_fixed = 0x10
    with tempfile.TemporaryFile() as file:
        file.write(block.tobytes())
        file.flush()
        for copy in range(copies):
            at = array.ctypes.data + copy * size
            if libc.mmap(at, size, mmap.PROT_READ, mmap.MAP_SHARED | map_fixed, file.fileno(), 0) != at:
                raise OSError(ctypes.get_errno(), "mmap")
    return array.reshape(copies * len(block), *block.shape[1:])


@pytest.fixture(scope="module")
def block():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    return X, X[:, 0] + rng.standard_normal(ROWS)


@pytest.fixture(scope="module", params=list(COPIES))
def large(request, block):
    """X with many copies of the block."""
    copies = COPIES[request.param]
    X = repeated(block[0], copies)
    if request.param == "dense":
        assert X.size > 2**32
        return X
    columns = repeated(np.tile(np.arange(COLUMNS), (ROWS, 1)), copies).ravel()
    X = sp.csr_array((X.ravel(), columns, COLUMNS * np.arange(len(X) + 1)), X.shape)
    assert X.nnz > 2**31
    assert np.shares_memory(X.indices, columns)
    return X


@pytest.mark.parametrize("solver", ["gd", "sgd", "sag", "svrg", "adam", "auto"])
@pytest.mark.parametrize("cls", [LogisticRegression, Ridge])
def test_rows_of_many_have_the_bits_of_these_rows_alone(cls, solver, large, block):
    """Rows of weight zero are left out, so a fit of 1500 rows, some of them the last, is that of a small X of them."""
    n = large.shape[0]
    rng = np.random.default_rng(1)
    used = np.unique(np.r_[:100, n - 900 : n, rng.integers(0, n, 500)])
    X, y = block[0][used % ROWS], block[1][used % ROWS]
    y = y if cls is Ridge else (y > 0).astype(float)
    weight, target = np.zeros(n), np.resize([0.0, 1.0], n)
    weight[used], target[used] = 1.0, y
    model = cls(solver=solver, tol=None, max_iter=1, random_state=0)
    alone = clone(model).fit(sp.csr_array(X) if sp.issparse(large) else X, y)
    model.fit(large, target, sample_weight=weight)
    np.testing.assert_array_equal(model.coef_, alone.coef_)
    np.testing.assert_array_equal(model.intercept_, alone.intercept_)


def test_all_rows_count(large, block):
    """A gradient over all is that of the block: sums over slices of m rows err by (m + n/m) eps of the terms."""
    n = large.shape[0]
    X, y = block[0].astype(np.float64), block[1]
    problem = FiniteSum(large, np.resize(y, n), np.ones(n), np.zeros(1), "squared", True)
    m = problem._rows_per_slice
    gradient = problem.gradient(problem.zeros())
    terms = np.append(np.abs(X).T @ np.abs(y), np.abs(y).sum()) / ROWS
    assert np.all(np.abs(gradient + np.append(X.T @ y, y.sum()) / ROWS) <= (m + n / m + ROWS) * EPS * terms)
    model = Ridge(solver="gd", tol=None, max_iter=1).fit(large, np.resize(y, n))
    assert model.predict(large[-3:]).shape == (3,)
    z = problem.raw_prediction(np.append(np.ones(COLUMNS), 1.0))
    np.testing.assert_allclose(
        z, np.resize(X.sum(axis=1) + 1, n), rtol=0, atol=COLUMNS * EPS * np.abs(X).sum(axis=1).max()
    )
