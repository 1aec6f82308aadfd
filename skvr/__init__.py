"""skvr: scikit-learn compatible linear models fitted by the stochastic methods of finite-sum optimisation."""

from importlib.metadata import version

from skvr import solvers
from skvr.display import ConvergenceDisplay, LossSurfaceDisplay
from skvr.logistic import LogisticRegression
from skvr.ridge import Ridge
from skvr.ridge_classifier import RidgeClassifier

__version__ = version("skvr")
__all__ = ["ConvergenceDisplay", "LogisticRegression", "LossSurfaceDisplay", "Ridge", "RidgeClassifier", "solvers"]
