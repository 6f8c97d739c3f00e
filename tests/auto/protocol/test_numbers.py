"""What neighbours say of fresh variates, and what a density says: errors that are as large as numbers vary, and bounds."""

import math
from types import SimpleNamespace

import pytest
import torch

from lmi.auto.candidates.t_density import TDensity
from lmi.auto.protocol.numbers import bound_number, neighbours_number, ratio_number
from lmi.auto.spaces import COLUMNS, Space
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.folds import make_folds
from lmi.sources.nonlinear.sphere import Sphere
from lmi.sources.normal.student import StudentT
from lmi.types import Context

N = 600
TRUTH = 0.5 * math.log(5)


def numbers(alike, draws):
    """Numbers of pairs y = x + e / 2, each with the density that ties them, and nothing that is not confirmed."""
    g = torch.Generator().manual_seed(0)
    folds = make_folds(N, 3, g)
    out = []
    for _ in range(draws):
        x = torch.randn(N, 1, generator=g, dtype=torch.float64)
        y = x + 0.5 * torch.randn(N, 1, generator=g, dtype=torch.float64)
        models = [fit_mixture(x, y, 1, g, heavy=False)] * 3
        variates = [lambda rows, x=x, y=y: (x[rows], y[rows])] * 3
        cross_fit = SimpleNamespace(folds=folds, bound=10.0)
        out.append(neighbours_number(cross_fit, variates, models, Context(0), alike))
    return out


def test_what_fitting_cost_beyond_reason_opens_the_interval_only():
    log_ratio = torch.linspace(1.0, 3.0, 600, dtype=torch.float64)
    cross_fit = SimpleNamespace(bound=2.0, dv=1.9, log_ratio=log_ratio, folds=make_folds(1800, 3, torch.Generator()))
    little, much = bound_number(cross_fit, 0.2), bound_number(cross_fit, 1.4)
    assert (little.nats, little.above) == pytest.approx((2.1, 0.0))
    assert (much.nats, much.above) == pytest.approx((2.3, 0.4))


def test_the_standard_error_is_how_much_neighbours_vary():
    """The spread of the terms alone says four fifths of it."""
    made = numbers(alike=True, draws=150)
    spread = float(torch.tensor([number.nats for number in made]).std())
    error = sum(number.error for number in made) / len(made)
    assert 0.88 < spread / error < 1.12
    assert abs(sum(number.nats for number in made) / len(made) - TRUTH) < 0.02


def test_neighbours_of_another_fold_count_where_the_variates_mean_the_same():
    """Thirds of a wave are too few for neighbours: .05 nats more are found in the whole, and none without a wave."""
    g = torch.Generator().manual_seed(1)
    x = torch.randn(N, 1, generator=g, dtype=torch.float64)
    y = (4 * x).sin() + 0.2 * torch.randn(N, 1, generator=g, dtype=torch.float64)
    cross_fit = SimpleNamespace(folds=make_folds(N, 3, g), bound=10.0)
    models = [fit_mixture(x, y, 1, g)] * 3
    variates = [lambda rows: (x[rows], y[rows])] * 3
    whole, thirds = (neighbours_number(cross_fit, variates, models, Context(0), alike).nats for alike in (True, False))
    assert whole > thirds + 0.05


def density_on(source, num_samples, columns):
    """The number of a t density of the first ``columns`` of each side, and the mean log ratio that it would be."""
    pairs = source.sample(num_samples, torch.Generator().manual_seed(5))
    x, y, context = pairs.x[:, :columns], pairs.y[:, :columns], Context()
    fitted = TDensity(Space(COLUMNS, x, y), columns, context).fit(
        make_folds(num_samples, 2, context.generator("folds"))
    )
    return fitted.number(), ratio_number(fitted.cross_fit.folds, x, y, [model.ratio for model in fitted.models])


def test_a_density_whose_mean_ratio_is_above_1_says_no_more_than_its_bound():
    sphere = Sphere(8, 10.0)
    number, ratio = density_on(sphere, 1600, 8)  # the columns of a side sum to 0
    assert ratio.nats - 2 * ratio.error > sphere.truth  # on a sphere the mean log ratio is too much
    assert number.nats == pytest.approx(sphere.truth, abs=0.09)
    assert number.nats + number.above == pytest.approx(ratio.nats)


def test_a_density_whose_mean_ratio_is_1_keeps_its_mean_log_ratio():
    number, ratio = density_on(StudentT(5, 3, 0.7), 1600, 5)
    assert number == ratio
