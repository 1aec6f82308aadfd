r"""
==================================
Choosing a solver
==================================

Which solver is fast depends on the shape of the data and on how accurate the answer has to be. Every solver of the
package certifies how near to the minimum it is, so the question can be put to all of them alike: how long until
(F - F*) / F is at most 1e-2, 1e-4, 1e-6? Asked here of three kinds of data.
"""

# %%
# Three kinds of data
# -------------------
# A hundred rows, which fit in the cache; 4000 sparse rows like texts, some 50 of 20,000 words each; and 30,000 dense
# rows of 40 features. All columns are of like scale: with unscaled columns, all but ``auto`` are slower; see
# :doc:`plot_unscaled_features`.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize

from skvr import LogisticRegression

rng = np.random.default_rng(0)


def labels(raw_prediction, noise):
    """Return labels drawn by the raw predictions."""
    return np.where(raw_prediction + noise * rng.logistic(size=len(raw_prediction)) > 0, 1, -1)


def dense(n, p):
    """Return n rows of p correlated features, and labels."""
    X = rng.standard_normal((n, p)) @ (np.eye(p) + 0.3 / np.sqrt(p) * rng.standard_normal((p, p)))
    return X, labels(0.5 * X @ rng.standard_normal(p), 1.0)


def text(n, p, words):
    """Return n rows of about so many of p words, rare words with more weight, and labels."""
    lengths = rng.poisson(words, n)
    columns = (p ** rng.random(lengths.sum())).astype(int)  # Zipf's law: the k-th word as often as 1 / k
    X = sp.csr_matrix((np.ones(len(columns)), columns, np.append(0, lengths.cumsum())), shape=(n, p))
    X.sum_duplicates()
    document_frequency = np.bincount(X.indices, minlength=p)
    X = sp.csr_matrix(normalize(X.multiply(np.log((1 + n) / (1 + document_frequency)))))
    return X, labels(3 * X @ rng.standard_normal(p), 0.3)


PROBLEMS = {
    "few rows, 100 x 20": (*dense(100, 20), 1.0),
    "sparse and wide, 4000 x 20,000": (*text(4000, 20_000, 60), 1.0),
    "dense and tall, 30,000 x 40": (*dense(30_000, 40), 0.01),
}
NAMES = ["auto", "gd", "sgd", "minibatch", "sag", "saga", "svrg", "adagrad", "rmsprop", "adadelta", "adam"]

# %%
# Time to a certified accuracy
# ----------------------------
# One fit a solver, down to ``tol=1e-6`` or for 150 epochs; ``history_`` says when the bound was first below the others.
# Seconds are those of the solver alone, the lesser of two fits.
ACCURACIES = [1e-2, 1e-4, 1e-6]
REPEATS = 2


def times(X, y, C, name):
    """Return the seconds to each accuracy, nan where it was not reached."""
    found = []
    for _ in range(REPEATS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # not to reach tol is part of the comparison
            model = LogisticRegression(C=C, solver=name, tol=1e-6, max_iter=150, random_state=0).fit(X, y)
        history = model.history_
        reached = [np.flatnonzero(history["bound"] <= accuracy * history["objective"]) for accuracy in ACCURACIES]
        found.append([history["seconds"][at[0]] if len(at) else np.nan for at in reached])
    return np.min(found, axis=0)


tables = {
    problem: pd.DataFrame({name: times(X, y, C, name) for name in NAMES}, index=ACCURACIES).T
    for problem, (X, y, C) in PROBLEMS.items()
}
for problem, table in tables.items():
    text_table = (1000 * table).to_string(float_format="{:.1f}".format, na_rep="-")
    print(f"{problem}: milliseconds to (F - F*) / F of\n{text_table}\n")

# %%
# The picture
# -----------
figure, panels = plt.subplots(1, 3, figsize=(11, 4.4), sharey=True, layout="constrained")
rows = np.arange(len(NAMES))[::-1]
for panel, (problem, table) in zip(panels, tables.items(), strict=True):
    milliseconds = 1000 * table.to_numpy()
    for column, (accuracy, marker, color) in enumerate(
        zip(ACCURACIES, ("o", "s", "D"), ("tab:olive", "tab:blue", "black"), strict=True)
    ):
        panel.semilogx(
            milliseconds[:, column], rows, marker, color=color, label=f"to {accuracy:g}", markersize=6, fillstyle="none"
        )
    for row, values in zip(rows, milliseconds, strict=True):
        reached = values[~np.isnan(values)]
        panel.plot(reached, np.full(len(reached), row), color="0.7", zorder=0)
        missing = [f"{accuracy:g}" for accuracy, value in zip(ACCURACIES, values, strict=True) if np.isnan(value)]
        if missing:
            note = "none" if len(missing) == len(ACCURACIES) else "not to " + missing[0]
            panel.text(0.98, row, note, ha="right", va="center", fontsize=8, transform=panel.get_yaxis_transform())
    panel.set_xlim(np.nanmin(milliseconds) / 1.5, np.nanmax(milliseconds) * 10)
    panel.set(title=problem, xlabel="milliseconds")
    panel.set_yticks(rows, NAMES)
    panel.grid(alpha=0.3, axis="x")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# What to see
# -----------
# - **auto** is among the first on all three, and reaches 1e-6 hardly later than 1e-2: it uses second derivatives or the
#   dual. On a hundred rows all that converge take a few milliseconds, the adaptive rules included, whose automatic
#   batch is there the whole data.
# - **sag, saga and svrg** come next, with steps as cheap as those of sgd and a time that grows with the digits. On the
#   sparse rows they are at 1e-2 before auto is, and take one to four times as long to the end. Between them it is a
#   matter of the data: sag takes the longest steps, svrg stores no table of gradients beyond a number a row.
# - **gd** pays a pass for each step, which is bearable where a pass is cheap and F well conditioned, and too slow on
#   the sparse rows, where rare words make it badly conditioned.
# - **sgd, minibatch and the adaptive rules** get to 1e-2 or 1e-4, if so far, and then need ten times the passes a
#   digit. They are for rows that are seen once (``partial_fit``, :doc:`plot_partial_fit`), for answers of a few per
#   cent, and for looking at what they do. ``adadelta`` is slow at the start, by the size of its epsilon.
# - **The lecture asks** "stochastic iterations are n times faster, but how many iterations are needed?" **Measured** on
#   the dense rows: to 1e-6 sag needs a third of the time of gd, and the stochastic methods without variance reduction
#   do not come there at all.
#
# :doc:`The guide to choosing </choosing>` says it in a table.
