r"""
==========================================
Main problem of SGD
==========================================

The lecture's picture of that name: regularised logistic regression,

.. math:: f(x) = \frac{\mu}{2} \|x\|_2^2 + \frac1m \sum_{i=1}^m \log(1 + \exp(-y_i \langle a_i, x \rangle)) \to \min_x ,

by gradient descent and by mini-batch SGD with a constant step, for batches of 1 to 100 rows. Gradient descent converges
linearly. SGD falls at the same rate, then stalls at a level that the variance of its gradients sets. But its steps
are cheaper, so what is better depends on whether steps or flops are counted.
"""

# %%
# Problem and method
# ------------------
# m = 200 rows, n = 10 features, mu = 1, step size 0.1, 100 iterations from 0. In the words of the package mu is
# 1 / (C m). The estimators count epochs; single iterations are written out here, in two lines, with labels -1 and 1.
# x* is that of an accurate fit.
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import make_classification

from skvr import LogisticRegression

m, n, mu = 200, 10, 1.0
STEP_SIZE, ITERATIONS = 0.1, 100
A, labels = make_classification(m, n, n_informative=n // 2, random_state=0)
y = 2 * labels - 1

accurate = LogisticRegression(C=1 / (mu * m), fit_intercept=False, tol=1e-24).fit(A, y)
x_star = accurate.coef_[0]


def f(x):
    """Return the objective."""
    return mu / 2 * x @ x + np.logaddexp(0, -y * (A @ x)).mean()


def iterate(batch, seed):
    """Return the iterates of mini-batch SGD, shape (ITERATIONS + 1, n); a batch of m rows is gradient descent."""
    rng = np.random.default_rng(seed)
    path = [np.zeros(n)]
    for _ in range(ITERATIONS):
        x = path[-1]
        B = rng.choice(m, batch, replace=False)
        gradient = mu * x - A[B].T @ (y[B] * expit(-y[B] * (A[B] @ x))) / batch
        path.append(x - STEP_SIZE * gradient)
    return np.array(path)


# %%
# The picture
# -----------
# The median of 50 runs is drawn, with the range of the middle half. The gradient of a row takes 4 n flops, n
# multiplications and additions for its prediction and n for its share in the sum.
RUNS, FLOPS = 50, 4 * n
BATCHES = {1: "tab:red", 10: "tab:orange", 50: "tab:green", 100: "tab:blue", m: "black"}

figure, panels = plt.subplots(2, 2, figsize=(9.5, 6.8), sharex="col", sharey="row", layout="constrained")
for batch, color in BATCHES.items():
    paths = [iterate(batch, seed) for seed in range(1 if batch == m else RUNS)]
    gaps = np.array([[f(x) - f(x_star) for x in path] for path in paths])
    distances = np.array([np.linalg.norm(path - x_star, axis=1) for path in paths])
    iterations = np.arange(ITERATIONS + 1)
    level = np.median(gaps[:, ITERATIONS // 2 :])
    print(f"batch {batch:3d}: |f - f*| over the last {ITERATIONS // 2} iterations {level:.0e}")
    for row, values in zip(panels, (gaps, distances), strict=True):
        low, middle, high = np.percentile(values, (25, 50, 75), axis=0)
        for panel, cost in zip(row, (iterations, FLOPS * batch * iterations), strict=True):
            panel.semilogy(cost, middle, color=color, label="GD" if batch == m else f"batch {batch}")
            panel.fill_between(cost, low, high, color=color, alpha=0.2, linewidth=0)
            panel.grid(alpha=0.3)
panels[0, 0].set_ylabel(r"$|f(x_k) - f^*|$")
panels[1, 0].set_ylabel(r"$\|x_k - x^*\|$")
panels[1, 0].set_xlabel("iterations")
panels[1, 1].set_xscale("symlog", linthresh=FLOPS)
panels[1, 1].set(xlabel="flops", xlim=(0, FLOPS * m * ITERATIONS))
panels[0, 0].set_ylim(1e-11, 1)
panels[0, 1].legend(loc="lower left")
plt.show()

# %%
# What to see
# -----------
# - Against iterations (left) a larger batch is better at every step, and only gradient descent does not stall. The
#   level at which SGD stalls falls with the variance, that is as 1/batch, and, rows being drawn without replacement,
#   vanishes for the whole data.
# - Against flops (right) the small batches lead at first: batch 10 has come down to its level for the price of a single
#   step of gradient descent. Then it stalls, and the larger batches pass it one by one.
# - Batch 1 hardly moves: at this step its level is nearly that of the starting point.
# - **The lecture claims** that "SGD with fixed learning rate does not converge even for PL (strongly convex) case".
#   **Measured:** batches of 1, 10, 50 and 100 rows stall at 0.1, 0.008, 0.001 and 0.0004 above f*, while gradient
#   descent gains a factor of 1.4 a step, without end. To go on falling SGD needs a decreasing step size, which costs
#   the linear rate, or gradients whose variance vanishes.
