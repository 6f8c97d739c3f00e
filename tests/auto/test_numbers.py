"""What neighbours say of fresh variates: its standard error is how much it varies, and folds that mean the same are one."""

import math
from types import SimpleNamespace

import torch

from lmi.auto.numbers import neighbours_number
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.folds import make_folds
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
