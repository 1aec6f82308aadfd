"""How long until F is within 1e-3, 1e-4, 1e-6 and 1e-8 of its minimum: skvr's default solver against other libraries.

    python examples/benchmarks/time_to_accuracy.py
    python examples/benchmarks/time_to_accuracy.py --data digits dense text-ridge --n-alpha 1 --intercept yes
    python examples/benchmarks/time_to_accuracy.py --folder FOLDER --threads 1 2 --json results.json
    python examples/benchmarks/time_to_accuracy.py --data breast_cancer dense text-ridge --small --intercept yes

A problem is a data set, a penalty (n alpha is 1/C of logistic regression, scikit-learn's alpha of ridge regression) and
whether there is an intercept; problems.py has the data, contenders.py the solvers. ``--folder`` takes, in place of the
generated data, every NumPy archive of a folder, with `X` or the CSR arrays `data`, `indices`, `indptr` and `shape`, and
`y`: labels, or targets where it has more than 20 values. Libraries that are not installed are left out and named.

Every contender is fitted from scratch at growing budgets. The true (F - F*) / F* of what it returned is computed
outside the times, with one function for all; F* is the least F that any fit found, among them a few very accurate ones.
There are two stages:

- the search: one fit a budget, until 1e-8 is reached, more iterations change nothing, or a fit, which then does not
  count, takes longer than --time-limit seconds or than --give-up times the fastest time to 1e-8 so far, skvr's first;
- the race: the first budget to reach each level is fitted again, the contenders in turn, --repetitions times. The time
  to a level is the smallest of all fits of the race that are at least that accurate.

A table a problem: time / time of skvr auto, so above 1 skvr is faster, and in parentheses effective passes, the time
over that of one X @ w and X.T @ r; "-" is a level not reached within the limits. "best seen" is the smallest
(F - F*) / F* of the search. The last row is time of skvr auto / time of the best other, so below 1 skvr is the fastest.
Seconds are given for skvr alone, for orientation: they say more of the machine. Fits of a few milliseconds are mostly
input checks.
"""

import argparse
import contextlib
import itertools
import json
import time
import warnings

import numpy as np
import scipy.sparse as sp
from contenders import contenders
from problems import Problem, data_sets
from scipy.linalg import LinAlgWarning
from scipy.optimize import OptimizeWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

ACCURATE_EPOCHS = 1000  # of skvr's fit for F*, which ends before where rounding errors rule
LEVELS = [1e-3, 1e-4, 1e-6, 1e-8]
REFERENCE_ITERATIONS = 300
MESSAGES = ["Line Search failed", "The line search algorithm", "Rounding errors prevent", "Sigmoid function too close"]
# What a library may raise that does not support a problem (sparse rows with an intercept, say) or fails on it.
REFUSALS = (ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError)


@contextlib.contextmanager
def unconverged():
    """Silence what fits say that end at their budget, and nothing else."""
    # SciPy's cg divides by zero when it is exactly there; NaN is no finite F.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        for category in (ConvergenceWarning, LinAlgWarning, OptimizeWarning):
            warnings.simplefilter("ignore", category)
        for message in MESSAGES:
            warnings.filterwarnings("ignore", message=message)
        yield


def timed(contender, budget):
    """Return the seconds of a fit, and its coefficients and intercept."""
    with unconverged():
        start = time.perf_counter()
        coef, intercept = contender.fit(budget)
        return time.perf_counter() - start, coef, intercept


def pass_seconds(X):
    """Return the seconds of X @ w and X.T @ r, the smallest of several."""
    w, r = np.ones(X.shape[1]), np.ones(X.shape[0])
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        X @ w
        X.T @ r
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def references(problem, accurate_skvr):
    """Return the F of very accurate fits: skvr's, and those of scikit-learn that suit the size."""
    p = problem.X.shape[1]
    options = {"fit_intercept": problem.fit_intercept}
    if problem.loss == "squared":
        names = ["lsqr"] if sp.issparse(problem.X) or p > 2000 else ["cholesky"]
        options |= {"alpha": problem.n_alpha, "tol": 1e-15, "max_iter": 10 * REFERENCE_ITERATIONS}
        fits = [Ridge(solver=name, **options) for name in names]
    else:
        names = ["newton-cg", "newton-cholesky"] if p * problem.n_outputs <= 1000 else ["newton-cg"]
        options |= {"C": 1 / problem.n_alpha, "tol": 1e-12, "max_iter": REFERENCE_ITERATIONS}
        fits = [LogisticRegression(solver=name, **options) for name in names]
    found = {"skvr auto": problem.objective(*accurate_skvr)}
    with unconverged():
        for name, estimator in zip(names, fits, strict=True):
            estimator.fit(problem.X, problem.y)
            found[f"sklearn {name}"] = problem.objective(estimator.coef_, estimator.intercept_)
    return found


