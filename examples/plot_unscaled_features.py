"""
=====================================
Unscaled features
=====================================

The features of the breast cancer data differ in scale by a factor of a million. scikit-learn's default solver stops
after its 100 iterations with a ``ConvergenceWarning`` and the advice to scale the data or to raise ``max_iter``. skvr's
default does not depend on the scales of the columns, and certifies how close to the minimum it is.
"""

# %%
# Two defaults
# ------------
# C is what it is in both; at convergence the coefficients are the same.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skvr import ConvergenceDisplay, LogisticRegression

X, y = load_breast_cancer(return_X_y=True)
print(f"standard deviations of the columns: {X.std(axis=0).min():.1e} to {X.std(axis=0).max():.1e}\n")

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    lbfgs = linear_model.LogisticRegression().fit(X, y)
print(f"sklearn.linear_model.LogisticRegression: {lbfgs.n_iter_[0]} iterations, and it warns:")
print(f"    {str(caught[0].message).splitlines()[0]}\n")

with warnings.catch_warnings():
    warnings.simplefilter("error")  # it would stop here
    auto = LogisticRegression().fit(X, y)
print(f"skvr.LogisticRegression: {auto.n_iter_[0]} epochs of {auto.solver_}, no warning;")
print(f"    F is at most {auto.suboptimality_:.1e} F above its minimum")

# %%
# The whole way
# -------------
# skvr records F after every epoch. scikit-learn does not; its fits are repeated here with ``max_iter`` from 1 to 4000,
# and F is written out. F* is that of an accurate fit.


def objective(model):
    """Return F of a fitted model with C=1."""
    z = np.where(y == 1, 1, -1) * model.decision_function(X)
    return np.logaddexp(0, -z).mean() + np.sum(model.coef_**2) / (2 * len(y))


F_star = LogisticRegression(tol=1e-20).fit(X, y).history_["objective"][-1]
iterations = np.unique(np.geomspace(1, 4000, 16).astype(int))
with warnings.catch_warnings(), threadpool_limits(1):  # two threads would wait for each other
    warnings.simplefilter("ignore", ConvergenceWarning)  # each of these fits is cut short on purpose
    path = [objective(linear_model.LogisticRegression(max_iter=k, tol=1e-10).fit(X, y)) for k in iterations]

figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
ax.plot(
    iterations, (np.array(path) - F_star) / F_star, "o-", color="tab:orange", markersize=3, label="scikit-learn, lbfgs"
)
ax.plot(100, (objective(lbfgs) - F_star) / F_star, "*", color="tab:red", markersize=15)
ax.annotate("scikit-learn's default ends here, with a warning", (100, 0.2), (60, 3e-3), arrowprops={"arrowstyle": "-"})
models = {
    "skvr, auto (the default)": LogisticRegression(tol=None, max_iter=15),
    "skvr, sag": LogisticRegression(solver="sag", tol=None, max_iter=1000, random_state=0),
}
styles = [{"color": "black", "marker": "o", "markersize": 4}, {"color": "tab:blue"}]
ConvergenceDisplay.from_estimators(models, X, y, optimum=F_star, ax=ax, curve_kwargs=styles)
ax.set(xscale="log", ylim=(1e-10, 10), xlabel="passes over the data (skvr), iterations of lbfgs (scikit-learn)")
ax.grid(alpha=0.3)
plt.show()

# %%
# What to see
# -----------
# - lbfgs builds its picture of the curvature from the gradients it has seen, and needs thousands of iterations where
#   the columns differ so much. Near the minimum it stops at its own limit of F.
# - The default of skvr is L-BFGS that starts from a Hessian and forms a new one as soon as that pays, on a problem of
#   this size every few steps. It divides the scales out, and is nearly as fast as Newton's method. Its passes hide the
#   work of a Hessian, which is small here (30 columns).
# - A textbook method such as sag depends on the scales even more than lbfgs: one step size has to serve all columns,
#   and the largest column sets it. For those, put a ``StandardScaler`` in front.
# - **The lecture claims** linear rates for gradient descent and SAG, which live on mu/L. **Measured:** with such
#   columns mu/L is next to nothing. After 1000 passes sag is still at twice F*.
