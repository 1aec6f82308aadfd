r"""
==================================
Adaptive rules
==================================

Adagrad, RMSprop, Adadelta and Adam give every coefficient a step size of its own, from the gradients it has seen. On
standardised columns there is little to gain: plain SGD is as fast, and all of them stall in noise, each at its own
level. Where most features are rare, the same idea pays.
"""

# %%
# Standardised columns
# --------------------
# Linear regression with 1500 rows of five standardised columns, correlated and with a curved target, like the airfoil
# measurements of the lecture's notebooks. Batches of 10 rows, and a constant step size for each rule, as they are
# usually set: what multiplies the rule of :doc:`the user guide </user_guide>`.
# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skvr import ConvergenceDisplay, LogisticRegression, Ridge, solvers

rng = np.random.default_rng(0)
Z = rng.standard_normal((1500, 5)) @ (np.eye(5) + 0.4)
X = (Z - Z.mean(axis=0)) / Z.std(axis=0)
y = X @ [-1.0, 0.5, -0.8, 0.3, 0.6] + 0.3 * X[:, 0] ** 2 + 0.5 * rng.standard_normal(1500)
y = (y - y.mean()) / y.std()

rules = {
    "sgd, 0.05": solvers.MiniBatch(step_size=0.05, batch_size=10),
    "adagrad, 0.1": solvers.Adagrad(step_size=0.1, batch_size=10),
    "rmsprop, 0.01": solvers.RMSprop(step_size=0.01, gamma=0.9, batch_size=10),
    "adadelta": solvers.Adadelta(step_size=1.0, rho=0.9, gamma=0.9, batch_size=10),
    "adam, 0.01": solvers.Adam(step_size=0.01, batch_size=10),
}
COLORS = ["tab:red", "tab:green", "tab:olive", "tab:purple", "deeppink"]
styles = [{"color": color, "linewidth": 1.3} for color in COLORS]


def mean_history(model, seeds=range(20)):
    """Return the history of the model with F averaged over the fits of some seeds."""
    histories = [clone(model).set_params(random_state=seed).fit(X, y).history_ for seed in seeds]
    return {**histories[0], "objective": np.mean([history["objective"] for history in histories], axis=0)}


models = {name: Ridge(alpha=1e-3, solver=solver, tol=None, max_iter=60) for name, solver in rules.items()}
F_star = Ridge(alpha=1e-3, tol=1e-20).fit(X, y).history_["objective"][-1]
display = ConvergenceDisplay(histories={name: mean_history(model) for name, model in models.items()}, optimum=F_star)

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
display.plot(ax, curve_kwargs=styles)
ax.set(title="five standardised columns, mean of 20 runs", xlim=(0, 60))
ax.grid(alpha=0.3)
plt.show()

# %%
# A rule stalls where its steps do not decrease. **The lecture claims** that Adagrad's "learning rate decreases
# naturally over iterations", and that Adadelta "does not require an initial learning rate". **Measured:** Adagrad goes
# on falling, to a thirtieth of where the constant steps stall. Adadelta needs no step size, but ten passes to find one.
#
# Rare features
# -------------
# Rows like those of short texts: of 2000 words the k-th occurs in a fraction 1/(k + 1) of the rows. Each word has its
# own weight, and rare ones count more than frequent ones. The step size of each rule is the best of a grid, by F after
# 10 epochs.
n_samples, n_words = 4000, 2000
frequency = 1 / np.arange(2, n_words + 2)
words = sp.csr_matrix((rng.random((n_samples, n_words)) < frequency).astype(float))
weights = rng.standard_normal(n_words) / np.sqrt(frequency) / 8
labels = np.where(words @ weights + 0.5 * rng.standard_normal(n_samples) > 0, 1, -1)


def classifier(solver, epochs=10):
    """Return the unfitted classifier of the text-like rows."""
    return LogisticRegression(C=1.0, solver=solver, tol=None, max_iter=epochs, random_state=0)


def best(rule, step_sizes):
    """Return the rule with the step size at which F is lowest after 10 epochs."""
    fits = {step: classifier(rule(step_size=step, batch_size=10)).fit(words, labels) for step in step_sizes}
    step = min(fits, key=lambda step: fits[step].history_["objective"][-1])
    return step, rule(step_size=step, batch_size=10)


STEP_SIZES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
RULES = {"sgd": solvers.MiniBatch, "adagrad": solvers.Adagrad, "rmsprop": solvers.RMSprop, "adam": solvers.Adam}
tuned = {name: best(rule, STEP_SIZES) for name, rule in RULES.items()}
models = {f"{name}, {step:g}": classifier(solver) for name, (step, solver) in tuned.items()}
styles = [{"color": color, "linewidth": 1.3} for color in ("tab:red", "tab:green", "tab:olive", "deeppink")]
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
ConvergenceDisplay.from_estimators(models, words, labels, n_epochs=30, ax=ax, curve_kwargs=styles)
ax.set(title="2000 words, most of them rare", xlim=(0, 30), ylim=(1e-4, 1))
ax.grid(alpha=0.3)
plt.show()

# %%
# What to see
# -----------
# - A rare word has a gradient once in a while. One step size for all words has to be short enough for the frequent
#   ones, and the rare ones then hardly move. Adagrad divides by what each word has gathered. **The lecture claims**
#   that "the learning rate of rare informative features diminishes slowly", and that it "can drastically improve over
#   SGD in sparse problems". **Measured:** after five passes it is where SGD, with its best step size, is after
#   twenty-five.
# - RMSprop forgets. Between two gradients of a rare word its running mean has gone to zero, so that the second one
#   makes a step as long as if it were the first; and in the meantime the small gradients of the penalty alone are blown
#   up to steps towards zero. Adam remembers for longer (beta_2 = 0.999) and lies between.
