"""Public docstrings follow numpydoc."""

import pytest
from numpydoc.validate import validate

from skvr import solvers

ESTIMATORS = ["skvr.LogisticRegression", "skvr.Ridge", "skvr.RidgeClassifier"]
METHODS = ["skvr.LogisticRegression." + m for m in ("fit", "predict", "decision_function", "predict_proba")] + [
    "skvr.LogisticRegression.predict_log_proba",
    "skvr.Ridge.fit",
    "skvr.Ridge.predict",
    "skvr.RidgeClassifier.fit",
    "skvr.RidgeClassifier.decision_function",
    "skvr.RidgeClassifier.predict",
    *(f"skvr.{name}.partial_fit" for name in ("LogisticRegression", "Ridge", "RidgeClassifier")),
]
BASES = ["skvr.solvers.Solver", "skvr.solvers.StepSize", "skvr.solvers.BatchSize"]
DISPLAYS = ["skvr.ConvergenceDisplay", "skvr.LossSurfaceDisplay"]
DISPLAY_METHODS = [
    "skvr.ConvergenceDisplay.plot",
    "skvr.ConvergenceDisplay.from_estimators",
    "skvr.ConvergenceDisplay.from_history",
    "skvr.LossSurfaceDisplay.plot",
    "skvr.LossSurfaceDisplay.from_estimator",
]
SOLVERS = ["skvr.solvers." + name for name in solvers.__all__ if name != "SOLVERS"]

# Extended summaries, See Also and method examples where one line says it all; `self : Estimator` as in scikit-learn;
# descriptions that begin with a symbol of the formula.
NOT_ASKED = {"ES01", "SA01", "SA04", "EX01", "RT02", "PR08"}


@pytest.mark.parametrize("name", ESTIMATORS + METHODS + DISPLAYS + DISPLAY_METHODS + SOLVERS)
def test_docstring(name):
    errors = [f"{code}: {message}" for code, message in validate(name)["errors"] if code not in NOT_ASKED]
    assert not errors


@pytest.mark.parametrize("name", ESTIMATORS + DISPLAYS + [n for n in SOLVERS if n not in BASES])
def test_docstring_has_an_example(name):
    assert "EX01" not in [code for code, _ in validate(name)["errors"]]
