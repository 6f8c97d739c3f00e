"""The t copula: degrees of freedom are found behind monotone maps, and normal columns ask for none."""

import math

import torch

from lmi.auto.candidates.t_density import TDensity
from lmi.auto.candidates.t_mixture import TMixture
from lmi.auto.choice.called_for import of_tails
from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.t_copula import t_copula_degrees
from lmi.estimators.folds import make_folds
from lmi.sources.normal.student import StudentT
from lmi.types import Context

CONTEXT = Context(1)


def tails(x, y):
    return of_tails((x, y), make_folds(x.shape[0], 3, CONTEXT.generator("folds")), CONTEXT)


def hidden_tails(dim, n=1500):
    """t vectors of 3 degrees of freedom, each column through a map of its own shape."""
    pairs = StudentT(dim, 3, 0.4).sample(n, torch.Generator().manual_seed(0))
    return pairs.x.tanh(), normal_scores(pairs.y) ** 3, pairs.truth


def test_degrees_of_freedom_are_found_behind_monotone_maps():
    x, y, _ = hidden_tails(3)
    degrees, gain = t_copula_degrees(normal_scores(torch.cat((x, y), 1)))
    assert degrees in (2.0, 3.0, 4.0)
    assert gain > 500


def test_normal_columns_and_columns_of_no_common_tails_ask_for_no_t_copula():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 3, generator=g, dtype=torch.float64)
    y = x + torch.randn(1000, 3, generator=g, dtype=torch.float64)
    assert tails(x.sinh(), y) == []
    assert tails(x.round(), y) == []


def test_a_t_density_of_t_scores_measures_what_the_maps_hid():
    x, y, truth = hidden_tails(3)
    (candidate,) = tails(x, y)
    assert isinstance(candidate, TMixture)
    number = candidate.fit(make_folds(1500, 3, CONTEXT.generator("folds"))).number()
    assert math.isclose(number.nats, truth, abs_tol=2.5 * number.error)


def test_many_columns_are_measured_by_their_components():
    x, y, _ = hidden_tails(8, 800)
    (candidate,) = tails(x, y)
    assert isinstance(candidate, TDensity)
    assert candidate.rank == 8


def test_too_few_samples_for_a_density_ask_for_none():
    x, y, _ = hidden_tails(20, 150)
    assert tails(x, y) == []
