"""Every option of every first-order solver against its twin: the same draws and step sizes give the same iterate.

What a fit draws is recorded, epoch by epoch, with the step sizes it hands to the kernels; the twin of reference.py,
which follows the lecture line by line, makes the same steps.
"""

from itertools import pairwise

import numpy as np
import pytest
import reference
from problems import RTOL, compiled, each, make_problem
from reference import join, split

from skvr import solvers
from skvr.solvers import sampling
from skvr.solvers.schedule import Schedule, SearchSchedule
from skvr.solvers.solve import solve

N, BATCH, EPOCHS = 24, 3, 3  # 24 rows, or 21 of positive weight: whole batches
LOSSES = ["logistic", "softmax", "squared-3"]
EPSILON = 1e-3  # large enough that its place, inside or outside the root, shows


class Draws:
    """What a fit drew: the order of each epoch, all step sizes, and n q_i."""

    def __init__(self):
        self.orders, self.steps, self.search, self.frequency = [], [], None, None

    @property
    def order(self):
        return np.concatenate(self.orders)

    def all_steps(self, P):
        if self.search is not None:
            L, multiple = self.search
            return reference.LineSearch(L, multiple, 2 ** (-1 / P.n))
        return np.concatenate(self.steps).reshape(-1, len(P.alpha))


@pytest.fixture
def draws(monkeypatch):
    recorded = Draws()
    for cls in sampling.SAMPLINGS.values():

        def draw(self, rng, draw=cls.draw):
            recorded.orders.append(draw(self, rng))
            recorded.frequency = self.frequency
            return recorded.orders[-1]

        monkeypatch.setattr(cls, "draw", draw)

    def steps(self, *arguments, steps=Schedule.steps):
        recorded.steps.append(steps(self, *arguments))
        return recorded.steps[-1]

    def search(self, *arguments, steps=SearchSchedule.steps):
        recorded.search = recorded.search or (self.L.copy(), self.multiple)
        return steps(self, *arguments)

    monkeypatch.setattr(Schedule, "steps", steps)
    monkeypatch.setattr(SearchSchedule, "steps", search)
    return recorded


# Twins of a fit that starts at zero: functions of the problem, W, b and the draws.


def drawn_problem(P, draws):
    """The problem whose row i has the loss f_i / (n q_i), for methods that take unbiased single gradients."""
    if draws.frequency is None:
        return P

    class Reweighted(reference.Problem):
        weight = P.weight / draws.frequency

    return Reweighted(P.X, P.y, P.sample_weight, P.alpha, P.loss, P.fit_intercept)


def mean_of(method):
    """The mean of a method's iterates in the place of the last."""

    def twin(P, W, b, draws):
        total = np.zeros((len(b), P.X.shape[1] + 1))
        method(P, W, b, draws, total)
        return split(total / len(draws.order) * method.batch)

    return twin


def sgd(P, W, b, draws, total=None):
    return reference.sgd(drawn_problem(P, draws), W, b, draws.order, draws.all_steps(P), total=total)


def minibatch(P, W, b, draws, total=None):
    return reference.minibatch(drawn_problem(P, draws), W, b, draws.order, draws.all_steps(P), BATCH, total=total)


sgd.batch, minibatch.batch = 1, BATCH


def rule(name, batch=BATCH, **parameters):
    def twin(P, W, b, draws, total=None):
        order, steps = draws.order, draws.all_steps(P)
        return getattr(reference, name)(drawn_problem(P, draws), W, b, order, steps, batch, **parameters)

    return twin


def table(name, initial_table):
    def twin(P, W, b, draws, total=None):
        method, order, steps = getattr(reference, name), draws.order, draws.all_steps(P)
        return method(P, W, b, order, steps, initial_table, relative_draws=draws.frequency, total=total)

    twin.batch = 1
    return twin


def svrg(batch=1, inner=1.0, average=False):
    """Inner loops of `inner` epochs; the last may be cut short."""

    def twin(P, W, b, draws):
        order, steps, x = draws.order, draws.all_steps(P), join(W, b)  # of a short batch m/b of the step: recorded so
        weights = np.ones(len(P.X)) if draws.frequency is None else 1 / draws.frequency
        length = round(inner * P.n)
        # An epoch's end cuts a batch, and so does an inner loop's.
        ends = sorted({*range(0, len(order) + 1, length), *range(0, len(order) + 1, P.n)})
        x_tilde, iterates, k = x, [], 0
        for begin, end in pairwise(ends):
            if begin % length == 0:
                x = x_tilde = np.mean(iterates, axis=0) if average and iterates else x
                full, iterates = P.full_gradient(x_tilde), []
            for first in range(begin, end, batch):
                B = order[first : min(first + batch, end)]
                step = reference.step_size(steps, k, drawn_problem(P, draws), B, x)
                change = (P.loss_gradients(x) - P.loss_gradients(x_tilde))[B] * weights[B][:, None, None]
                x = x - step * (full + change.mean(axis=0) + P.penalty_gradient(x - x_tilde))
                iterates.append(x)
                k += 1
        return split(np.mean(iterates, axis=0) if average else x)

    return twin


