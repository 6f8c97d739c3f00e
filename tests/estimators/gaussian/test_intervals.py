"""Normal scores hidden behind levels: known correlations and information through ReLU and rounding."""

import math

import pytest
import torch

from lmi.estimators.gaussian.intervals import fit_intervals, intervals
from lmi.estimators.trust.thresholds import HIDDEN_NOT_NORMAL


def pairs(n, d, rho, seed):
    g = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(n, d, generator=g, dtype=torch.float64) for _ in range(2))
    return x, rho * x + math.sqrt(1 - rho**2) * y


def test_without_ties_it_is_the_normal_copula():
    x, y = pairs(1500, 2, 0.6, 0)
    ends = [intervals(z) for z in (x, y)]
    fitted = fit_intervals(*ends, 0)
    assert all(torch.equal(*e.chunk(2, 1)) for e in ends)
    assert abs(float(fitted.ratio(*ends).mean()) + math.log(1 - 0.36)) < 0.06


@pytest.mark.parametrize("coarse", [lambda z: z.clamp(min=0), torch.round, lambda z: z.clamp(-1, 1), lambda z: z > 0.5])
def test_hidden_correlation_is_found_behind_levels(coarse):
    x, y = pairs(2000, 1, 0.7, 1)
    fitted = fit_intervals(intervals(coarse(x)), intervals(coarse(y)), 0)
    assert abs(float(fitted.linear.correlations[0]) - 0.7) < 0.06


def test_information_of_signs():
    """Two signs of correlation rho agree with probability 1/2 + asin(rho) / pi."""
    x, y = pairs(4000, 1, 0.8, 2)
    ends = [intervals((z > 0).double()) for z in (x, y)]
    p = 0.5 + math.asin(0.8) / math.pi
    truth = math.log(2) + p * math.log(p) + (1 - p) * math.log(1 - p)
    assert abs(float(fit_intervals(*ends, 0).ratio(*ends).mean()) - truth) < 0.03


def test_every_x_with_every_y_has_the_pairs_on_its_diagonal():
    x, y = (intervals(z.round()) for z in pairs(400, 2, 0.6, 3))
    fitted = fit_intervals(x, y, 0)
    assert float((fitted.scores(x, y).diagonal() - fitted.ratio(x, y)).abs().mean()) < 1e-4


def test_too_few_samples_are_refused():
    x, y = (intervals(z) for z in pairs(30, 4, 0.5, 4))
    with pytest.raises(ValueError, match="30 samples are too few for the correlations of 8 columns"):
        fit_intervals(x, y, 0)


def test_hidden_scores_of_counts_with_a_shared_rate_are_not_jointly_normal():
    """Where the rate is low the noise is larger: the copula of correlations holds behind ReLU and not behind counts."""
    g = torch.Generator().manual_seed(5)
    x, y = pairs(1500, 5, 0.6, 3)
    rate = torch.randn(1500, 1, generator=g, dtype=torch.float64).mul(0.8).exp()
    counts = [torch.poisson(rate.expand(-1, 5) * mean, generator=g) for mean in (0.5, 3.0)]
    off = []
    for sides in ([z.clamp(min=0) for z in (x, y)], counts):
        ends = [intervals(z) for z in sides]
        off.append(fit_intervals(*ends, 0).not_normal(*ends))
    assert off[0] < HIDDEN_NOT_NORMAL - 1 and off[1] > HIDDEN_NOT_NORMAL + 1
