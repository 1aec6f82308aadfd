"""Warnings that point to the line of the user's code, however many decorators lie between."""

import sys
import warnings

from sklearn.exceptions import ConvergenceWarning


def warn_of_convergence(message):
    """Issue a ConvergenceWarning for the innermost caller outside skvr and scikit-learn's callbacks."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(("skvr.", "sklearn.callback")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, ConvergenceWarning, stacklevel=level)
