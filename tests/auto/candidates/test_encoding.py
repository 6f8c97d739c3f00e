"""A narrow side that many columns answer to: position codes, tuning curves, sums of angles."""

import math

import pytest
import torch

import lmi
from lmi.auto.candidates.encoding import EncodingModel
from lmi.auto.spaces import COLUMNS, Space
from lmi.estimators.densities.predictions import clearer_ways
from lmi.estimators.folds import make_folds
from lmi.types import Context

CONTEXT = Context(seed=1)
NOISE = 1.0


def code(place):
    """(n, 30) sines and cosines of 15 frequencies of places (n,) between 0 and 1."""
    frequencies = 2 * math.pi * torch.logspace(-0.5, 1.2, 15, dtype=torch.float64)
    return torch.cat(((place[:, None] * frequencies).sin(), (place[:, None] * frequencies).cos()), 1)


def pairs(n, seed):
    """Places, their noisy codes, and the truth from the posterior of places on a fine grid."""
    g = torch.Generator().manual_seed(seed)
    place = torch.rand(n, generator=g, dtype=torch.float64)
    y = code(place) + NOISE * torch.randn(n, 30, generator=g, dtype=torch.float64)
    grid = code((torch.arange(2000, dtype=torch.float64) + 0.5) / 2000)
    along = torch.cdist(y, grid).square().mul(-0.5 / NOISE**2).logsumexp(1) - math.log(2000)
    return place[:, None], y, float(((y - code(place)).square().sum(1) * (-0.5 / NOISE**2) - along).mean())


@pytest.mark.parametrize("of_y", [True, False])
def test_a_position_is_read_from_its_code(of_y):
    place, y, truth = pairs(1200, 2)
    space = Space(COLUMNS, place, y) if of_y else Space(COLUMNS, y, place)
    fitted = EncodingModel(space).fit(make_folds(1200, 3, CONTEXT.generator("folds")))
    number = fitted.number()
    assert truth > 2.5 and 0.85 * truth < fitted.bound < truth + 0.05
    assert abs(number.nats - truth) < 0.2 * truth and fitted.traits.approximate
    assert fitted.null(20, torch.Generator().manual_seed(0)).p_value == pytest.approx(1 / 21)


def test_noise_has_no_code():
    g = torch.Generator().manual_seed(3)
    space = Space(COLUMNS, *(torch.randn(600, d, generator=g, dtype=torch.float64) for d in (1, 20)))
    assert EncodingModel(space).fit(make_folds(600, 3, CONTEXT.generator("folds"))).bound < 0.01


@pytest.mark.slow
def test_auto_reads_a_position_from_its_code():
    # Kernel variates and classes found less than half of it.
    place, y, truth = pairs(1200, 4)
    estimate = lmi.estimate(place.exp(), y, permutations=0)
    assert "took encoding of y by x" in estimate.choice
    assert estimate.interval[0] < truth < estimate.interval[1] < 2 * truth


@pytest.mark.slow
def test_a_sum_of_three_angles_is_found_by_kernels_alone():
    g = torch.Generator().manual_seed(5)
    x = 2 * math.pi * torch.rand(3000, 3, generator=g, dtype=torch.float64)
    angle = x.sum(1, keepdim=True) + 0.5 * torch.randn(3000, 1, generator=g, dtype=torch.float64)
    estimate = lmi.estimate(x, torch.cat((angle.cos(), angle.sin()), 1), permutations=0)
    # A wrapped normal of standard deviation .5 beside a uniform angle.
    truth = math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * math.e * 0.25)
    assert estimate.nats > 0.5 * truth
    assert estimate.interval[0] < truth < estimate.interval[1] or estimate.verdict.level != "reliable"


def test_a_column_is_predicted_the_way_that_is_clearly_easier():
    g = torch.Generator().manual_seed(6)
    x, noise = torch.randn(2, 800, 1, generator=g, dtype=torch.float64)
    wave = (3 * x).sin() + 0.2 * noise
    assert clearer_ways(x, wave) == [True] and clearer_ways(wave, x) == [False]
    assert clearer_ways(x, x + noise) == [True, False]