def search(contender, problem, minimum, limit):
    """Return the fits of growing budgets, [(budget, seconds, F)], and why it was cut short, if by an error."""
    fits, last = [], None
    for budget in contender.budgets:
        try:
            seconds, coef, intercept = timed(contender, budget)
        except REFUSALS as error:
            return fits, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if seconds > limit:
            break
        fits.append((budget, seconds, problem.objective(coef, intercept)))
        stuck = isinstance(budget, int) and last is not None and np.array_equal(coef, last)
        if fits[-1][2] - minimum <= LEVELS[-1] * minimum or stuck:
            break
        last = np.copy(coef)
    return fits, None


def first_to_reach(fits, minimum):
    """Return {budget: level}, the first budget to reach each level, with the lowest level of each."""
    chosen = {}
    for level in LEVELS:
        budget = next((budget for budget, _, F in fits if F - minimum <= level * minimum), chosen)
        if budget is not chosen:
            chosen[budget] = level
    return chosen


def race(entries, repetitions):
    """Return {name: seconds to each level} of [(contender, {budget: level})], fitted in turn."""
    seconds = {contender.name: [np.inf] * len(LEVELS) for contender, _ in entries}
    for _ in range(repetitions):
        for contender, chosen in entries:
            for budget, reached in chosen.items():
                taken, _, _ = timed(contender, budget)
                for i, level in enumerate(LEVELS):
                    if reached <= level:
                        seconds[contender.name][i] = min(seconds[contender.name][i], taken)
    return seconds


def run(problem, threads, arguments):
    """Return the results of a problem as a dict."""
    one_pass = pass_seconds(problem.X)
    entries, missing = contenders(problem, threads)
    _, *accurate = timed(entries[0], ACCURATE_EPOCHS)
    reference = references(problem, accurate)
    minimum, limit = min(reference.values()), arguments.time_limit
    searches, errors = {}, {}
    for contender in entries:
        fits, error = search(contender, problem, minimum, limit)
        searches[contender.name] = fits
        if error:
            errors[contender.name] = error
        if fits and fits[-1][2] - minimum <= LEVELS[-1] * minimum:
            limit = min(limit, arguments.give_up * fits[-1][1])
        minimum = min([minimum, *(F for _, _, F in fits)])
    chosen = [(contender, first_to_reach(searches[contender.name], minimum)) for contender in entries]
    return {
        "problem": problem.name,
        "threads": threads,
        "shape": problem.X.shape,
        "pass": one_pass,
        "minimum": minimum,
        "references": {name: F / minimum - 1 for name, F in reference.items()},
        "searches": searches,
        "seconds": race(chosen, arguments.repetitions),
        "errors": errors,
        "missing": sorted(missing),
    }


def best_others(result):
    """Return (name, seconds) of the fastest contender but skvr's at each level."""
    _, *others = result["seconds"].items()
    return [min(((name, times[i]) for name, times in others), key=lambda pair: pair[1]) for i in range(len(LEVELS))]


def over_best(result):
    """Return skvr's time over the best other's at each level: 0 or inf where one of them alone reaches it, else nan."""
    own = next(iter(result["seconds"].values()))
    ratios = []
    for mine, (_, theirs) in zip(own, best_others(result), strict=True):
        alone = 0.0 if np.isfinite(mine) else np.inf if np.isfinite(theirs) else np.nan
        ratios.append(mine / theirs if np.isfinite(mine) and np.isfinite(theirs) else alone)
    return ratios


def row(*cells):
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |")


