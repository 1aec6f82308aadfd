"""The binding layer under random arguments: every method of the kernels raises or works, and never reads astray.

What "never" means is settled by .ci/sanitize, which runs this file under AddressSanitizer.
"""

import numpy as np
import pytest

from skvr import _kernels

METHODS = [name for name in dir(_kernels.FiniteSum) if not name.startswith("_")]
CALLS = 1000
DTYPES = [np.float64, np.float64, np.float64, np.float32, np.int64, np.int32, np.uint8, np.complex128, object, ">f8"]


VALUES = [0.0, 1.0, -1.0, 2.0, 3.0, 1e300, 1e18, -1e18, np.nan, np.inf]
KINDS = ["plain"] * 6 + ["strided", "reversed", "2-D", "read-only", "list", "none", "empty"]
RULES = {  # the numbers of vectors and the hyper-parameters
    "adagrad": (1, [1e-6]),
    "rmsprop": (1, [0.9, 1e-6]),
    "adadelta": (2, [0.9, 0.9, 1e-6]),
    "adam": (2, [0.9, 0.99, 1e-8]),
    "amsgrad": (3, [0.9, 0.99, 1e-8]),
    "heavy_ball": (1, [0.9]),
    "nesterov": (1, [0.9]),
}


class Fuzzer:
    """Draws arguments for the kernels of a random problem of n rows, p features and K outputs."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.n, self.p, self.K = self.rng.integers(1, 7), self.rng.integers(1, 21), self.pick([1, 1, 2, 3])

    def pick(self, options):
        return options[self.rng.integers(len(options))]

    def kernels(self):
        rng, n, p, K = self.rng, self.n, self.p, self.K
        loss = self.pick(["squared", "logistic" if K == 1 else "softmax"])
        y = {
            "squared": rng.standard_normal(n * K),
            "logistic": rng.choice([-1.0, 1.0], n),
            "softmax": rng.integers(0, K, n).astype(float),
        }[loss]
        rest = (loss, y, rng.random(n), np.full(K, self.pick([0.0, 0.1, 1e300])), self.pick([True, False]))
        X = (rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5)).astype(self.pick([np.float32, np.float64]))
        if self.pick([True, False]):
            return _kernels.dense(X, *rest)
        index = self.pick([np.int32, np.int64])
        rows, columns = np.nonzero(X)
        indptr = np.searchsorted(rows, np.arange(n + 1)).astype(index)
        return _kernels.csr(X[rows, columns], columns.astype(index), indptr, int(p), *rest)

    def argument(self, name, drawn):
        """Return a value for the argument `name`: mostly one that fits, where `drawn` rows are drawn."""
        if name == "order":
            return self.order()
        if name == "batch":
            return self.pick([1, 1, 2, 3, 9, 0, -1, 2**40 + 1, 2**63, 2**64 - 1, 1.5])
        if name in ("n_seen", "n_samples", "intercept_square"):
            return self.pick([0, 1, int(self.n), int(self.n), int(self.n) + 1, -1, 1.0, np.nan, np.inf])
        if name == "n_threads":
            return self.pick([1, 1, 2, 4, 0, -1, 2**63])
        if name == "rule":
            return self.rule()
        if self.rng.random() < 0.9:
            return self.rng.standard_normal(self.pick(sizes_of(name, self.n, self.p, self.K, drawn)))
        return self.array()

    def order(self):
        n, kind = int(self.n), self.rng.random()
        if kind < 0.8:
            return self.rng.integers(0, n, self.rng.integers(0, 10))
        if kind < 0.9:
            return np.array([self.pick([-1, 0, n - 1, n, n + 1, 2**62, -(2**63)]) for _ in range(3)])
        return self.array()

    def array(self):
        """Return an array of some size, type, order and content, or what is none."""
        n, p, K = self.n, self.p, self.K
        size = self.pick([n, K, n * K, (p + 1) * K, p, p + 1, K * K, (p + 1) ** 2, 9, 0, 1])
        with np.errstate(all="ignore"):
            array = np.full(size, self.pick(VALUES)).astype(self.pick(DTYPES))
        kind = self.pick(KINDS)
        if kind == "read-only":
            array.flags.writeable = False
        others = {
            "strided": lambda: np.repeat(array, 2)[::2],
            "reversed": lambda: array[::-1],
            "2-D": lambda: array[None],
            "list": array.tolist,
            "none": lambda: None,
            "empty": lambda: array[:0],
        }
        return others.get(kind, lambda: array)()

    def rule(self):
        name = self.pick(list(RULES))
        vectors, numbers = RULES[name]
        size = (self.p + 1) * self.K + self.pick([0, 0, 0, 1])
        return getattr(_kernels, name)(*(np.zeros(size) for _ in range(vectors)), *numbers)


@pytest.mark.parametrize("method", METHODS)
def test_fuzz_a_method(method):
    """Arguments of the right names, whose size, type, order and values are drawn: refused or taken, both happen."""
    outcomes = {"refused": 0, "taken": 0}
    for seed in range(CALLS):
        fuzzer = Fuzzer(seed)
        kernels, arguments = fuzzer.kernels(), {}
        for name in argument_names(method):
            order = arguments.get("order")
            arguments[name] = fuzzer.argument(name, len(order) if isinstance(order, np.ndarray) else 0)
        try:
            getattr(kernels, method)(**arguments)
        except (TypeError, ValueError):
            outcomes["refused"] += 1
        else:
            outcomes["taken"] += 1
    assert min(outcomes.values()) > 0, outcomes


def argument_names(method):
    """Return the names in the signature of a compiled method."""
    signature = getattr(_kernels.FiniteSum, method).__doc__.splitlines()[0]
    inside = signature[signature.index("(") + 1 : signature.rindex(") ->")]
    names, depth, name = [], 0, ""
    for letter in inside + ",":
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            names.append(name.split(":")[0].strip())
            name = ""
        else:
            name += letter
    return [name for name in names if name not in ("self", "")]


def sizes_of(name, n, p, K, drawn):
    """Return the sizes that methods ask of an argument."""
    flat = (p + 1) * K
    return {
        **{key: [flat] for key in ["theta", "sum", "total", "full_gradient"]},
        **{key: [n * K] for key in ["z", "residual", "table", "snapshot_residual", "initial_residual"]},
        **{key: [drawn * K] for key in ["steps", "eta"]},
        **{key: [n] for key in ["squared_norm", "frequency", "norms"]},
        **{key: [p] for key in ["mean", "inverse_scale", "stored", "first", "second"]},
        **{key: [K, 1] for key in ["shift", "value"]},
        **{"weight": [n, drawn], "centre": [flat, p], "gradient": [flat, K], "r": [n * K, drawn * K]},
        **{"out": [flat, drawn * (p + 1)], "hessian": [K * K, 1], "root": [drawn, n, 2 * n]},
        "gram": [(p + 1) * (p + 2) // 2, (p + 1) ** 2, (p + 1) * (2 * p + 3)],
    }[name]