DECAYING = solvers.InverseScaling(0.05, decay=0.1)
OPTIONS = {
    "gd": (solvers.GD(solvers.Exponential(0.1, rate=0.5)), lambda P, W, b, d: reference.gd(P, W, b, d.all_steps(P))),
    "sgd": (solvers.SGD(DECAYING), sgd),
    "sgd-pl": (solvers.SGD("pl"), sgd),
    "sgd-line-search": (solvers.SGD("line-search"), sgd),
    "sgd-average": (solvers.SGD(DECAYING, average=True), mean_of(sgd)),
    "sgd-heavy-ball": (solvers.SGD(DECAYING, momentum=0.8), rule("heavy_ball", 1, momentum=0.8)),
    "sgd-nesterov": (solvers.SGD(DECAYING, momentum=0.8, nesterov=True), rule("nesterov", 1, momentum=0.8)),
    "minibatch-exponential": (solvers.MiniBatch(solvers.Exponential(0.1, rate=1.5), BATCH), minibatch),
    "minibatch-line-search": (solvers.MiniBatch("line-search", BATCH), minibatch),
    "minibatch-average": (solvers.MiniBatch(DECAYING, BATCH, average=True), mean_of(minibatch)),
    "minibatch-heavy-ball": (solvers.MiniBatch(DECAYING, BATCH, momentum=0.8), rule("heavy_ball", momentum=0.8)),
    "minibatch-nesterov": (
        solvers.MiniBatch(DECAYING, BATCH, momentum=0.8, nesterov=True),
        rule("nesterov", momentum=0.8),
    ),
    "minibatch-fraction": (solvers.MiniBatch(DECAYING, BATCH / N + 0.01), minibatch),
    "sag": (solvers.SAG(), table("sag", "zeros")),
    "sag-gradient": (solvers.SAG(initial_table="gradient"), table("sag", "gradient")),
    "sag-centred": (solvers.SAG(initial_table="centred-gradient"), table("sag", "centred")),
    "sag-average": (solvers.SAG(DECAYING, average=True), mean_of(table("sag", "zeros"))),
    "sag-lipschitz-centred-average": (
        solvers.SAG(initial_table="centred-gradient", sampling="lipschitz", average=True),
        mean_of(table("sag", "centred")),
    ),
    "sag-line-search": (solvers.SAG("line-search"), table("sag", "zeros")),
    "sag-line-search-lipschitz": (solvers.SAG("line-search", sampling="lipschitz"), table("sag", "counted zeros")),
    "saga": (solvers.SAGA(), table("saga", "gradient")),
    "saga-average": (solvers.SAGA(average=True), mean_of(table("saga", "gradient"))),
    "saga-line-search-lipschitz": (solvers.SAGA("line-search", "lipschitz"), table("saga", "gradient")),
    "svrg": (solvers.SVRG(batch_size=BATCH, inner_length=2.0), svrg(BATCH, 2.0)),
    "svrg-rows": (solvers.SVRG(batch_size=1, inner_length=0.7), svrg(1, 0.7)),
    "svrg-average": (solvers.SVRG(DECAYING, BATCH, 1.5, snapshot="average"), svrg(BATCH, 1.5, average=True)),
    "svrg-line-search": (solvers.SVRG("line-search", BATCH, 1.0), svrg(BATCH)),
    "adagrad": (solvers.Adagrad(0.1, BATCH, epsilon=EPSILON), rule("adagrad", epsilon=EPSILON)),
    "rmsprop": (solvers.RMSprop("pl", BATCH, gamma=0.8, epsilon=EPSILON), rule("rmsprop", gamma=0.8, epsilon=EPSILON)),
    "adadelta": (
        solvers.Adadelta(1.0, BATCH, gamma=0.8, rho=0.7, epsilon=EPSILON),
        rule("adadelta", gamma=0.8, rho=0.7, epsilon=EPSILON),
    ),
    "adam": (
        solvers.Adam(DECAYING, BATCH, beta_1=0.8, beta_2=0.9, epsilon=EPSILON),
        rule("adam", beta_1=0.8, beta_2=0.9, epsilon=EPSILON),
    ),
    "amsgrad": (
        solvers.Adam(DECAYING, BATCH, beta_1=0.8, beta_2=0.9, epsilon=EPSILON, amsgrad=True),
        rule("amsgrad", beta_1=0.8, beta_2=0.9, epsilon=EPSILON),
    ),
}
RESAMPLED = ["sgd", "sgd-heavy-ball", "minibatch-average", "saga", "svrg", "svrg-average"]
for option in (*RESAMPLED, "adagrad", "rmsprop", "adadelta", "adam"):
    solver, twin = OPTIONS[option]
    for name in set(solver.samplings) - {solver.sampling}:
        parameters = solver.get_params(deep=False) | {"sampling": name}
        OPTIONS[f"{option}-{name}"] = type(solver)(**parameters), twin


@each(option=OPTIONS, loss=LOSSES, layout=["dense", "int32"], dtype=["float32", "float64"], weighted=[True, False])
def test_a_fit_makes_the_steps_of_its_twin(option, loss, layout, dtype, weighted, draws):
    solver, twin = OPTIONS[option]
    P = make_problem(loss, dtype=dtype, weighted=weighted, n=N)
    problem = compiled(P, layout, dtype)
    theta = problem.zeros()
    solver.check()
    solve(problem, solver, theta, tol=None, max_iter=EPOCHS, rng=np.random.default_rng(0))
    K = len(P.alpha)
    expected = join(*twin(P, np.zeros((K, P.X.shape[1])), np.zeros(K), draws))
    actual = join(problem.coef(theta), problem.intercept(theta))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=RTOL * np.abs(expected).max())


def test_the_table_names_every_parameter_of_every_solver():
    """An option that no row of the table changes from its default is not tested."""
    changed = {}
    for solver, _ in OPTIONS.values():
        defaults = type(solver)().get_params(deep=False)
        differing = {
            name for name, value in solver.get_params(deep=False).items() if repr(value) != repr(defaults[name])
        }
        changed.setdefault(type(solver), set()).update(differing)
    for cls, names in changed.items():
        assert names == set(cls._get_param_names()), cls.__name__
