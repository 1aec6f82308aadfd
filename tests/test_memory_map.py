"""`fit` on a memory-mapped file larger than the memory that the process may take."""

import subprocess
import sys

import numpy as np
import pytest

from skvr.solvers import SOLVERS

resource = pytest.importorskip("resource", reason="limits of a process's memory are POSIX's")
N, P = 400_000, 64  # float64: 205 MB
ALLOWED = 100 * 2**20

SCRIPT = """
import resource
import sys
import warnings

import numpy as np
from skvr import LogisticRegression

path, solver, allowed = sys.argv[1], sys.argv[2], int(sys.argv[3])
X = np.load(path, mmap_mode="r")
y = X[:, 0] > 0
warnings.simplefilter("ignore")
model = LogisticRegression(solver=solver, max_iter=2, random_state=0)
model.fit(X[:1000], y[:1000])  # what is loaded and started once is not the fit's
in_use = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (in_use + allowed,) * 2)
try:
    X + 1
except MemoryError:
    pass
else:
    sys.exit("the limit does not hold")
model.fit(X, y)
print(model.score(X[:1000], y[:1000]))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "X.npy"
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(N, P))
    rng = np.random.default_rng(0)
    for first in range(0, N, 10_000):
        X[first : first + 10_000] = rng.standard_normal((10_000, P))
    X.flush()
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts private memory apart from mapped files")
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_mapped_file_larger_than_memory_is_fitted_without_a_copy(path, solver):
    assert N * P * 8 > 2 * ALLOWED - 2**20 * 5
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), solver, str(ALLOWED)],
        capture_output=True,
        text=True,
        cwd=path.parent,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) > 0.6
