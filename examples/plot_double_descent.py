r"""
==================================
Double descent
==================================

The lecture shows the test error of networks that falls, rises as the model becomes able to fit all training rows, and
falls again. The effect needs no network: ridge regression on random Fourier features has it, and a penalty removes it.
"""

# %%
# Random features
# ---------------
# ``RBFSampler`` maps the 64 pixels of the digits to p random cosines; a linear model on them is fitted to 300 rows.
# From p = 300 on it can fit all rows exactly. ``alpha=1e-8`` is as good as no penalty, and still chooses, among the
# coefficients that fit, those of the smallest norm. Next to no penalty makes the problem as badly conditioned as can
# be; a Newton step is then the method of choice.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import RBFSampler
from sklearn.model_selection import train_test_split

from skvr import RidgeClassifier, solvers

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, train_size=300, random_state=0, stratify=y)
N_FEATURES = [10, 30, 60, 100, 150, 200, 240, 270, 285, 300, 315, 330, 360, 420, 500, 700, 1000, 1500]
PENALTIES = {1e-8: "tab:red", 1e-2: "tab:orange", 1.0: "tab:blue"}
SEEDS = range(3)


def errors(n_features, alpha, seed):
    """Return the error rates on the training and on the test rows, and the norm of the coefficients."""
    features = RBFSampler(gamma=0.1, n_components=n_features, random_state=seed)
    Z_train, Z_test = features.fit_transform(X_train), features.transform(X_test)
    model = RidgeClassifier(alpha=alpha, solver=solvers.Newton()).fit(Z_train, y_train)
    return 1 - model.score(Z_train, y_train), 1 - model.score(Z_test, y_test), np.linalg.norm(model.coef_)


figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for alpha, color in PENALTIES.items():
    train, test, norm = np.mean([[errors(p, alpha, seed) for p in N_FEATURES] for seed in SEEDS], axis=0).T
    peak, end = test[N_FEATURES.index(300)], test[-1]
    print(
        f"alpha={alpha:g}: test error {test[:5].min():.3f} at most 150 features, {peak:.3f} at 300, {end:.3f} at 1500"
    )
    left.plot(N_FEATURES, test, "o-", color=color, markersize=3, label=f"alpha={alpha:g}")
    left.plot(N_FEATURES, train, ":", color=color)
    right.plot(N_FEATURES, norm, "o-", color=color, markersize=3, label=f"alpha={alpha:g}")
for panel in (left, right):
    panel.axvline(300, color="0.6", linewidth=0.8)
    panel.set(xscale="log", xlabel="number of random features")
    panel.grid(alpha=0.3)
left.set(ylabel="error rate", ylim=(0, 0.9))
left.plot([], [], "k-", label="test rows")
left.plot([], [], "k:", label="training rows")
left.legend(loc="upper left")
right.set(yscale="log", ylabel="norm of the coefficients")
right.legend()
plt.show()

# %%
# What to see
# -----------
# - **The lecture claims** a test error that falls, rises and falls again. **Measured**, with next to no penalty (red):
#   it falls to 8 %, rises to 76 % where the number of features is that of the rows, and falls again to 4 %.
# - The right picture says why. At p = n there is exactly one way to fit all rows, and it needs huge coefficients. With
#   more features there are many ways, and the one of the smallest norm becomes smaller and smaller.
# - A penalty (orange, blue) bounds the norm, and the peak is gone. The double descent is an effect of p = n without
#   regularisation, whatever the method of optimisation.
