"""Automatic step sizes never diverge: a batch of few rows may be many times as rough as one of many."""

import numpy as np
import pytest

from skvr import Ridge, solvers


@pytest.mark.parametrize(("n", "p", "batch"), [(257, 1000, 256), (513, 1000, 256), (1025, 300, 256), (1025, 400, 128)])
@pytest.mark.parametrize("solver", [solvers.MiniBatch, solvers.SVRG])
def test_a_short_last_batch_takes_its_share_of_the_step(solver, n, p, batch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    y = X @ rng.standard_normal(p) / np.sqrt(p) + 0.1 * rng.standard_normal(n)
    model = Ridge(1e-3, solver=solver(batch_size=batch), tol=None, max_iter=50, random_state=0).fit(X, y)
    assert model.history_["objective"].max() <= np.mean(y**2) / 2 * 1.5
    assert model.history_["objective"][-1] < 0.1 * np.mean(y**2)


@pytest.mark.parametrize("factor", [30, 1000])
@pytest.mark.parametrize("average", [True, False])
def test_sag_with_draws_by_L_bears_heavy_rows(average, factor):
    """Those are drawn first: their mean alone, in the place of that of all rows, made F explode."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 5))
    X[0] *= factor
    y = X @ np.ones(5) + rng.standard_normal(500)
    model = Ridge(solver=solvers.SAG(sampling="lipschitz", average=average), tol=None, max_iter=50, random_state=0)
    objective = model.fit(X, y).history_["objective"]
    assert objective.max() <= np.mean(y**2) / 2
    assert objective[-1] < 1.2 * Ridge().fit(X, y).history_["objective"][-1]
