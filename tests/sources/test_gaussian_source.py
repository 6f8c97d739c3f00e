"""Samplers hold what they promise: truth, covariance, sufficient statistics."""

import math

import pytest
import torch

from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise
from lmi.sources.normal.gaussian import LowRankGaussian

SOURCES = {
    "plain": LowRankGaussian(rank=2, bits=1.5, x_dim=6, y_dim=5),
    "noisy": LowRankGaussian(rank=2, bits=1.5, x_dim=6, y_dim=5, noise=0.8),
    "nuisance": LowRankGaussian(rank=2, bits=1.5, x_dim=8, y_dim=8, nuisance_dims=3, nuisance_scale=2.0),
    "both": LowRankGaussian(rank=2, bits=1.5, x_dim=8, y_dim=8, noise=0.5, nuisance_dims=3, nuisance_scale=2.0),
    "collinear": LowRankGaussian(rank=3, bits=1.5, x_dim=4, y_dim=3, condition=50.0),
    "covariance": LowRankGaussian(covariance=((6.0, 3.0), (3.0, 3.5)), x_dim=4, y_dim=4),
}


@pytest.mark.parametrize("name", SOURCES)
def test_truth_is_what_the_ambient_samples_show(name):
    errors = []
    for seed in range(30):
        pairs = SOURCES[name].sample(2000, torch.Generator().manual_seed(seed))
        fit = canonical_fit(pairs.x, pairs.y)
        errors.append(float(gaussian_pointwise(fit).mean()) - gaussian_bias(2000, fit.rank_x, fit.rank_y) - pairs.truth)
    errors = torch.tensor(errors)
    assert abs(float(errors.mean())) < 4 * float(errors.std()) / math.sqrt(30)


@pytest.mark.parametrize("name", SOURCES)
def test_core_carries_all_the_information(name):
    pairs = SOURCES[name].sample(4000, torch.Generator().manual_seed(1))
    ambient, core = canonical_fit(pairs.x, pairs.y), canonical_fit(*pairs.core)
    rank = core.correlations.numel()
    torch.testing.assert_close(ambient.correlations[:rank], core.correlations, atol=0.03, rtol=0)


def test_the_reference_example_has_its_published_truth():
    pairs = LowRankGaussian(covariance=((6.0, 3.0), (3.0, 3.5))).sample(10, torch.Generator())
    assert pairs.truth / math.log(2) == pytest.approx(-0.5 * math.log2(1 - 9 / 21), abs=1e-12)
    assert pairs.x.shape == (10, 100)


def test_same_generator_same_samples():
    first, second = (SOURCES["both"].sample(20, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.y, second.y)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (LowRankGaussian(), "either bits or covariance"),
        (LowRankGaussian(bits=1.0, covariance=((1.0, 0.0), (0.0, 1.0))), "either bits or covariance"),
        (LowRankGaussian(covariance=((1.0, 2.0), (2.0, 1.0))), "positive definite"),
        (LowRankGaussian(bits=1.0, rank=5, x_dim=4), "x_dim=4 cannot hold a core of rank 5"),
        (LowRankGaussian(bits=1.0, rank=2, y_dim=4, nuisance_dims=3), "y_dim=4 cannot hold"),
        (LowRankGaussian(bits=1.0, condition=0.5), "condition must be 0 or at least 1; got 0.5"),
    ],
)
def test_impossible_settings_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        source.sample(10, torch.Generator())


def test_a_sampler_wants_a_number():
    with pytest.raises(ValueError, match="num_samples"):
        SOURCES["plain"].sample(None, torch.Generator())


def test_the_mixing_has_the_condition_number_it_is_given():
    pairs = LowRankGaussian(rank=3, bits=1.0, x_dim=5, y_dim=3, condition=100.0).sample(
        50, torch.Generator().manual_seed(2)
    )
    for ambient, core in zip((pairs.x, pairs.y), pairs.core, strict=True):
        singular = torch.linalg.svdvals(torch.linalg.lstsq(core, ambient).solution)
        torch.testing.assert_close(singular / singular[0], torch.tensor([1.0, 0.1, 0.01], dtype=torch.float64))
