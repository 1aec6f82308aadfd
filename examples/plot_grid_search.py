"""
===============================================
Step size and batch size by grid search
===============================================

Step size and batch size are parameters of the estimator, so :class:`~sklearn.model_selection.GridSearchCV` tunes them
like any other, in a pipeline too. The two pictures show what a search over both finds for SVRG: the score on held-out
rows does not depend on them where the fit converges at all; the number of epochs does.
"""

# %%
# The search
# ----------
# A scorer may return several numbers; here the log loss on the held-out rows, and how many epochs the fit took to
# certify that F is within ``tol=1e-4`` of its minimum. A fit that is not there after 200 epochs warns of it; here that
# is part of the result, so this one warning is silenced.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvr import LogisticRegression

STEP_SIZES = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, "auto"]
BATCH_SIZES = [1, 4, 16, 64, 256]
MAX_ITER = 200


def scores(model, X, y):
    """Return the log loss on these rows and the epochs of the fit."""
    return {"log loss": -log_loss(y, model.predict_proba(X)), "epochs": -model[-1].n_iter_[0]}


X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, solver="svrg", max_iter=MAX_ITER, random_state=0))
grid = {"logisticregression__step_size": STEP_SIZES, "logisticregression__batch_size": BATCH_SIZES}
search = GridSearchCV(model, grid, scoring=scores, refit="epochs", cv=3)
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=r"SVRG reached a certified", category=ConvergenceWarning)
    search.fit(X, y)
print(f"fewest epochs: {search.best_params_}")

# %%
# The picture
# -----------


def draw_map(ax, name, title, form):
    """Draw the mean of a score over the folds, batch sizes upwards and step sizes to the right."""
    values = -search.cv_results_[f"mean_test_{name}"].reshape(len(BATCH_SIZES), len(STEP_SIZES))
    image = ax.imshow(values, origin="lower", aspect="auto", cmap="viridis_r", norm=LogNorm())
    for row, column in np.ndindex(values.shape):
        color = "white" if image.norm(values[row, column]) > 0.5 else "black"
        ax.text(column, row, form.format(values[row, column]), ha="center", va="center", color=color, fontsize=9)
    ax.set_xticks(range(len(STEP_SIZES)), STEP_SIZES)
    ax.set_yticks(range(len(BATCH_SIZES)), BATCH_SIZES)
    ax.set(title=title, xlabel="step size")


figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.8), sharey=True, layout="constrained")
draw_map(left, "log loss", "log loss on held-out rows", "{:.3f}")
draw_map(right, "epochs", f"epochs to a certified 1e-4 (at most {MAX_ITER})", "{:.0f}")
left.set_ylabel("batch size")
plt.show()

# %%
# What to see
# -----------
# - Where the fit converges the log loss is the same to three digits: it is a property of F, not of the solver. So the
#   score cannot choose between those step sizes, and the search is refitted by the epochs (``refit="epochs"``).
# - The step that works best grows with the batch, along the diagonal. The smoothness L_B of a batch falls from that of
#   the worst row towards that of F, and a step may be about 1/L_B long (see the user guide). Too long a step fails
#   worse than too short a one.
# - At its best step every batch size needs 10 to 24 epochs. So larger batches cost hardly more row gradients here, and
#   pay where they are computed together.
# - ``"auto"`` is derived from L_B, a bound for any data. It never diverges, and it is cautious: the best step of the
#   grid needs a sixth to a twelfth of the epochs.
# - **The lecture claims** that a mini-batch is "particularly useful for vectorization and parallelization", and that
#   the step size is one over a smoothness constant. **Measured:** that constant is the one of the batch. From one row
#   to 64 the best step of the grid grows a hundredfold, and the passes stay the same.
