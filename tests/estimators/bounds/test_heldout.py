"""Held-out terms average to the bounds; the true ratio reaches the truth and no critic exceeds it."""

import math

import pytest
import torch

from lmi.estimators.bounds import heldout
from lmi.estimators.bounds.bounds import donsker_varadhan, infonce
from lmi.estimators.bounds.heldout import log_sums
from lmi.estimators.gaussian.linear import fit_linear, leading_components

TRUTH = -0.5 * math.log(1 - 0.64)


def pairs(n, seed, dims=1, r=0.8):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dims, generator=g, dtype=torch.float64)
    return x, r * x + math.sqrt(1 - r**2) * torch.randn(n, dims, generator=g, dtype=torch.float64)


def test_terms_average_to_the_bounds_of_one_block():
    x, y = pairs(300, 0)
    f = x @ y.T
    bounds = heldout.held_out(lambda a, b: a @ b.T, x, y)
    assert torch.isclose(bounds.dv.mean(), donsker_varadhan(f))
    assert torch.isclose(bounds.infonce.mean(), infonce(f))
    assert torch.isclose(bounds.log_ratio.mean(), f.diagonal().mean())


def test_the_fitted_normal_ratio_reaches_the_truth_on_fresh_pairs():
    critic = fit_linear(*pairs(4000, 1), 1)
    bounds = heldout.held_out(critic.scores, *pairs(4000, 2))
    for terms in (bounds.dv, bounds.infonce, bounds.log_ratio):
        assert abs(float(terms.mean()) - TRUTH) < 4 * float(terms.std()) / math.sqrt(4000) + 0.01


def test_a_wrong_critic_stays_below():
    bounds = heldout.held_out(lambda a, b: 0.3 * a @ b.T, *pairs(3000, 3))
    assert 0 < float(bounds.dv.mean()) < TRUTH


def test_linear_scores_equal_the_density_ratio():
    x, y = pairs(2000, 4, dims=3, r=0.5)
    critic = fit_linear(x, y, 3)
    joint = torch.cov(torch.cat((x, y), 1).T, correction=0)
    means = torch.cat((x, y), 1).mean(0)

    def log_density(z, side):
        return torch.distributions.MultivariateNormal(means[side], joint[side, side]).log_prob(z)

    every = slice(0, 6)
    expected = log_density(torch.cat((x, y), 1), every) - log_density(x, slice(0, 3)) - log_density(y, slice(3, 6))
    assert torch.allclose(critic.scores(x[:20], y[:20]).diagonal(), expected[:20], atol=1e-8)


def test_fresh_pairs_choose_the_components_that_matter():
    core_x, core_y = pairs(800, 5, dims=2)
    g = torch.Generator().manual_seed(6)
    x, y = (5 * z @ torch.randn(2, 40, generator=g, dtype=torch.float64) for z in (core_x, core_y))
    x, y = (z + 0.3 * torch.randn(800, 40, generator=g, dtype=torch.float64) for z in (x, y))
    kept, _ = leading_components(x, y, 0, torch.Generator().manual_seed(0))
    assert kept.shape[1] == 2


@pytest.mark.parametrize("scale", [1.0, 30.0, 3000.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_sums_hold_for_scores_of_any_size(scale, dtype):
    f = scale * torch.randn(60, 60, generator=torch.Generator().manual_seed(0), dtype=dtype)
    f[3, 3], f[:, 5] = 50 * scale, f[:, 5] - 40 * scale
    rows, columns, others = log_sums(f)
    apart = f.clone()
    apart.diagonal().fill_(-torch.inf)
    torch.testing.assert_close(rows, torch.logsumexp(f, 1))
    torch.testing.assert_close(columns, torch.logsumexp(f, 0))
    torch.testing.assert_close(others, torch.logsumexp(apart.flatten(), 0))
