"""Time of mini-batch epochs on one thread over that on two, by the size of the batch.

    python examples/benchmarks/batch_threads.py

prints a line a batch. Wall-clock times: two idle cores are needed. The least of several epochs counts, alternately on
one thread and on two.
"""

import argparse

import numpy as np

from skvr import LogisticRegression, solvers

SHAPES = [(40_000, 784, 2), (400_000, 50, 2), (1_600, 20_000, 2), (20_000, 300, 10)]  # rows, features, classes


def seconds_per_epoch(X, y, batch, n_jobs):
    """Return the least seconds of an epoch."""
    solver = solvers.MiniBatch(step_size=1e-3, batch_size=batch)
    model = LogisticRegression(solver=solver, tol=None, max_iter=4, n_jobs=n_jobs, random_state=0).fit(X, y)
    return np.diff(model.history_["seconds"]).min()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", default="float64", choices=["float32", "float64"])
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    print("rows x features, classes, values a batch, ratio")
    for n, p, n_classes in SHAPES:
        X = rng.standard_normal((n, p), dtype=arguments.dtype)
        y = rng.integers(0, n_classes, n)
        for values in (2**16, 2**17, 2**18, 2**20, 2**22):
            batch = -(-values // p)
            times = [
                [seconds_per_epoch(X, y, batch, n_jobs) for n_jobs in (1, 2)] for _ in range(arguments.repetitions)
            ]
            one, two = np.min(times, axis=0)
            print(f"{n} x {p}, {n_classes}, {batch * p:.1e}, {one / two:.2f}", flush=True)


if __name__ == "__main__":
    main()
