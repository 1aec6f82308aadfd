"""scikit-learn's callbacks, in the versions that have them (1.9 and newer): a fit and its epochs as tasks."""

from dataclasses import dataclass

import numpy as np

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # an older scikit-learn: there are no callbacks to set

    class CallbackSupportMixin:
        """Adds nothing."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


@dataclass
class FitTask:
    """What an estimator's callbacks are told of a fit.

    Attributes
    ----------
    estimator : the one that is fitted.
    X : the rows, validated.
    y : a function that returns the targets as the user wrote them.
    metadata : {"sample_weight": ...} or None.
    attributes : a function of coef and intercept that returns the fitted attributes an epoch needs to predict.
    """

    estimator: object
    X: object
    y: object
    metadata: dict | None
    attributes: object

    def begin(self, problem):
        """Begin the fit; return whether there are callbacks."""
        if not getattr(self.estimator, "_skl_callbacks", None):
            return False
        self.problem = problem
        self.context = self.estimator._init_callback_context(max_subtasks=self.estimator.max_iter)
        self.context.call_on_fit_task_begin(**self._arguments())
        return True

    def begin_epoch(self, theta):
        """Begin an epoch from the parameters `theta`."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self._arguments(theta))

    def end_epoch(self, theta):
        """End it; return whether a callback asks to stop the fit."""
        return self.epoch.call_on_fit_task_end(**self._arguments(theta))

    def end(self):
        """End the fit, once the estimator has its attributes."""
        if hasattr(self, "context"):
            self.context.call_on_fit_task_end(**self._arguments(), reconstruction_attributes={})

    def _arguments(self, theta=None):
        arguments = dict(estimator=self.estimator, X=self.X, y=self.y, metadata=self.metadata)
        if theta is not None:
            coef, intercept = self.problem.coef(theta), self.problem.intercept(theta)
            with np.errstate(over="ignore"):
                copies = coef.astype(self.X.dtype, order="C"), intercept.astype(self.X.dtype)
            arguments["reconstruction_attributes"] = lambda: self.attributes(*copies)
        return arguments
