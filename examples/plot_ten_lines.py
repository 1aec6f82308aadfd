"""
==================================
Pictures in ten lines
==================================

Six pictures that show most of what there is to see of a fit. They share the lines that load the data, and take five or
so each. Change the names, the data or C and look again.
"""

# %%
# How the solvers converge
# ------------------------
# How far is F above its minimum after every pass over the data? ``ConvergenceDisplay`` fits the estimators, finds the
# minimum and draws.
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale

from skvr import ConvergenceDisplay, LogisticRegression, LossSurfaceDisplay

X, y = load_breast_cancer(return_X_y=True)
X = scale(X)

names = ["auto", "gd", "sgd", "sag", "saga", "svrg", "adam"]
models = {name: LogisticRegression(C=0.1, solver=name, random_state=0) for name in names}
display = ConvergenceDisplay.from_estimators(models, X, y, n_epochs=100)
display.ax_.set(xlim=(0, 100), ylim=(1e-12, 10))
plt.show()

# %%
# A straight line is a linear rate: every pass gains the same factor, as with gd, sag, saga and svrg. sgd and adam start
# as fast and then level off. auto, the default, is done after a few steps, each of which is worth more than a pass.
#
# **The lecture claims** a sublinear rate for SGD, whatever is done with its steps, and a linear one for SAG and SVRG.
# **Measured:** in the last fifty passes sag gains another factor of 20,000, sgd one of 5.
#
# What they certify, against seconds
# ----------------------------------
# The display keeps the histories, and draws any of their quantities against any cost. The bound is what a fit knows of
# itself without knowing the minimum, and what ``tol`` is compared with. (All of it takes some milliseconds: a sudden
# kink is the machine.)
display.plot(quantity="bound", against="seconds")
display.ax_.set(xscale="log", ylim=(1e-12, 10))
plt.show()

# %%
# Step sizes
# ----------
# Too short a step is slow, too long a step goes astray. ``"auto"`` is safe, ``"line-search"`` looks for a longer one.
steps = [0.001, 0.01, 0.1, 1.0, "auto", "line-search"]
models = {f"{step}": LogisticRegression(C=0.1, solver="sag", step_size=step, random_state=0) for step in steps}
display = ConvergenceDisplay.from_estimators(models, X, y, n_epochs=50)
display.ax_.set(title="sag", ylim=(1e-12, 10))
plt.show()

# %%
# Batches and their noise
# -----------------------
# With a constant step size each batch falls to a level of its own and stalls there; a larger batch takes longer and
# falls lower. ``against="row_gradients"`` counts the work.
batches = [8, 32, 128, len(y)]
options = {"solver": "minibatch", "step_size": 0.2, "random_state": 0}
models = {f"{rows} rows": LogisticRegression(C=0.1, batch_size=rows, **options) for rows in batches}
display = ConvergenceDisplay.from_estimators(models, X, y, n_epochs=50, against="row_gradients")
plt.show()

# %%
# A table of two parameters
# -------------------------
# The log loss on held-out rows after five epochs, by grid search.
grid = {"batch_size": [1, 8, 64], "step_size": [0.001, 0.01, 0.1, 1.0]}
model = LogisticRegression(C=0.1, solver="minibatch", tol=None, max_iter=5, random_state=0)
search = GridSearchCV(model, grid, scoring="neg_log_loss", cv=3).fit(X, y)
plt.imshow(-search.cv_results_["mean_test_score"].reshape(3, 4), cmap="viridis_r")
plt.xticks(range(4), grid["step_size"])
plt.yticks(range(3), grid["batch_size"])
plt.gca().set(xlabel="step size", ylabel="batch size", title="log loss on held-out rows")
plt.colorbar()
plt.show()

# %%
# The surface around a fit
# ------------------------
# F over a random plane through the coefficients.
model = LogisticRegression(C=0.1).fit(X, y)
display = LossSurfaceDisplay.from_estimator(model, X, y, random_state=0)
display.figure_.colorbar(display.surface_, label="objective F", format="%.2g")
plt.show()

# %%
# From here: :doc:`plot_compare_solvers` says what is behind each line of the first picture,
# :doc:`plot_choosing_a_solver` which solver to take, :doc:`plot_grid_search` more of the table and
# :doc:`plot_loss_surface` of the surface.
