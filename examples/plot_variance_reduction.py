r"""
==================================
Variance reduction
==================================

The gradient of a batch is an estimate of the gradient of f. The error of SGD's estimate does not vanish at the minimum.
SAG and SVRG correct every row by a gradient of the same row that they remember, and the error of what is left goes to
zero with the distance from the minimum. So they converge linearly with a constant step, as gradient descent does, with
steps as cheap as those of SGD.
"""

# %%
# The methods, written out
# ------------------------
# The lecture's problem: regularised logistic regression, m = 200, n = 10, mu = 0.1; batches of 20, step size 0.1. To
# see the error of the estimates, the three methods are written out here. Each yields, after every pass over the data,
# the passes so far (SVRG's full gradients count), x, and the table of gradients that its estimate is made with.
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import make_classification, make_regression

from skvr import ConvergenceDisplay, LogisticRegression, Ridge, solvers

m, n, mu = 200, 10, 0.1
BATCH, STEP_SIZE, PASSES = 20, 0.1, 100
A, labels = make_classification(m, n, n_informative=n // 2, random_state=0)
y = 2 * labels - 1


def gradients(x):
    """Return the gradient of the loss of every row, shape (m, n)."""
    return -(y * expit(-y * (A @ x)))[:, None] * A


def batches(rng):
    """Return the batches of one pass."""
    return rng.permutation(m).reshape(-1, BATCH)


def sgd(x, rng):
    for passes in range(1, PASSES + 1):
        for B in batches(rng):
            x = x - STEP_SIZE * (gradients(x)[B].mean(axis=0) + mu * x)
        yield passes, x, np.zeros((m, n))


def sag(x, rng):
    table = gradients(x)
    for passes in range(2, PASSES + 1):
        for _ in range(m // BATCH):
            B = rng.choice(m, BATCH, replace=False)
            table[B] = gradients(x)[B]
            x = x - STEP_SIZE * (table.mean(axis=0) + mu * x)
        yield passes, x, table


def svrg(x, rng):
    for passes in range(2, PASSES + 1, 2):
        table = gradients(x)  # at the snapshot
        for B in batches(rng):
            x = x - STEP_SIZE * ((gradients(x)[B] - table[B]).mean(axis=0) + table.mean(axis=0) + mu * x)
        yield passes, x, table


# %%
# The error of an estimate is its mean squared distance from the gradient of f, over all batches that may be drawn. Let
# d_i be the gradient of row i less its entry in the table, and D the mean of the d_i. The estimates of SGD and SVRG,
# the mean of d over the batch and what is known exactly, have the variance of a mean without replacement. SAG enters
# the new gradients in a table of m rows, so that its error is BATCH/m times the mean of d over the batch, less D.


def squared_error(name, x, table):
    """Return the mean squared error of the method's next estimate at x."""
    d = gradients(x) - table
    D = d.mean(axis=0)
    variance = ((d - D) ** 2).sum(axis=1).mean() / BATCH * (m - BATCH) / (m - 1)
    if name == "sag":
        return (BATCH / m) ** 2 * variance + (1 - BATCH / m) ** 2 * D @ D
    return variance


accurate = LogisticRegression(C=1 / (mu * m), fit_intercept=False, tol=1e-28).fit(A, y)
x_star = accurate.coef_[0]


def f(x):
    """Return the objective."""
    return mu / 2 * x @ x + np.logaddexp(0, -y * (A @ x)).mean()


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for method, color in ((sgd, "tab:red"), (sag, "tab:blue"), (svrg, "tab:green")):
    name = method.__name__
    records = list(method(np.zeros(n), np.random.default_rng(0)))
    passes = [record[0] for record in records]
    errors = [squared_error(name, x, table) for _, x, table in records]
    print(
        f"{name:4s} squared error of the estimate: {errors[0]:.0e} after a pass or two, {errors[-1]:.0e} after {PASSES}"
    )
    left.semilogy(passes, [f(x) - f(x_star) for _, x, _ in records], color=color, label=name)
    right.semilogy(passes, errors, color=color, label=name)
left.set(title="objective", ylabel=r"$f(x) - f^*$", ylim=(1e-15, 1))
right.set(title="error of the estimate", ylabel=r"$\mathbb{E}\,\|g - \nabla f(x)\|^2$")
for panel in (left, right):
    panel.set_xlabel("effective passes over the data")
    panel.grid(alpha=0.3)
left.legend()
plt.show()

# %%
# What to see
# -----------
# - The error of SGD's estimate stays at the variance of the gradients near the minimum, and so f stalls. Those of SAG
#   and SVRG fall in step with f - f*, which is the picture of a linear rate.
# - SAG's estimate is biased and SVRG's is not. The bias does not hurt: SAG makes two of its passes for one of SVRG's,
#   which pays a full gradient for each of its inner loops.
# - **The lecture claims** that "SAG gradient estimates are no longer unbiased, but they have greatly reduced variance",
#   and a linear rate for both. **Measured:** after 100 passes the error of SGD's estimate is 0.1, as it was at the
#   start, SVRG's 1e-13 and SAG's 1e-24, the level of rounding.
#
# Where nothing is left at the minimum
# ------------------------------------
# Least squares with more features than rows, m = 150 and n = 300, without a penalty: all rows can be fitted exactly, so
# that at the minimum not only F vanishes but the gradient of every row. Then SGD needs no correction. The estimators of
# the package, each with the step that is safe for it; sgd with a constant 1/L, L that of the worst row.
X_wide, y_wide = make_regression(150, 300, n_informative=300, noise=1.0, random_state=0)
y_wide /= y_wide.std()
safe = 1 / (X_wide**2).sum(axis=1).max()
models = {
    "sgd": solvers.SGD(step_size=safe),
    "svrg": solvers.SVRG(batch_size=1),
    "sag": solvers.SAG(),
    "gd": solvers.GD(),
}
models = {name: Ridge(alpha=0, fit_intercept=False, solver=solver, random_state=0) for name, solver in models.items()}
display = ConvergenceDisplay.from_estimators(
    models,
    X_wide,
    y_wide,
    n_epochs=100,
    quantity="objective",
    curve_kwargs=[{"color": color} for color in ("tab:red", "tab:green", "tab:blue", "0.5")],
)
display.ax_.set(yscale="log", xlim=(0, 100), ylim=(1e-9, 2), title="least squares, 150 rows, 300 features")
display.ax_.grid(alpha=0.3)
plt.show()

# %%
# SGD with a constant step converges linearly, and faster than all the others: here variance reduction has nothing to
# reduce. The stall of the pictures above comes from rows that disagree at the minimum, and not from the draw itself.
