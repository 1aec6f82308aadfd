"""Displays: pictures of how a fit converged and of the objective that it went down, as scikit-learn's Displays are.

matplotlib is imported when something is drawn, and needed then only.
"""

from skvr.display.convergence import ConvergenceDisplay
from skvr.display.loss_surface import LossSurfaceDisplay

__all__ = ["ConvergenceDisplay", "LossSurfaceDisplay"]
