"""
========================
Few rows of many columns
========================

A hundred individuals, some thousands of measurements of each: genes, spectra, pixels. The measurements hang together,
and come in units of their own. A matrix of the columns is out of reach, but one of the rows is small, and tells the
solver the whole curvature of F.
"""

# %%
# Ten hidden causes
# -----------------
# Each column is a mix of ten hidden variables plus noise, in units that differ by a factor of about a thousand. The
# class depends on three of the hidden variables.
import matplotlib.pyplot as plt
import numpy as np

from skvr import ConvergenceDisplay, LogisticRegression, solvers

rng = np.random.default_rng(0)
hidden = rng.standard_normal((100, 10))
X = hidden @ rng.standard_normal((10, 4000)) + rng.standard_normal((100, 4000))
X *= np.exp(rng.standard_normal(4000))
y = np.argmax(hidden[:, :3], axis=1)

auto = LogisticRegression().fit(X, y)
print(f"{auto.solver_}: {auto.n_iter_[0]} epochs, F within {auto.suboptimality_:.1e} F of its minimum")

# %%
# With and without the matrix of the rows
# ---------------------------------------
# ``auto`` takes ``LBFGS()``. It begins with gradients alone, as ``LBFGS("none")`` does. When they have cost twice as
# much as the products of all pairs of rows will, it forms these, and from then on each step has a Hessian.
models = {
    'LBFGS("none"): gradients alone': LogisticRegression(solver=solvers.LBFGS("none"), tol=None, max_iter=200),
    'LBFGS("diagonal"): scaled columns': LogisticRegression(solver=solvers.LBFGS("diagonal"), tol=None, max_iter=200),
    "LBFGS(), as auto": LogisticRegression(tol=None, max_iter=40),
}
display = ConvergenceDisplay.from_estimators(models, X, y)
display.ax_.set(xlim=(0, 200), ylim=(1e-14, 1e6))
display.ax_.legend(loc="upper right")
display.ax_.grid(alpha=0.3)
plt.show()

# %%
# What to see
# -----------
# - Gradients alone build their picture of the curvature step by step. With the matrix of the rows a dozen steps are
#   left, of a few passes each.
# - Scaled columns help where a Hessian has little but its diagonal. Here every column hangs together with every other.
# - For the three classes the matrix has 300 rows, where that of the columns would have 12,003.
