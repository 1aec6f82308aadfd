"""The contenders of time_to_accuracy.py: skvr's default solver, scikit-learn's solvers, and libraries where installed.

Each family is a generator of contenders for a problem, and imports its library itself. A contender is fitted from
scratch at growing budgets: numbers of iterations with a tolerance of (nearly) zero, which lets every iterate count;
tolerances where a solver is not meant to be cut off; or the one budget of a direct method. All get the same arrays, C-
ordered or CSR, float64. Two conversions by hand stand outside the times, in the contenders' favour: the labels that a
library wants, and the rows of LIBLINEAR's own package, whose conversion is Python.

They solve the same problem, with exceptions that the true F judges: liblinear and snapml penalise the intercept, as a
coefficient of a constant column, unless said otherwise ("-R"). scikit-learn's liblinear runs with that column 1 and,
the primal solver, 100, where the penalty nearly vanishes; the dual one is then far too slow.

Left out: what solves another problem (liblinear, glum, snapml and tick have no softmax), what would form a dense matrix
of more than MOST_PARAMETERS squared, snapml's primal solver with an intercept, which returns an intercept of 0, and
cyanure's qning-svrg on sparse rows of several classes, which crashes.
"""

import logging
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

import skvr

ITERATIONS = sorted({round(1.4**k) for k in range(35)})  # 1, 2, 3, 4, 5, 8, ..., 93,000
STEPS = sorted({round(1.2**k) for k in range(40)})  # of Newton methods, which take few
TOLERANCES = [10.0**-k for k in range(1, 13)]
DIRECT = [None]
MOST_PARAMETERS = 6_000


class Contender(NamedTuple):
    """A solver of one problem: fit(budget) returns coefficients and intercept."""

    name: str
    budgets: list
    fit: callable


def coefficients(estimator):
    """Return those of an estimator with scikit-learn's attributes."""
    return estimator.coef_, estimator.intercept_


def of_skvr(problem, threads):
    """Yield skvr's default solver at growing max_iter; its tol is out of reach."""

    def fit(epochs):
        options = {"fit_intercept": problem.fit_intercept, "tol": 1e-14, "max_iter": epochs, "n_jobs": threads}
        if problem.loss == "squared":
            estimator = skvr.Ridge(alpha=problem.n_alpha, random_state=0, **options)
        else:
            estimator = skvr.LogisticRegression(C=1 / problem.n_alpha, random_state=0, **options)
        return coefficients(estimator.fit(problem.X, problem.y))

    yield Contender("skvr auto", STEPS, fit)


def of_sklearn(problem, threads):
    """Yield scikit-learn's solvers."""
    from sklearn.linear_model import LogisticRegression, Ridge

    common = {"fit_intercept": problem.fit_intercept, "random_state": 0}
    n, p = problem.X.shape

    def ridge(name, budgets):
        def fit(budget):
            options = {"tol": 0, "max_iter": budget} if isinstance(budget, int) else {"tol": budget or 1e-4}
            estimator = Ridge(alpha=problem.n_alpha, solver=name, **common, **options)
            return coefficients(estimator.fit(problem.X, problem.y))

        return Contender(f"sklearn {name}", budgets, fit)

    def logistic(name, budgets, label=None, **options):
        def fit(budget):
            limits = {"tol": 0, "max_iter": budget} if isinstance(budget, int) else {"tol": budget, "max_iter": 1000}
            estimator = LogisticRegression(C=1 / problem.n_alpha, solver=name, **common, **options, **limits)
            return coefficients(estimator.fit(problem.X, problem.y))

        return Contender(f"sklearn {label or name}", budgets, fit)

    if problem.loss == "squared":
        if min(n, p) <= MOST_PARAMETERS:
            yield ridge("cholesky", DIRECT)
            if not sp.issparse(problem.X):
                yield ridge("svd", DIRECT)
        yield ridge("lsqr", ITERATIONS)
        if not (sp.issparse(problem.X) and problem.fit_intercept):  # there "sag" is sparse_cg, "saga" refused
            for name in ("sag", "saga"):
                yield ridge(name, ITERATIONS)
        # With p > n it has no regard for max_iter, and a tol that rounding errors do not let it reach never ends it.
        yield ridge("sparse_cg", ITERATIONS if p <= n else TOLERANCES[:8])
        return
    yield logistic("lbfgs", ITERATIONS)
    yield logistic("newton-cg", STEPS)
    if (p + 1) * problem.n_outputs <= MOST_PARAMETERS:
        yield logistic("newton-cholesky", STEPS)
    if problem.loss == "logistic":
        yield logistic("liblinear", TOLERANCES)
        yield logistic("liblinear", TOLERANCES, "liblinear dual", dual=True)
        if problem.fit_intercept:
            yield logistic("liblinear", TOLERANCES, "liblinear, scaling 100", intercept_scaling=100)
    for name in ("sag", "saga"):
        yield logistic(name, ITERATIONS)


