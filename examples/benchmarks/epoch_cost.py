"""What an epoch costs: skvr's sag against scikit-learn's sag, and every solver's pass against a pass of NumPy or SciPy.

    python examples/benchmarks/epoch_cost.py
    python examples/benchmarks/epoch_cost.py --news20 news20.npz

Binary logistic regressions: dense rows (60,000 x 200, 20,000 x 784 and 8,000 x 2,000) in float64 and float32, sparse
text (19,953 x 74,206, about 137 non-zeros a row) and short sparse rows (32,561 x 123, 14 non-zeros a row). All are
generated; ``--news20`` takes real text in place of the generated one, a NumPy archive with the CSR arrays `data`,
`indices`, `indptr`, the `shape`, and labels `y` of two classes.

The contestants run in turn in this process, on one thread. An epoch of scikit-learn is the time of a fit of 12 epochs
less that of a fit of 2, divided by 10, which removes the set-up; an epoch of skvr is the difference of the same two
epochs in its `history_`. Printed are medians over the repetitions of ratios, with the smallest and the largest; never
seconds, which say more of the machine.

Neither library may stop early: scikit-learn runs with tol=0, skvr with tol=1e-30. skvr evaluates F as it goes (epochs
1, 2, 3, then ever more rarely: 7 evaluations between epochs 2 and 12), a pass each time; scikit-learn does not. So
there are three comparisons:

- own epochs: skvr's `history_["seconds"]`, which leaves the evaluations out;
- with evaluations: with `history_["evaluation_seconds"]` added;
- whole fits: the times of the fits of 12 epochs, set-up and evaluations included.

The solvers are compared an effective pass (n row gradients; an epoch of svrg with its share of the full gradients is
more than one) with X @ w and X.T @ r, which any method must do at least. An epoch is all of it: the drawing of the
order of the rows and the step sizes are counted.
"""

import argparse
import time
import warnings

import numpy as np
import scipy.sparse as sp
import sklearn.linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

import skvr

EPOCHS = 2, 12
OTHERS = ["gd", "sgd", "minibatch", "sag", "saga", "svrg", "adagrad", "rmsprop", "adadelta", "adam"]


def dense_problem(rng, n_rows, n_columns):
    """Return standard normal rows and labels of a noisy linear rule."""
    X = rng.standard_normal((n_rows, n_columns))
    return X, labels(X, rng)


def text_problem(rng):
    """Return rows of unit length whose columns are drawn with the frequencies of words, and labels."""
    n_rows, n_columns, draws = 19_953, 74_206, 143  # a column drawn twice in a row is one non-zero
    frequency = 1 / (np.arange(n_columns) + 30.0)
    columns = rng.choice(n_columns, size=n_rows * draws, p=frequency / frequency.sum())
    values = np.ones(columns.size)
    X = sp.csr_matrix((values, columns, np.arange(0, columns.size + 1, draws)), shape=(n_rows, n_columns))
    X.sum_duplicates()
    X = normalize(X)
    return X, labels(X, rng)


def short_problem(rng):
    """Return rows of 14 ones among 123 columns, as one-hot coding makes, and labels."""
    n_rows, n_columns, ones = 32_561, 123, 14
    columns = np.sort(np.argsort(rng.random((n_rows, n_columns)), axis=1)[:, :ones], axis=1)
    indptr = np.arange(0, columns.size + 1, ones)
    X = sp.csr_matrix((np.ones(columns.size), columns.ravel(), indptr), shape=(n_rows, n_columns))
    return X, labels(X, rng)


def labels(X, rng):
    """Return labels 0 and 1 of a linear rule with noise of the size of its signal."""
    z = X @ rng.standard_normal(X.shape[1])
    return (z + z.std() * rng.standard_normal(len(z)) > 0).astype(int)


def load_text(path):
    """Return the CSR matrix and the labels of a NumPy archive."""
    with np.load(path) as archive:
        X = sp.csr_matrix((archive["data"], archive["indices"], archive["indptr"]), shape=tuple(archive["shape"]))
        return X, archive["y"]


def fit(estimator, X, y):
    """Return the seconds of a fit that must not converge, and the estimator."""
    with warnings.catch_warnings():
        # Ending at max_iter is what is asked for here; nothing else is silenced.
        for message in ("The max_iter was reached", "SAG reached a certified relative suboptimality of"):
            warnings.filterwarnings("ignore", message=message, category=ConvergenceWarning)
        start = time.perf_counter()
        estimator.fit(X, y)
        return time.perf_counter() - start, estimator


