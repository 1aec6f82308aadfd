"""Time of two fits in turn over that of the same two in two threads, and in two processes.

    python examples/benchmarks/parallel_fits.py
    python examples/benchmarks/parallel_fits.py --solvers sag auto --repetitions 9

prints a line a layout and solver: the medians, with the smallest and largest, over the repetitions, in which the three
alternate. Wall-clock times of fits of about half a second: two idle cores are needed. Processes have no lock in common,
but each begins with copies of pages that it writes to.
"""

import argparse
import multiprocessing
import threading
import time

import numpy as np
import scipy.sparse as sp

from skvr import LogisticRegression
from skvr.solvers import SOLVERS

SHAPES = {"dense": (20_000, 200), "wide dense": (1_000, 4_000), "short csr": (50_000, 2_000), "csr": (20_000, 50_000)}
VALUES_PER_ROW = {"short csr": 15, "csr": 140}
SECONDS = 0.5  # of a fit, about
AUTO_TOL = 1e-10  # of `auto`, which is run to its end: its passes are not all alike


def problem(layout):
    """Return rows, dense standard normal ones or sparse ones with columns as frequent as words, and noisy labels."""
    rng = np.random.default_rng(0)
    n, p = SHAPES[layout]
    if layout in VALUES_PER_ROW:
        m = VALUES_PER_ROW[layout]
        columns = (p ** rng.random(n * m)).astype(np.int64) - 1
        X = sp.csr_matrix((rng.standard_normal(n * m), columns, np.arange(0, n * m + 1, m)), shape=(n, p))
        X.sum_duplicates()
    else:
        X = rng.standard_normal((n, p))
    z = X @ rng.standard_normal(p)
    return X, (z + z.std() * rng.standard_normal(n) > 0).astype(int)


def fit(X, y, solver, max_iter, seed):
    tol = AUTO_TOL if solver == "auto" else None
    LogisticRegression(solver=solver, tol=tol, max_iter=max_iter, random_state=seed).fit(X, y)


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def side_by_side(worker, arguments):
    """Run two fits at the same time, each in a worker of its own."""
    workers = [worker(target=fit, args=(*arguments, seed)) for seed in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()


def measure(X, y, solver, repetitions):
    """Return the ratios of threads and of processes, one a repetition."""
    epochs = 1000
    if solver != "auto":
        epoch = min(seconds(lambda: fit(X, y, solver, 3, 0)) for _ in range(2)) / 3
        epochs = max(3, round(SECONDS / epoch))
    arguments = X, y, solver, epochs
    process = multiprocessing.get_context("fork").Process
    ratios = []
    for _ in range(repetitions):
        in_turn = seconds(lambda: [fit(*arguments, seed) for seed in range(2)])
        threads = seconds(lambda: side_by_side(threading.Thread, arguments))
        processes = seconds(lambda: side_by_side(process, arguments))
        ratios.append((in_turn / threads, in_turn / processes))
    return np.array(ratios).T


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS), choices=list(SOLVERS))
    parser.add_argument("--layouts", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    print("layout, solver: threads (smallest - largest), processes (smallest - largest)")
    for layout in arguments.layouts:
        X, y = problem(layout)
        for solver in arguments.solvers:
            columns = [
                f"{np.median(ratio):.2f} ({ratio.min():.2f} - {ratio.max():.2f})"
                for ratio in measure(X, y, solver, arguments.repetitions)
            ]
            print(f"{layout}, {solver}: {', '.join(columns)}", flush=True)


if __name__ == "__main__":
    main()
