"""LAPACK's functions for triangles in rectangular full packed format, called without the GIL.

SciPy's wrappers of these hold it, and every other thread of the process would wait for a factorisation. Here they are
taken as pointers from where Cython modules find them, `scipy.linalg.cython_lapack`, and ctypes releases the GIL.
"""

import ctypes

import numpy as np
from scipy.linalg import cython_lapack

_name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
_pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def _function(name):
    """Return a function of LAPACK; all its arguments are pointers, as its signature in C says."""
    capsule = cython_lapack.__pyx_capi__[name]
    signature = _name_of(capsule)
    if b" int *" not in signature:
        raise ImportError(f"skvr knows LAPACK with 32-bit integers, but this SciPy has {signature.decode()}.")
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * signature.count(b"*"))(_pointer_of(capsule, signature))


BOXES = {bytes: ctypes.c_char, int: ctypes.c_int, float: ctypes.c_double}
_dsfrk, _dpftrf, _dpftrs = map(_function, ("dsfrk", "dpftrf", "dpftrs"))


def _boxed(value):
    return value if isinstance(value, ctypes.c_int) else BOXES[type(value)](value)


def _call(function, *arguments):
    """Call with pointers to the arguments: letters, ints, floats and contiguous float64 arrays, changed in place."""
    function(*[a.ctypes.data if isinstance(a, np.ndarray) else ctypes.byref(_boxed(a)) for a in arguments])


def _require(n, values, *lengths):
    """LAPACK trusts its arguments; raise ValueError where they would have it leave an array."""
    if values.dtype != np.float64 or values.shape != (n * (n + 1) // 2,) or not values.flags.carray:
        raise ValueError(f"A triangle of {n} rows needs {n * (n + 1) // 2} float64 numbers, got {values.shape}.")
    if any(length != n for length in lengths):
        raise ValueError(f"An array beside a triangle of {n} rows has {lengths}.")


def add_products(n, factor, Z, values):
    """Add `factor` times Z'Z, Z of n columns, to the triangle `values`, in place."""
    _require(n, values, Z.shape[1])
    Z = np.ascontiguousarray(Z, dtype=np.float64)
    _call(_dsfrk, b"N", b"L", b"N", n, len(Z), float(factor), Z, n, 1.0, values)


def cholesky(n, values):
    """Make a triangle its Cholesky factor, in place; return whether there is one."""
    _require(n, values)
    info = ctypes.c_int()
    _call(_dpftrf, b"N", b"L", n, values, info)
    return info.value == 0


def solve(n, values, g):
    """Return the solutions for right sides g of shape (n, m), by a Cholesky factor."""
    _require(n, values, len(g))
    solution, info = np.array(g, dtype=np.float64, order="F"), ctypes.c_int()
    _call(_dpftrs, b"N", b"L", n, g.shape[1], values, solution, n, info)
    return solution
