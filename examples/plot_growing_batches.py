r"""
======================================
Batches: gradient descent with error
======================================

With a batch the gradient has an error e_k, and a step of 1/L changes the objective by at most

.. math:: f(x_{k+1}) \le f(x_k) - \frac{1}{2L} \|\nabla f(x_k)\|^2 + \frac{1}{2L} \|e_k\|^2 .

A fixed batch stalls where the two terms are equal. The rate of gradient descent survives, the lecture says, if the
error falls as fast as it: so the batch has to grow. And what does a large batch gain on a machine?
"""

# %%
# Fixed and growing batches
# -------------------------
# Logistic regression with 32,768 rows of 20 features, and the same constant step for all, 1.0, which is a third of 1/L.
# ``"geometric"`` batches grow by a factor each epoch. ``"adaptive"`` ones measure both terms after each epoch, for one
# pass, and become the smallest for which the first is twice the second.
import matplotlib.pyplot as plt
import numpy as np

from skvr import ConvergenceDisplay, LogisticRegression, solvers

n, p, C = 32768, 20, 1e-3
rng = np.random.default_rng(0)
X = rng.standard_normal((n, p))
y = np.where(2 * X @ rng.standard_normal(p) + rng.logistic(size=n) > 0, 1, -1)

BATCHES = {
    "32 rows": (32, "tab:red", "-"),
    "1024 rows": (1024, "tab:orange", "-"),
    "geometric, 32, by 1.2": (solvers.GeometricBatch(32, rate=1.2), "tab:green", "--"),
    "geometric, 32, by 2": (solvers.GeometricBatch(32, rate=2), "tab:green", "-"),
    "adaptive, from 32": (solvers.AdaptiveBatch(32), "tab:blue", "-"),
    "all rows": (n, "black", "-"),
}
EPOCHS = 60
models = {
    name: LogisticRegression(C=C, solver=solvers.MiniBatch(step_size=1.0, batch_size=batch), random_state=0)
    for name, (batch, *_) in BATCHES.items()
}
figure, ax = plt.subplots(figsize=(7, 4.3), layout="constrained")
styles = [{"color": color, "linestyle": style} for _, color, style in BATCHES.values()]
ConvergenceDisplay.from_estimators(models, X, y, n_epochs=EPOCHS, ax=ax, curve_kwargs=styles)
ax.set(xlim=(0, EPOCHS), ylim=(1e-12, 1))
ax.grid(alpha=0.3)
plt.show()

# %%
# - The fixed batches stall, the larger one lower. All rows go down in a straight line, at the price of a pass a step.
# - **The lecture claims** that the rate of gradient descent is kept if the error falls as fast; if more slowly, "the
#   rate at which it goes to zero becomes the bottleneck". **Measured:** by 2 an epoch, the slope at the end is that of
#   all rows, and the cheap steps of the start are a gain that stays, of five digits. By 1.2 the error is the
#   bottleneck, until the batch is the whole data, after 39 epochs.
# - The adaptive batch needs no rate. It finds after one epoch that 32 rows have done what they can.
#
# Large batches on a machine
# --------------------------
# Dense rows of 200 features with a part in common, and the automatic step, which decreases, and is longer for a larger
# batch. Counted are the steps and passes until F is first within 2 % of its minimum, and the seconds of a pass: the
# mean epoch without the evaluation of F, the lesser of two fits.
n, p, C = 16384, 200, 1e-2
X = rng.standard_normal((n, p)) + 0.2 * rng.standard_normal((n, 1))
y = np.where(X @ rng.standard_normal(p) / 5 + rng.logistic(size=n) > 0, 1, -1)
F_star = LogisticRegression(C=C, tol=1e-16).fit(X, y).history_["objective"][-1]
SIZES = 4 ** np.arange(8)
REPEATS, MOST, ACCURACY = 2, 80, 0.02


def cost(batch):
    """Return the steps and passes to 2 %, and the seconds of a pass."""
    seconds = []
    for _ in range(REPEATS):
        solver = solvers.MiniBatch(batch_size=int(batch))
        history = LogisticRegression(C=C, solver=solver, tol=None, max_iter=MOST, random_state=0).fit(X, y).history_
        seconds.append(history["seconds"])
    seconds = np.min(seconds, axis=0)
    at = int(np.argmax(history["objective"] <= (1 + ACCURACY) * F_star))
    assert history["objective"][at] <= (1 + ACCURACY) * F_star
    return history["epoch"][at] * n / batch, history["passes"][at], (seconds[-1] - seconds[0]) / (MOST - 1)


steps, passes, seconds = np.array([cost(batch) for batch in SIZES]).T
for batch, n_steps, n_passes in zip(SIZES, steps, passes, strict=True):
    print(f"{batch:6d} rows a step: {n_steps:6.0f} steps, {n_passes:3.0f} passes")
figure, panels = plt.subplots(1, 3, figsize=(11, 3.7), layout="constrained")
panels[0].loglog(SIZES, steps, "o-", color="tab:blue")
panels[0].loglog(SIZES, steps[0] / SIZES, "--", color="0.5", label="one half at twice the batch")
panels[0].set_title("steps to 2 %")
panels[0].legend()
panels[1].loglog(SIZES, passes, "o-", color="tab:orange")
panels[1].set_title("passes to 2 %")
panels[2].loglog(SIZES, 1000 * seconds, "o-", color="0.4", label="a pass")
panels[2].loglog(SIZES, 1000 * seconds * passes, "o-", color="tab:red", label="to 2 %")
panels[2].set_title("milliseconds")
panels[2].legend()
for panel in panels:
    panel.set_xlabel("rows in a batch")
    panel.yaxis.set_minor_formatter(plt.NullFormatter())
    panel.grid(alpha=0.3)
plt.show()

# %%
# What to see
# -----------
# - Up to a few hundred rows the steps fall at least in proportion to the batch: the variance is the bottleneck, and a
#   batch of twice the rows allows twice the step. Beyond that the curvature of F limits the step, and a larger batch
#   saves no steps: it pays in passes. That is the end of what "large batch training" can gain.
# - A pass costs nearly the same for all sizes on one thread. Single rows cost somewhat more, since every step has its
#   share of bookkeeping. So the time goes with the passes, and a batch between is best.
# - **The lecture claims** that a larger batch is "particularly useful for vectorization and parallelization", and ends
#   with two pictures of large batch training, by time and by batch size. **Measured** on one thread: a pass costs the
#   same, 256 rows a step need the fewest, and all rows a step 26 times as many. With ``n_jobs`` threads share batches
#   of 131,072 values or more.
