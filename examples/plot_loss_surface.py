r"""
==================================
The loss surface of a linear model
==================================

The lecture looks at the loss surface of a neural network along a random line, and over a random plane, through its
parameters before and after training. The same projections of a multinomial logistic regression on the digits, with 650
parameters, show what a convex objective looks like, and the path of a fit over it.
"""

# %%
# Along random lines
# ------------------
# A random direction is Gaussian and has the norms of the fitted coefficients and intercepts. The mean loss on the
# training and on the test rows is drawn along three of them, from the start (all parameters zero) and from the fit.
# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skvr import LogisticRegression, LossSurfaceDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
model = LogisticRegression(C=1.0).fit(X_train, y_train)

figure, panels = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for panel, center in zip(panels, ("start", "fit"), strict=True):
    for seed, color in enumerate(("tab:blue", "tab:orange", "tab:green")):
        for rows, style in (((X_train, y_train), "-"), ((X_test, y_test), ":")):
            LossSurfaceDisplay.from_estimator(
                model,
                *rows,
                kind="line",
                quantity="loss",
                center=center,
                random_state=seed,
                ax=panel,
                color=color,
                linestyle=style,
            )
    panel.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    panel.set(title=f"around the {center}", xlabel="coordinate along a random direction")
panels[0].plot([], [], "k-", label="training rows")
panels[0].plot([], [], "k:", label="test rows")
panels[0].legend()
panels[1].set_ylabel("")
plt.show()

# %%
# Over a plane, with the path of a fit
# ------------------------------------
# The path of SGD is recorded by fitting one epoch at a time with ``warm_start``. A random plane (left) is almost
# orthogonal to it: the path is there hardly more than a point. The plane of the path's two principal components (right)
# shows it. The star is the minimum.
sgd = LogisticRegression(C=1.0, solver="minibatch", step_size=0.5, tol=None, max_iter=1, warm_start=True)
path = [np.zeros(650)]
for epoch in range(60):
    sgd.set_params(random_state=epoch).fit(X_train, y_train)
    path.append(np.append(sgd.coef_, sgd.intercept_))

figure, panels = plt.subplots(1, 2, figsize=(10.5, 4.3), layout="constrained")
for panel, directions in zip(panels, ("random", "trajectory"), strict=True):
    display = LossSurfaceDisplay.from_estimator(
        model, X_train, y_train, directions=directions, trajectory=path, extent=1.2, random_state=0, ax=panel,
        cmap="magma", path_kwargs={"markersize": 4},
    )  # fmt: skip
    panel.plot(0, 0, "*", color="cyan", markersize=10)
    panel.set_title("a random plane" if directions == "random" else "the plane of the path")
    figure.colorbar(display.surface_, ax=panel, label="objective F", format="%.2g")
plt.show()

# %%
# What to see
# -----------
# - Every line is convex, as a projection of a convex function must be: it has one valley. "If the projection is
#   non-convex, it implies that the original surface was not convex", says the lecture of its networks; the converse
#   needs all lines.
# - Around the start the slope is not zero at the coordinate 0: one can go down from there. Around the fit 0 is the
#   bottom of every line for the training rows (but for the penalty), and nearly so for the test rows.
# - In the random plane the path starts at the projection of zero, which is close to that of the fit, and seems to go
#   nowhere, although F falls from 2.3 to 0.2. In its own plane it goes straight down at first, then slowly along the
#   valley: the flat direction is what makes the problem badly conditioned and the last digits slow.
