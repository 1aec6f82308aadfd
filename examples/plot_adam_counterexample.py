r"""
==================================
Where Adam does not converge
==================================

"The proposed algorithm in initial version does not converge even in convex setting (later fixes appeared)", says the
lecture of Adam. The counter-example of Reddi, Kale and Kumar (2018, section 3) has one coefficient, and a large
gradient that comes once in a while against many small ones. As a weighted logistic regression of 30 rows it is a few
lines long.
"""

# %%
# The problem
# -----------
# All rows are the same, x = 1. One of class 1 weighs 43.5, and 29 of class 0 weigh 1: the minimum is where the heavy
# row wins, near the log odds of log(43.5 / 29) = 0.405 (the penalty is tiny). Rows are taken one by one in their order,
# ``sampling="cyclic"``, and beta_1 = 0, as in the paper. The step size falls as :math:`1/\sqrt{1 + \text{epochs}}`:
# this is not the noise of a constant step.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skvr import LogisticRegression, solvers

n = 30
x = np.ones((n, 1))
y = np.r_[1, np.zeros(n - 1)]
weights = np.r_[1.5 * (n - 1), np.ones(n - 1)]
problem = {"X": x, "y": y, "sample_weight": weights}


def classifier(solver, epochs=400):
    """Return the unfitted classifier."""
    return LogisticRegression(C=10, fit_intercept=False, solver=solver, tol=None, max_iter=epochs, random_state=0)


minimum = classifier("auto", 50).fit(**problem).coef_[0, 0]


def path(solver):
    """Return the coefficient after 0, 1, 2, 4, ... epochs."""
    return [0.0] + [classifier(clone(solver), int(epochs)).fit(**problem).coef_[0, 0] for epochs in EPOCHS]


# %%
# With and without amsgrad
# ------------------------
# Adam divides a gradient by the root of the running mean of its squares. When the large gradient comes, so does its
# square, and the step is about as long as any other; in the rounds of small gradients the mean forgets it at the rate
# beta_2, and 29 small steps in the wrong direction outweigh it. ``amsgrad=True`` divides by the largest mean so far.
EPOCHS = np.unique(np.geomspace(1, 2000, 20).astype(int))
STEP = solvers.InverseScaling(start=0.1, decay="auto", power=0.5)
RULES = {
    "adam, beta_2 = 0.9": (solvers.Adam(STEP, beta_1=0.0, beta_2=0.9), "tab:red", "-"),
    "adam, beta_2 = 0.99": (solvers.Adam(STEP, beta_1=0.0, beta_2=0.99), "tab:orange", "-"),
    "adam, beta_2 = 0.999": (solvers.Adam(STEP, beta_1=0.0, beta_2=0.999), "tab:olive", "-"),
    "amsgrad, beta_2 = 0.9": (solvers.Adam(STEP, beta_1=0.0, beta_2=0.9, amsgrad=True), "tab:blue", "--"),
}
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for label, (rule, color, style) in RULES.items():
    coefficients = path(rule.set_params(batch_size=1, sampling="cyclic"))
    ax.plot(np.append(0, EPOCHS), coefficients, color=color, linestyle=style, marker="o", markersize=3, label=label)
    print(f"{label:22s} after {EPOCHS[-1]} epochs: {coefficients[-1]:+.3f}")
ax.axhline(minimum, color="black", linewidth=1, label=f"the minimum, {minimum:.3f}")
ax.axhline(0, color="0.7", linewidth=0.8, linestyle=":")
ax.set(xscale="symlog", xlabel="epochs", ylabel="coefficient", xlim=(0, EPOCHS[-1]))
ax.legend(loc="center right")
ax.grid(alpha=0.3)
plt.show()

# %%
# What to see
# -----------
# - Adam with beta_2 = 0.9 settles, but on the wrong side of zero: with these coefficients it predicts the lighter
#   class. Its limit is no minimum of anything, and no number of epochs or smaller step changes it.
# - A longer memory than the thirty rows between two large gradients heals most of it: the larger beta_2, the nearer the
#   limit. 0.999, the default, is nearly right here. With 3001 rows of the same kind it goes to -0.48.
# - With amsgrad the divisor never shrinks, so the steps keep the proportions of the gradients, even with the short
#   memory.
# - Neither momentum nor shuffling is the cause or the cure. With beta_1 = beta_2 = 0.9 the limit is 0.02, and in
#   shuffled epochs, without momentum, -0.71.
# - **The lecture claims** that Adam "does not converge even in convex setting (later fixes appeared)". **Measured:**
#   with a short memory it ends at -0.47, with amsgrad, the later fix, at 0.402; the minimum is at 0.403.
