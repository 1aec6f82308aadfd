"""
==================================
The first picture, in ten lines
==================================

How far is F above its minimum after every pass over the data? ``ConvergenceDisplay`` fits the estimators, finds the
minimum and draws. Change the names, the data or C and look again.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skvr import ConvergenceDisplay, LogisticRegression

X, y = load_breast_cancer(return_X_y=True)
names = ["auto", "gd", "sgd", "sag", "saga", "svrg", "adam"]
models = {name: LogisticRegression(C=0.1, solver=name, random_state=0) for name in names}
ConvergenceDisplay.from_estimators(models, scale(X), y, n_epochs=100).ax_.set(xlim=(0, 100), ylim=(1e-12, 10))
plt.show()

# %%
# What to see
# -----------
# A straight line is a linear rate: every pass gains the same factor, as with gd, sag, saga and svrg. sgd and adam start
# as fast and then level off. auto, the default, is done after a few steps, each of which is worth more than a pass.
#
# **The lecture claims** a sublinear rate for SGD, whatever is done with its steps, and a linear one for SAG and SVRG.
# **Measured:** in the last fifty passes sag gains another factor of 20,000, sgd one of 5.
#
# From here: :doc:`plot_compare_solvers` says what is behind each line, :doc:`plot_choosing_a_solver` which solver to
# take.
