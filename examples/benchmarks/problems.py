"""The problems of time_to_accuracy.py: data sets, and what F is for each.

Data with integer labels are for logistic regression, data with floats for ridge regression. Generated sets are named
after what is hard about them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from epoch_cost import labels, text_problem
from scipy.special import logsumexp
from sklearn import datasets
from sklearn.preprocessing import scale

MOST_CLASSES = 20  # targets of an archive with at most so many distinct values are labels


@dataclass
class Problem:
    """F(w, b) = mean loss + alpha/2 ||w||^2 on a data set; b is not penalised, and 0 without an intercept."""

    data: str
    X: np.ndarray | sp.csr_matrix
    y: np.ndarray  # targets, or labels 0, 1, ..., K - 1
    n_alpha: float
    fit_intercept: bool

    @property
    def name(self):
        return f"{self.data}, n alpha = {self.n_alpha:g}, {'' if self.fit_intercept else 'no '}intercept"

    @property
    def alpha(self):
        return self.n_alpha / self.X.shape[0]

    @property
    def loss(self):
        if self.y.dtype.kind == "f":
            return "squared"
        return "logistic" if self.y.max() == 1 else "softmax"

    @property
    def n_outputs(self):
        return self.y.max() + 1 if self.loss == "softmax" else 1

    @property
    def signs(self):
        """The labels of two classes as -1.0 and 1.0."""
        return 2.0 * self.y - 1

    def objective(self, coef, intercept):
        """Return F in float64, infinity for coefficients that are not finite."""
        coef = np.asarray(coef, dtype=np.float64).reshape(self.n_outputs, -1)
        z = self.X @ coef.T + np.asarray(intercept, dtype=np.float64).ravel()
        if self.loss == "softmax":
            loss = logsumexp(z, axis=1) - z[np.arange(len(z)), self.y]
        elif self.loss == "logistic":
            loss = np.logaddexp(0, -self.signs * z[:, 0])
        else:
            loss = (self.y - z[:, 0]) ** 2 / 2
        value = loss.mean() + self.alpha / 2 * np.sum(coef**2)
        return value if np.isfinite(value) else np.inf


def targets(X, rng):
    """Return targets of a linear rule with noise of a tenth of its signal."""
    z = X @ rng.standard_normal(X.shape[1])
    return z + 0.1 * z.std() * rng.standard_normal(len(z))


def spectrum(rng, n, p, condition=1e6):
    """Return dense rows whose X'X has eigenvalues from n down to about n / condition."""
    rotation, _ = np.linalg.qr(rng.standard_normal((p, p)))
    return (rng.standard_normal((n, p)) * np.geomspace(1, condition**-0.5, p)) @ rotation


def text(rng, n):
    """Return rows as those of documents, and their labels."""
    X, y = text_problem(rng)
    return X[:n], y[:n]


def frequent_words(rng, n):
    """Return documents by their 2000 most frequent words alone, which a dictionary of fixed size leaves."""
    X, y = text(rng, n)
    return X[:, np.argsort(-X.getnnz(axis=0), kind="stable")[:2000]], y


def separable(rng, n):
    """Return classes that a plane separates: the smaller alpha, the larger the coefficients."""
    X = rng.standard_normal((n, 100))
    return X, (X @ rng.standard_normal(100) > 0).astype(int)


def correlated(rng, n, p):
    """Return the rows of n individuals: 20 hidden factors seen through p columns of different scale, and noise."""
    X = rng.standard_normal((n, 20)) @ rng.standard_normal((20, p)) + rng.standard_normal((n, p))
    return X * np.exp(rng.standard_normal(p))


def heavy(rng, n):
    """Return rows of norms that spread over orders of magnitude."""
    return rng.standard_normal((n, 100)) * np.exp(1.5 * rng.standard_normal((n, 1)))


def rare(rng, n):
    """Return ten one-hot encoded variables of 2,000 categories each, with Zipf's frequencies."""
    frequency = 1 / np.arange(1, 2001)
    category = rng.choice(2000, size=(n, 10), p=frequency / frequency.sum())
    columns = (category + 2000 * np.arange(10)).ravel()
    return sp.csr_matrix((np.ones(10 * n), columns, np.arange(0, 10 * n + 1, 10)), shape=(n, 20_000))


