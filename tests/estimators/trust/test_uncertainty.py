"""Intervals from disjoint subsamples are as wide as repeated experiments say; nulls are uniform under independence."""

import pytest
import torch

from lmi.estimators.neighbors.ksg import KSGEstimator, ksg_pointwise
from lmi.estimators.trust.uncertainty import doubts, permutation_null, subsample_spread
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import Context


def test_standard_error_is_the_spread_over_fresh_samples():
    source = LowRankGaussian(bits=0.8, x_dim=1, y_dim=1)
    values, errors = [], []
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        x, y = source.sample(800, generator).core
        values.append(float(ksg_pointwise(x, y).mean()))
        spread = subsample_spread(
            lambda part, x=x, y=y: float(ksg_pointwise(x[part], y[part]).mean()), 800, values[-1], generator
        )
        errors.append(spread.standard_error)
    ratio = float(torch.tensor(errors).mean() / torch.tensor(values).std())
    assert 0.75 < ratio < 1.35
    hits = sum(abs(v - torch.tensor(values).mean()) < 1.895 * e for v, e in zip(values, errors, strict=True))
    assert 47 <= hits <= 60


def test_too_few_samples_have_no_interval_and_it_is_said():
    assert subsample_spread(lambda part: 0.0, 100, 0.0, torch.Generator()) is None
    assert any("too few to be divided" in reason for reason in doubts(0.1, None, 9.0, 100, 2))


def test_null_p_values_are_uniform_under_independence():
    p_values = []
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(60, 1, generator=generator)
        y = torch.randn(60, 1, generator=generator)

        def statistic(order, x=x, y=y):
            return float(ksg_pointwise(x, y[order]).mean())

        observed = statistic(torch.arange(60))
        p_values.append(permutation_null(statistic, 60, observed, 19, Context(seed=seed)).p_value)
    p = torch.tensor(p_values)
    assert 0.35 < float(p.mean()) < 0.68
    assert float((p <= 0.05).double().mean()) <= 0.15


def test_the_same_seed_gives_the_same_null():
    def statistic(order):
        return float(order[0])

    first, second = (permutation_null(statistic, 50, 0.0, 5, Context(seed=3)) for _ in range(2))
    assert torch.equal(first.nats, second.nats)
    assert not torch.equal(first.nats, permutation_null(statistic, 50, 0.0, 5, Context(seed=4)).nats)


@pytest.mark.slow
def test_an_interval_opens_only_where_the_estimate_moves_and_then_holds_the_truth():
    source = LowRankGaussian(rank=4, bits=2.0, x_dim=4, y_dim=4)
    held = opened = 0
    for seed in range(10):
        pairs = source.sample(2000, torch.Generator().manual_seed(seed))
        estimate = KSGEstimator(permutations=0).estimate(*pairs.core, Context(seed=seed))
        held += estimate.interval[0] <= pairs.truth <= estimate.interval[1]
        opened += estimate.interval[1] - estimate.nats > 1.5 * estimate.details["sampling_error_nats"]
    assert opened >= 9
    assert held >= 8
    flat = LowRankGaussian(rank=1, bits=0.5, x_dim=1, y_dim=1).sample(2000, torch.Generator().manual_seed(0))
    still = KSGEstimator(permutations=0).estimate(*flat.core, Context())
    assert still.interval[1] - still.nats < 1.5 * still.details["sampling_error_nats"]