def report(result):
    """Print the table of a problem."""
    auto, *others = result["seconds"]
    own = result["seconds"][auto]
    n, p = result["shape"]
    print(f"\n### {result['problem']} ({n} x {p}), threads = {result['threads']}\n")
    row("time / skvr auto (passes)", *(f"{level:.0e}" for level in LEVELS), "best seen")
    row(*["---"] * (len(LEVELS) + 2))
    row("skvr auto, seconds", *(f"{s:.4f}" if np.isfinite(s) else "-" for s in own), "")
    for name in [auto, *sorted(others, key=lambda name: [*result["seconds"][name][::-1]])]:
        cells = []
        for mine, theirs in zip(own, result["seconds"][name], strict=True):
            ratio = f"{theirs / mine:.2f}" if np.isfinite(mine) else "alone"
            cells.append(f"{ratio} ({theirs / result['pass']:.0f})" if np.isfinite(theirs) else "-")
        best = min((F for _, _, F in result["searches"][name]), default=np.inf) / result["minimum"] - 1
        row(name, *cells, f"{best:.0e}")
    labelled = zip(over_best(result), best_others(result), strict=True)
    row("**auto / best other**", *("-" if np.isnan(r) else f"**{r:.2f}** {name}" for r, (name, _) in labelled), "")
    gaps = ", ".join(f"{name} {gap:.0e}" for name, gap in result["references"].items())
    print(f"\nF* = {result['minimum']:.9g}; above it, relatively, were the accurate fits by {gaps}.")
    for name, error in result["errors"].items():
        print(f"{name} stopped at {error}")
    if result["missing"]:
        print(f"Not installed: {', '.join(result['missing'])}.")


def summarise(results):
    """Print how often skvr was the fastest."""
    print("\n### skvr auto / best other, over all problems\n")
    row("level", "fastest", "median ratio", "largest ratio")
    row(*["---"] * 4)
    ratios = np.array([over_best(result) for result in results])
    for name, r in [*zip([f"{level:.0e}" for level in LEVELS], ratios.T, strict=True), ("all", ratios.ravel())]:
        r = r[~np.isnan(r)]
        if len(r):
            row(name, f"{np.sum(r <= 1)} of {len(r)}", f"{np.median(r):.2f}", f"{r.max():.2f}")


def warm_up(threads):
    """Fit every contender once to small data of every kind, which imports and loads what comes lazily."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    for y in (rng.integers(2, size=60), rng.integers(3, size=60), rng.standard_normal(60)):
        for rows, intercept in itertools.product((X, sp.csr_matrix(X)), (True, False)):
            for contender in contenders(Problem("warm-up", rows, y, 1.0, intercept), threads)[0]:
                with contextlib.suppress(*REFUSALS):
                    timed(contender, contender.budgets[0])


def parse():
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", metavar="NAME", help="names of data sets (default: all)")
    parser.add_argument("--folder", metavar="PATH", help="take the .npz archives of a folder as data sets")
    parser.add_argument("--small", action="store_true", help="a twentieth of the rows of generated data")
    parser.add_argument("--n-alpha", nargs="+", type=float, default=[1.0, 0.01], metavar="X", help="default: 1 0.01")
    parser.add_argument("--intercept", nargs="+", choices=["yes", "no"], default=["yes", "no"], help="default: yes no")
    parser.add_argument("--threads", nargs="+", type=int, default=[1], metavar="N", help="default: 1")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="fits in the race, default: 3")
    parser.add_argument("--time-limit", type=float, default=20, metavar="S", help="seconds of a fit, default: 20")
    parser.add_argument("--give-up", type=float, default=5, metavar="X", help="times the fastest, default: 5")
    parser.add_argument("--json", metavar="PATH", help="write all results here")
    return parser.parse_args()


def main():
    """Run all problems."""
    arguments = parse()
    available = data_sets(arguments.folder, divisor=20 if arguments.small else 1)
    names = arguments.data or list(available)
    if unknown := set(names) - set(available):
        raise SystemExit(f"No data named {', '.join(sorted(unknown))}; there are {', '.join(available)}.")
    warm_up(max(arguments.threads))
    results = []
    for threads in arguments.threads:
        # After the warm-up: only libraries that are loaded by now are limited.
        with threadpool_limits(limits=threads):
            for name in names:
                X, y = available[name]()
                for n_alpha, intercept in itertools.product(arguments.n_alpha, arguments.intercept):
                    results.append(run(Problem(name, X, y, n_alpha, intercept == "yes"), threads, arguments))
                    report(results[-1])
                    if arguments.json:
                        with open(arguments.json, "w") as file:
                            json.dump(results, file)
    summarise(results)


if __name__ == "__main__":
    main()
