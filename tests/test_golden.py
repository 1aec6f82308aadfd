"""The coefficients of yesterday: what a change of the code does to the numbers does not go unseen.

`python tests/test_golden.py` writes golden.json anew. A commit that changes it says why in doc/changelog.md: a user who
upgrades gets other numbers.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import scale

from skvr import LogisticRegression, Ridge, RidgeClassifier, solvers

FILE = Path(__file__).with_name("golden.json")
# A few epochs do what the formulas say, to rounding: 1e4 steps of an eps each stay below 1e-10 of the largest entry.
FEW = {"tol": None, "max_iter": 5, "random_state": 0}
DATA = {"cancer": load_breast_cancer, "iris": load_iris, "diabetes": load_diabetes}
CASES = {
    "auto": (LogisticRegression(tol=1e-20), "cancer"),
    "auto multinomial": (LogisticRegression(C=10, tol=1e-20), "iris"),
    "auto ridge": (Ridge(0.1, tol=1e-20), "diabetes"),
    "gd": (LogisticRegression(solver="gd", **FEW), "cancer"),
    "sgd": (LogisticRegression(solver="sgd", **FEW), "iris"),
    "sgd with momentum": (Ridge(solver=solvers.SGD("inverse-scaling", momentum=0.9, average=True), **FEW), "diabetes"),
    "minibatch": (Ridge(solver="minibatch", batch_size=16, **FEW), "diabetes"),
    "sag": (LogisticRegression(solver="sag", **FEW), "cancer"),
    "sag with line search": (LogisticRegression(solver=solvers.SAG("line-search"), **FEW), "iris"),
    "saga": (RidgeClassifier(solver="saga", **FEW), "iris"),
    "svrg": (LogisticRegression(solver="svrg", batch_size=8, **FEW), "iris"),
    "svrg by Lipschitz constants": (Ridge(solver=solvers.SVRG(sampling="lipschitz"), **FEW), "diabetes"),
    "adagrad": (LogisticRegression(solver="adagrad", batch_size=32, **FEW), "cancer"),
    "rmsprop": (LogisticRegression(solver="rmsprop", batch_size=32, **FEW), "cancer"),
    "adadelta": (Ridge(solver="adadelta", batch_size=32, **FEW), "diabetes"),
    "adam": (LogisticRegression(solver="adam", batch_size=32, **FEW), "iris"),
    "sdca": (LogisticRegression(solver=solvers.SDCA(), **FEW), "cancer"),
    "lbfgs": (LogisticRegression(solver=solvers.LBFGS("none"), **FEW), "cancer"),
    "preconditioned svrg": (LogisticRegression(solver=solvers.PreconditionedSVRG(batch_size=32), **FEW), "cancer"),
}


def fitted(name, layout=np.asarray):
    model, data = CASES[name]
    X, y = DATA[data](return_X_y=True)
    model.fit(layout(scale(X)), y)
    return {"coef": np.ravel(model.coef_).tolist(), "intercept": np.ravel(model.intercept_).tolist()}


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("name", CASES)
def test_coefficients_are_those_of_yesterday(name, layout):
    golden = json.loads(FILE.read_text())
    assert golden.keys() == CASES.keys()
    size = np.abs(golden[name]["coef"]).max()
    now = fitted(name, layout)
    for part in ("coef", "intercept"):
        np.testing.assert_allclose(now[part], golden[name][part], rtol=1e-10, atol=1e-10 * size)


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: fitted(name) for name in CASES}, indent=1) + "\n")
