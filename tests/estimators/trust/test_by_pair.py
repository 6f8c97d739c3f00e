import pytest
import torch
from torch.nn.functional import gelu

import lmi
from lmi.estimators.trust.by_pair import by_pair
from lmi.estimators.trust.thresholds import BY_COLUMN


def pairs(n, dims, r, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dims, generator=g, dtype=torch.float64)
    return x, r * x + (1 - r**2) ** 0.5 * torch.randn(n, dims, generator=g, dtype=torch.float64), g


@pytest.mark.parametrize(("dims", "r"), [(10, 0.0), (20, 0.5), (8, 0.98)])
def test_normal_pairs_behind_monotone_maps_have_nothing_more(dims, r):
    scores = []
    for seed in range(20):
        x, y, g = pairs(800, dims, r, seed)
        scores.append(by_pair(x, y.exp(), g).deviations)
    scores = torch.tensor(scores)
    assert abs(scores.mean()) < 0.8 and 0.5 < scores.std() < 1.5 and scores.max() < BY_COLUMN


def test_folded_columns_share_more_than_correlations_say():
    x, y, g = pairs(2000, 20, 0.5, 0)
    left = by_pair(gelu(x), gelu(y), g)
    assert left.deviations > BY_COLUMN and left.pairs == 20
    assert 0.2 < left.nats < 1.0  # of .55 that the closed form of ranks lacks


def test_columns_that_repeat_values_are_left_out():
    x, y, g = pairs(500, 4, 0.5, 0)
    assert by_pair(x.round(), y, g).pairs == 0
    assert by_pair(torch.cat((x, x.round()), 1), y, g).pairs == 4


@pytest.mark.slow
def test_auto_measures_folded_columns_pair_by_pair():
    x, y, _ = pairs(1500, 7, 0.5, 3)
    estimate = lmi.estimate(gelu(x), gelu(y), neural=False, permutations=0)
    assert estimate.interval[0] < 7 * 0.1009 < estimate.interval[1]
    assert abs(estimate.nats - 7 * 0.1009) < 0.08