def sag_of_sklearn(max_iter):
    """Return scikit-learn's estimator."""
    return sklearn.linear_model.LogisticRegression(solver="sag", tol=0, max_iter=max_iter, random_state=0)


def sag_of_skvr(max_iter):
    """Return skvr's estimator of the same objective."""
    return skvr.LogisticRegression(solver="sag", tol=1e-30, max_iter=max_iter, random_state=0)


def epoch_of_skvr(estimator, column):
    """Return how much a column of the history grows an epoch, between the two budgets."""
    history = estimator.history_
    first, last = (int(np.flatnonzero(history["epoch"] == epoch)[0]) for epoch in EPOCHS)
    return (history[column][last] - history[column][first]) / (EPOCHS[1] - EPOCHS[0])


def streaming_pass(X):
    """Return the seconds of X @ w and X.T @ r, what one pass must do at least, once X is where an epoch finds it."""
    w, r = np.ones(X.shape[1], dtype=X.dtype), np.ones(X.shape[0], dtype=X.dtype)
    for _ in range(2):
        start = time.perf_counter()
        X @ w
        X.T @ r
        seconds = time.perf_counter() - start
    return seconds


def report(name, ratios):
    """Print the median and the range of the repetitions."""
    print(f"  {name:42s} {np.median(ratios):6.2f}   ({min(ratios):.2f} to {max(ratios):.2f})")


def compare_sag(X, y, repetitions):
    """Print skvr's sag over scikit-learn's."""
    own, evaluated, whole = [], [], []
    few, many = EPOCHS
    for _ in range(repetitions):
        theirs_few, _ = fit(sag_of_sklearn(few), X, y)
        ours_many, estimator = fit(sag_of_skvr(many), X, y)
        theirs_many, _ = fit(sag_of_sklearn(many), X, y)
        theirs = (theirs_many - theirs_few) / (many - few)
        ours = epoch_of_skvr(estimator, "seconds")
        own.append(ours / theirs)
        evaluated.append((ours + epoch_of_skvr(estimator, "evaluation_seconds")) / theirs)
        whole.append(ours_many / theirs_many)
    print("sag, time of skvr / time of scikit-learn: median (smallest to largest)")
    report("an epoch, own epochs", own)
    report("an epoch, with evaluations", evaluated)
    report(f"whole fits of {many} epochs", whole)


def compare_solvers(X, y, repetitions):
    """Print an effective pass of every solver over one streaming pass of NumPy or SciPy."""
    ratios = {name: [] for name in OTHERS}
    for _ in range(repetitions):
        for name in OTHERS:
            one_pass = streaming_pass(X)
            # tol=None runs all epochs and evaluates F after each, which "seconds" leaves out.
            estimator = skvr.LogisticRegression(solver=name, tol=None, max_iter=EPOCHS[1], random_state=0)
            fit(estimator, X, y)
            seconds, passes = (epoch_of_skvr(estimator, column) for column in ("seconds", "passes"))
            ratios[name].append(seconds / passes / one_pass)
    print("an effective pass of skvr / (X @ w and X.T @ r): median (smallest to largest)")
    for name in OTHERS:
        report(name, ratios[name])


def main():
    """Run the problems."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--news20", metavar="PATH", help="a .npz file with data, indices, indptr, shape and y")
    parser.add_argument("--repetitions", type=int, default=7, metavar="N", help="default: 7")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    problems = {}
    for shape in ((60_000, 200), (20_000, 784), (8_000, 2_000)):
        X, y = dense_problem(rng, *shape)
        problems |= {f"dense {shape[1]}": (X, y), f"dense float32 {shape[1]}": (X.astype(np.float32), y)}
    problems |= {
        "text": load_text(arguments.news20) if arguments.news20 else text_problem(rng),
        "short rows": short_problem(rng),
    }
    with threadpool_limits(limits=1):
        for name, (X, y) in problems.items():
            per_row = X.nnz / X.shape[0] if sp.issparse(X) else X.shape[1]
            print(f"\n{name}: {X.shape[0]} x {X.shape[1]}, {per_row:.0f} non-zeros a row, {X.dtype}")
            compare_sag(X, y, arguments.repetitions)
            compare_solvers(X, y, arguments.repetitions)


if __name__ == "__main__":
    main()