def of_liblinear(problem, threads):
    """Yield the current LIBLINEAR, which need not penalise the intercept of the primal problem."""
    from liblinear import liblinearutil

    if problem.loss != "logistic":
        return
    prepared = liblinearutil.problem(problem.signs, problem.X)

    def contender(name, kind, bias):
        def fit(tol):
            model = liblinearutil.train(prepared, f"-q -s {kind} -c {1 / problem.n_alpha:.17g} -e {tol} {bias}")
            coef, intercept = model.get_decfun()  # of the label that comes first, without the last columns if empty
            sign = model.get_labels()[0]
            return sign * np.pad(coef, (0, problem.X.shape[1] - len(coef))), sign * intercept

        return Contender(name, TOLERANCES, fit)

    yield contender("LIBLINEAR -s 0 -R", 0, "-B 1 -R" if problem.fit_intercept else "")
    yield contender("LIBLINEAR -s 7", 7, "-B 1" if problem.fit_intercept else "")


def of_cyanure(problem, threads):
    """Yield Cyanure. It looks at its gap, and returns what it had then, every 10 epochs (its default)."""
    from cyanure.estimators import LogisticRegression, Regression

    logging.getLogger("Cyanure").setLevel("WARNING")

    def contender(solver):
        def fit(epochs):
            options = {"solver": solver, "fit_intercept": problem.fit_intercept, "lambda_1": problem.alpha}
            options |= {"tol": 1e-14, "max_iter": epochs, "n_threads": threads, "verbose": False}
            if problem.loss == "squared":
                estimator = Regression(**options)
            else:
                kind = "multinomial" if problem.loss == "softmax" else "auto"
                estimator = LogisticRegression(multi_class=kind, **options)
            estimator.fit(problem.X, problem.y)
            return estimator.coef_.T, estimator.intercept_ if problem.fit_intercept else 0

        return Contender(f"cyanure {solver}", sorted({k if k < 8 else 10 * round(k / 10) for k in ITERATIONS}), fit)

    yield contender("auto")
    yield contender("catalyst-miso")
    if not (problem.loss == "softmax" and sp.issparse(problem.X)):
        yield contender("qning-svrg")


def of_glum(problem, threads):
    """Yield glum."""
    from glum import GeneralizedLinearRegressor

    if problem.loss == "softmax":
        return
    y = problem.y.astype(float)

    def contender(solver, budgets):
        def fit(budget):
            options = {} if budget is None else {"max_iter": budget, "gradient_tol": 1e-15}
            family = "normal" if problem.loss == "squared" else "binomial"
            options |= {"alpha": problem.alpha, "fit_intercept": problem.fit_intercept, "family": family}
            return coefficients(GeneralizedLinearRegressor(solver=solver, **options).fit(problem.X, y))

        return Contender(f"glum {solver}", budgets, fit)

    if problem.X.shape[1] <= MOST_PARAMETERS:
        yield contender("closed-form", DIRECT) if problem.loss == "squared" else contender("irls-ls", STEPS)
    yield contender("lbfgs", ITERATIONS)


def of_snapml(problem, threads):
    """Yield Snap ML."""
    from snapml import LinearRegression, LogisticRegression

    if problem.loss == "softmax":
        return
    Estimator = LinearRegression if problem.loss == "squared" else LogisticRegression
    y = problem.y if problem.loss == "squared" else problem.signs

    def contender(dual):
        def fit(epochs):
            options = {"regularizer": problem.n_alpha, "fit_intercept": problem.fit_intercept, "random_state": 0}
            estimator = Estimator(dual=dual, tol=0.0, max_iter=epochs, n_jobs=threads, **options).fit(problem.X, y)
            return estimator.coef_, estimator.intercept_ if problem.fit_intercept else 0

        return Contender(f"snapml {'dual' if dual else 'primal'}", ITERATIONS, fit)

    yield contender(True)
    if not problem.fit_intercept:
        yield contender(False)


def of_tick(problem, threads):
    """Yield tick's SVRG at its default step size."""
    import numpydoc  # noqa: F401  tick reads its own documentation with it, and fails at a fit without
    from tick.linear_model import LinearRegression, LogisticRegression

    if problem.loss == "softmax":
        return
    Learner = LinearRegression if problem.loss == "squared" else LogisticRegression
    y = problem.y if problem.loss == "squared" else problem.signs

    def fit(epochs):
        options = {"C": 1 / problem.alpha, "fit_intercept": problem.fit_intercept, "random_state": 0}
        learner = Learner(solver="svrg", tol=0, max_iter=epochs, verbose=False, record_every=10**6, **options)
        learner.fit(problem.X, y)
        return learner.weights, learner.intercept if problem.fit_intercept else 0

    yield Contender("tick svrg", ITERATIONS, fit)


FAMILIES = [of_skvr, of_sklearn, of_liblinear, of_cyanure, of_glum, of_snapml, of_tick]


def contenders(problem, threads):
    """Return the contenders of a problem, skvr's first, and the names of the modules that are not installed."""
    found, missing = [], set()
    for family in FAMILIES:
        try:
            found.extend(family(problem, threads))
        except ModuleNotFoundError as error:
            missing.add(error.name)
    return found, missing
