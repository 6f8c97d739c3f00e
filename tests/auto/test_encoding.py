"""A narrow side that many columns answer to: position codes, tuning curves, sums of angles."""

import math

import pytest
import torch

import lmi
from lmi.auto.called_for import clearer_ways, of_levels
from lmi.auto.candidates.encoding import EncodingModel
from lmi.auto.spaces import COLUMNS, Space, are_coarse
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


@pytest.mark.slow
def test_a_line_of_spikes_that_are_there_or_not_is_no_exact_model():
    # A hidden state, one for all columns and both sides, that is on or off: .3 nats were missing, "reliable".
    g = torch.Generator().manual_seed(7)
    state = torch.randn(1500, 8, generator=g, dtype=torch.float64).cumsum(1).repeat_interleave(5, 1)
    x, y = ((torch.rand(1500, 40, generator=g) < torch.sigmoid(3 * state)).double() for _ in range(2))
    estimate = lmi.estimate(x, y, permutations=0, neural=False)
    assert estimate.nats > 0.5 and estimate.verdict.level != "reliable"


def test_counts_with_many_zeros_are_no_density():
    # Kind and depth of cells, hidden: a network over a t density found half, "reliable", of square roots.
    g = torch.Generator().manual_seed(8)
    hidden = torch.randint(3, (900, 2), generator=g)
    rates = 8 * torch.rand(2, 3, 6, generator=g).square()
    x, y = (
        torch.poisson(rates[i, hidden[:, 0]] * (0.4 + hidden[:, 1:]), generator=g)
        * (torch.rand(900, 6, generator=g) > 0.2)
        for i in range(2)
    )
    estimate = lmi.estimate(x.sqrt(), y.sqrt(), permutations=0)
    assert estimate.verdict.level != "reliable" or "hidden behind levels" in estimate.choice
    assert are_coarse(x, y) and not are_coarse(x[:, :3], y[:, :3])


def test_scores_behind_rankings_do_not_vary_freely():
    # Ranks of five items add up to 15 in every row: hidden normal scores said 2.17 nats of 2.00, "reliable".
    g = torch.Generator().manual_seed(9)
    strength = torch.randn(600, 5, generator=g, dtype=torch.float64)
    x, y = ((strength + 0.5 * torch.randn(600, 5, generator=g, dtype=torch.float64)).argsort(1).double() for _ in "xy")
    folds = make_folds(600, 3, CONTEXT.generator("folds"))
    assert of_levels((x, y), folds, CONTEXT) == []
    assert [candidate.name for candidate in of_levels((x[:, :4], y[:, :4]), folds, CONTEXT)] == [
        "normal scores hidden behind levels"
    ]