def classes(X, rng):
    """Return the rows and ten classes: the largest of ten noisy linear scores."""
    scores = X @ rng.standard_normal((X.shape[1], 10))
    return X, np.argmax(scores + scores.std() * rng.gumbel(size=scores.shape), axis=1)


def labelled(X, rng):
    """Return the rows with labels of two classes."""
    return X, labels(X, rng)


def targeted(X, rng):
    """Return the rows with targets."""
    return X, targets(X, rng)


def bundled(load, standardise=False, ridge=False):
    """Return a data set that comes with scikit-learn."""
    X, y = load(return_X_y=True)
    X = np.ascontiguousarray(scale(X) if standardise else X)
    return X, y.astype(float) if ridge else y


# name: function of (random generator, divisor of the number of rows)
GENERATED = {
    "iris": lambda rng, d: bundled(datasets.load_iris),
    "wine": lambda rng, d: bundled(datasets.load_wine),
    "breast_cancer": lambda rng, d: bundled(datasets.load_breast_cancer, standardise=True),
    "digits": lambda rng, d: bundled(datasets.load_digits),
    "diabetes-ridge": lambda rng, d: bundled(datasets.load_diabetes, ridge=True),
    "digits-ridge": lambda rng, d: bundled(datasets.load_digits, ridge=True),
    "dense": lambda rng, d: labelled(spectrum(rng, 200_000 // d, 100), rng),
    "dense-ridge": lambda rng, d: targeted(spectrum(rng, 200_000 // d, 100), rng),
    "wide-dense": lambda rng, d: labelled(spectrum(rng, 20_000 // d, 1000), rng),
    "wide-dense-ridge": lambda rng, d: targeted(spectrum(rng, 20_000 // d, 1000), rng),
    "text": lambda rng, d: text(rng, 19_953 // d),
    "text-ridge": lambda rng, d: targeted(text(rng, 19_953 // d)[0], rng),
    "frequent-words": lambda rng, d: frequent_words(rng, 19_953 // d),
    "frequent-words-ridge": lambda rng, d: targeted(frequent_words(rng, 19_953 // d)[0], rng),
    "separable": lambda rng, d: separable(rng, 20_000 // d),
    "wide": lambda rng, d: labelled(rng.standard_normal((500 // d, 5000)), rng),
    "wide-ridge": lambda rng, d: targeted(rng.standard_normal((500 // d, 5000)), rng),
    "correlated": lambda rng, d: labelled(correlated(rng, 200 // d, 5000), rng),
    "correlated-ridge": lambda rng, d: targeted(correlated(rng, 200 // d, 5000), rng),
    "heavy": lambda rng, d: labelled(heavy(rng, 20_000 // d), rng),
    "heavy-ridge": lambda rng, d: targeted(heavy(rng, 20_000 // d), rng),
    "rare": lambda rng, d: labelled(rare(rng, 50_000 // d), rng),
    "rare-ridge": lambda rng, d: targeted(rare(rng, 50_000 // d), rng),
    "classes": lambda rng, d: classes(rng.standard_normal((20_000 // d, 300)), rng),
    "dense-classes": lambda rng, d: classes(spectrum(rng, 20_000 // d, 300), rng),
}


def load(path):
    """Return the rows (`X`, or CSR arrays with their `shape`) and the labels or targets `y` of a NumPy archive."""
    with np.load(path) as archive:
        if "X" in archive:
            X = archive["X"]
        else:
            X = sp.csr_matrix((archive["data"], archive["indices"], archive["indptr"]), shape=tuple(archive["shape"]))
        values, codes = np.unique(archive["y"], return_inverse=True)
        return X, codes if len(values) <= MOST_CLASSES else archive["y"].astype(float)


def data_sets(folder=None, divisor=1):
    """Return {name: function that returns X and y}: the generated sets, or every .npz of a folder."""
    if folder:
        return {path.stem: lambda path=path: load(path) for path in sorted(Path(folder).glob("*.npz"))}
    return {name: lambda make=make: make(np.random.default_rng(0), divisor) for name, make in GENERATED.items()}
