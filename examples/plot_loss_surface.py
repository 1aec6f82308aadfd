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
curvature = np.inf
for panel, center in zip(panels, ("start", "fit"), strict=True):
    for seed, color in enumerate(("tab:blue", "tab:orange", "tab:green")):
        for rows, style in (((X_train, y_train), "-"), ((X_test, y_test), ":")):
            display = LossSurfaceDisplay.from_estimator(
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
            curvature = min(curvature, np.diff(display.values, 2).min())
    panel.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    panel.set(title=f"around the {center}", xlabel="coordinate along a random direction")
panels[0].plot([], [], "k-", label="training rows")
panels[0].plot([], [], "k:", label="test rows")
panels[0].legend()
panels[1].set_ylabel("")
plt.show()
print(f"the second differences along all these lines are at least {curvature:.1e}: convex")

# %%
# Over a plane, before and after, and with the path of a fit
# ----------------------------------------------------------
# Random planes through the start (left, a square) and through the minimum (middle, a star). The path of SGD between
# them is recorded by fitting one epoch at a time with ``warm_start``. A random plane is almost orthogonal to it: the
# path is there hardly more than a point. The plane of the path's two principal components (right) shows it.
sgd = LogisticRegression(C=1.0, solver="minibatch", step_size=0.5, tol=None, max_iter=1, warm_start=True)
path = [np.zeros(650)]
for epoch in range(60):
    sgd.set_params(random_state=epoch).fit(X_train, y_train)
    path.append(np.append(sgd.coef_, sgd.intercept_))

PLANES = {
    "a random plane, before": ({"center": "start"}, "s"),
    "a random plane, after": ({"trajectory": path}, "*"),
    "the plane of the path": ({"trajectory": path, "directions": "trajectory"}, "*"),
}
figure, panels = plt.subplots(1, 3, figsize=(12, 3.7), layout="constrained")
for panel, (title, (options, marker)) in zip(panels, PLANES.items(), strict=True):
    display = LossSurfaceDisplay.from_estimator(
        model, X_train, y_train, **options, extent=1.2, random_state=0, ax=panel, cmap="magma",
        path_kwargs={"markersize": 4},
    )  # fmt: skip
    panel.plot(0, 0, marker, color="cyan", markersize=10 if marker == "*" else 6)
    panel.set(title=title, ylabel=display.ax_.get_ylabel() if panel is panels[0] else "")
    figure.colorbar(display.surface_, ax=panel, format="%.2g", label="objective F" if panel is panels[-1] else "")
plt.show()

# %%
# What to see
# -----------
# - **The lecture claims**, where it draws such lines and planes through a network, that "if the projection is
#   non-convex, it implies that the original surface was not convex". **Measured:** every line here is convex, and every
#   plane has one valley with convex contours, before training and after. It must be so of any projection of a convex
#   function; that a function is convex a few projections cannot show.
# - Around the start the slope is not zero at the coordinate 0: one can go down from there. Around the fit 0 is the
#   bottom of every line for the training rows (but for the penalty), and nearly so for the test rows.
# - In the random plane of the minimum the path starts at the projection of zero, which is close to that of the fit, and
#   seems to go nowhere, although F falls from 2.3 to 0.2. In its own plane it goes straight down at first, then slowly
#   along the valley: the flat direction is what makes the problem badly conditioned and the last digits slow.
