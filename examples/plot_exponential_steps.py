r"""
==================================
Exponential step sizes
==================================

A step size that is multiplied by the same factor after every epoch. A factor below 1 is a common way to settle, and
stops too early if it is too small. A factor above 1 sounds absurd, but the lecture has a page on it, "Exponential
learning rate", with a link to Li and Arora (2020): they train *normalised* networks by steps that grow exponentially,
and prove that this is weight decay in disguise. A linear model can show both: that without normalisation such steps
diverge, and when; and that with it the claim holds to the last digits.
"""

# %%
# Steps that shrink, steps that grow
# ----------------------------------
# ``Exponential(start, rate)`` is the step size start * rate^epoch. Breast cancer, standardised. On the left
# mini-batches of 32 rows start with the same step, for some rates. On the right four solvers grow their steps by 15 %
# an epoch, from a thirtieth of their automatic one (triangle); F is drawn against the step of the epoch that led to it.
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skvr import ConvergenceDisplay, LogisticRegression, solvers

X, labels = load_breast_cancer(return_X_y=True)
X = scale(X)
C, GROWTH = 0.1, 1.15


def classifier(solver, epochs):
    """Return the fitted classifier."""
    return LogisticRegression(C=C, solver=solver, tol=None, max_iter=epochs, random_state=0).fit(X, labels)


