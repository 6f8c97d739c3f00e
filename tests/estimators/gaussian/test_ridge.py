"""Regularised CCA where plain CCA says nothing: near the truth from below, none under independence, plain CCA unshrunk."""

import math

import pytest
import torch

import lmi
from lmi.estimators.gaussian.canonical import canonical_fit
from lmi.estimators.gaussian.ridge import half, ridge_directions
from lmi.sources.normal.gaussian import LowRankGaussian


def draw(n, rank, bits, seed, dim, noise=0.5):
    source = LowRankGaussian(rank=rank, bits=bits, x_dim=dim, y_dim=dim, noise=noise)
    return source.sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "rank", "bits", "dim"), [(300, 1, 1.0, 400), (400, 3, 1.5, 440)])
@pytest.mark.slow
def test_more_dimensions_than_samples(n, rank, bits, dim):
    errors, spreads = [], []
    for seed in range(4):
        pairs = draw(n, rank, bits, seed, dim)
        with pytest.raises(ValueError, match="ridge=true"):
            lmi.estimate(pairs.x, pairs.y, "gaussian")
        estimate = lmi.estimate(pairs.x, pairs.y, "gaussian", ridge=True, permutations=10)
        errors.append(estimate.nats - pairs.truth)
        spreads.append(estimate.details["standard_error_nats"])
        assert estimate.null.p_value == pytest.approx(1 / 11) and abs(estimate.null.mean) < 0.02
        assert float(estimate.pointwise.mean()) == pytest.approx(estimate.nats, abs=1e-12)
        assert "shrinkage" in estimate.choice and estimate.verdict is not None
    mean, error = sum(errors) / 4, sum(spreads) / 4 / 2
    assert -0.1 < mean < 3 * error


@pytest.mark.slow
def test_independence_is_nothing():
    values = []
    for seed in range(1000, 1012):
        pairs = draw(200, 2, 0.0, seed, 150)
        values.append(lmi.estimate(pairs.x, pairs.y, "gaussian", ridge=True, permutations=0).nats)
    values = torch.tensor(values)
    assert abs(float(values.mean())) < 4 * float(values.std()) / math.sqrt(12)
    assert float(values.abs().max()) < 0.08


def test_without_shrinkage_it_is_canonical_correlation_analysis():
    pairs = draw(400, 3, 2.0, 0, 3)
    u, v = ridge_directions(half(pairs.x), half(pairs.y), 0.0, 3)(pairs.x, pairs.y)
    expected = canonical_fit(pairs.x, pairs.y)
    torch.testing.assert_close((u * v).mean(0), expected.correlations, atol=1e-9, rtol=0)
    torch.testing.assert_close(u.T @ u / 400, torch.eye(3, dtype=u.dtype), atol=1e-9, rtol=0)


def test_full_shrinkage_is_partial_least_squares():
    """The directions are then the singular vectors of the cross-covariance."""
    pairs = draw(300, 2, 1.0, 1, 6)
    x, y = pairs.x - pairs.x.mean(0), pairs.y - pairs.y.mean(0)
    u, _ = ridge_directions(half(pairs.x), half(pairs.y), 1.0, 1)(pairs.x, pairs.y)
    left = torch.linalg.svd(x.T @ y).U[:, 0]
    assert abs(float(torch.corrcoef(torch.stack((u[:, 0], x @ left)))[0, 1])) == pytest.approx(1, abs=1e-9)


def test_refusals():
    pairs = draw(40, 1, 1.0, 0, 5)
    with pytest.raises(ValueError, match="got 40, expected at least 60"):
        lmi.estimate(pairs.x, pairs.y, "gaussian", ridge=True)
    with pytest.raises(ValueError, match="ridge and components=3 are two ways"):
        lmi.estimate(pairs.x, pairs.y, "gaussian", ridge=True, components=3)