F_star = LogisticRegression(C=C, tol=1e-20).fit(X, labels).history_["objective"][-1]
RATES = {0.7: "tab:purple", 0.97: "tab:blue", 1.0: "0.5", 1.05: "tab:red"}
fits = {
    f"rate {rate:g}": classifier(solvers.MiniBatch(solvers.Exponential(0.3, rate), batch_size=32), epochs=100)
    for rate in RATES
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
styles = [{"color": color} for color in RATES.values()]
ConvergenceDisplay.from_estimators(fits, optimum=F_star, ax=left, curve_kwargs=styles)
left.set(xlim=(0, 100), ylim=(1e-6, 10), title="mini-batches of 32 rows")

for name, fit in fits.items():
    print(f"{name:9s} (F - F*) / F* over the last 20 epochs: {fit.history_['objective'][-20:].mean() / F_star - 1:.0e}")
for name, rule, color in (
    ("gd", solvers.GD, "black"),
    ("minibatch", solvers.MiniBatch, "tab:orange"),
    ("sag", solvers.SAG, "tab:blue"),
    ("svrg", solvers.SVRG, "tab:green"),
):
    automatic = classifier(rule("constant"), epochs=1).step_size_
    history = classifier(rule(solvers.Exponential(automatic / 30, GROWTH)), epochs=75).history_
    steps = history["step_size"] / GROWTH  # a record has the size of the next step
    gaps = (history["objective"] - F_star) / F_star
    right.loglog(steps, gaps, color=color, label=name)
    right.plot(automatic, 2e-9, "v", color=color)
    best = np.argmin(gaps)
    print(f"{name:9s} is lowest, {gaps[best]:.0e}, at a step of {steps[best] / automatic:3.0f} times the automatic one")
right.set(ylim=(1e-9, 10), xlabel="step size", title=f"steps that grow by {GROWTH:g} an epoch")
right.legend(loc=(0.02, 0.1))
for panel in (left, right):
    panel.grid(alpha=0.3)
plt.show()

# %%
# - A shrinking step takes the noise away, but all steps together are a finite way: at 0.7 the fit is frozen after ten
#   epochs, far from the minimum, and at 0.97 it ends a factor of fifty below the noise of the constant step (grey). So
#   the rate has to know the number of epochs, which a decreasing step such as ``"pl"`` need not.
# - A growing step falls as fast at first, and then F rises: in a linear model every solver diverges in the end. Where F
#   turns, the step is as long as the solver bears, so that one fit finds what a grid search looks for. For gd, sag and
#   svrg that is 14 to 110 times the automatic step, which holds for the worst case; for minibatch, whose noise grows
#   with the step, 4 times.
#
# The lecture's claim, on a normalised model
# ------------------------------------------
# What normalisation does is that the length of w is of no account. A linear model is normalised by predicting with
# :math:`\gamma x^\top w / \|w\|`. The gradient g of its loss is orthogonal to w, and g(cw) = g(w) / c. Now let weight
# decay shrink w in each step, :math:`w_{k+1} = \rho w_k - \eta g_k(w_k)`, :math:`\rho = 1 - \eta\lambda`. Then
# :math:`u_k = \rho^{-k} w_k`, which predicts the same, obeys
#
# .. math:: u_{k+1} = u_k - \rho^{-k-1} \eta\, g_k(\rho^k u_k) = u_k - \frac{\eta}{\rho}\, \rho^{-2k} g_k(u_k) ,
#
# which has no weight decay, and a step that grows by :math:`\rho^{-2}` each time. (The first half is what the package
# itself does for sparse rows, where only rescaling makes the penalty cheap.)
y = np.where(labels == 1, 1, -1)
GAMMA, BATCH, STEPS, ETA, DECAY = 3.0, 32, 1000, 0.1, 0.05
RHO = 1 - ETA * DECAY


def loss(w):
    """Return the mean loss of the normalised model."""
    return np.logaddexp(0, -GAMMA * y * (X @ w) / np.linalg.norm(w)).mean()


def sgd(step_sizes, shrink=1.0):
    """Return the iterates of SGD on the normalised model, shape (STEPS + 1, n_features)."""
    rng = np.random.default_rng(0)
    path = [rng.standard_normal(X.shape[1]) / np.sqrt(X.shape[1])]
    for step_size in step_sizes:
        w, B = path[-1], rng.choice(len(y), BATCH, replace=False)
        norm = np.linalg.norm(w)
        g = -GAMMA * X[B].T @ (y[B] * expit(-GAMMA * y[B] * (X[B] @ w) / norm)) / BATCH
        path.append(shrink * w - step_size * (g - (g @ w) * w / norm**2) / norm)
    return np.array(path)


constant, growing = np.full(STEPS, ETA), ETA / RHO * RHO ** (-2.0 * np.arange(STEPS))
RUNS = {
    "constant step, weight decay": (sgd(constant, shrink=RHO), constant, "tab:blue", 4),
    "growing step, no decay": (sgd(growing), growing, "tab:red", 1),
    "constant step, no decay": (sgd(constant), constant, "0.5", 1),
}
figure, panels = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
for label, (path, step_sizes, color, width) in RUNS.items():
    norms = np.linalg.norm(path, axis=1)
    draw = {"color": color, "label": label, "linewidth": width, "alpha": 0.4 if width > 1 else 1}
    panels[0].semilogy([loss(w) for w in path], **draw)
    panels[1].semilogy(norms, **draw)
    panels[2].semilogy(step_sizes / norms[:-1] ** 2, **draw)
for panel, title in zip(panels, ("mean loss", r"$\|w\|$", r"effective step, $\eta_k / \|w_k\|^2$"), strict=True):
    panel.set(title=title, xlabel="steps", xlim=(0, STEPS))
    panel.yaxis.set_minor_formatter(plt.NullFormatter())
    panel.grid(alpha=0.3)
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()

directions = [path / np.linalg.norm(path, axis=1, keepdims=True) for path, *_ in RUNS.values()]
print(f"the step grows by a factor of {growing[-1] / growing[0]:.0e}, w by {norms[-1]:.1f} without and")
print(f"{np.linalg.norm(RUNS['growing step, no decay'][0][-1]):.0f} with it; the directions of the first two runs")
print(f"differ by at most {np.abs(directions[0] - directions[1]).max():.0e}")

# %%
# What to see
# -----------
# - **The lecture claims**, by its source, that growing steps without weight decay are constant steps with it, momentum
#   included. **Measured**, without momentum: the directions of the two runs (blue, red) agree to rounding, while the
#   step grows by a factor of 20,000.
# - The gradient is orthogonal to w, so that every step makes w longer, and a longer w turns less: what counts is
#   :math:`\eta_k / \|w_k\|^2`. A step that grows keeps up with a w that grows; weight decay keeps w short. Either way
#   the effective step stays up, and so does the noise.
# - With neither (grey), w grows by itself, the effective step falls, and the loss settles. Nothing of all this applies
#   to the models of the package, whose predictions grow with w. There, growing steps are a way to look for a step size.
