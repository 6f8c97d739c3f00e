"""The closed form from samples: unbiased at any size, calibrated, invariant, and right about redundant columns."""

import math

import pytest
import torch

from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise
from lmi.estimators.gaussian.estimator import GaussianEstimator
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import Context


def draw(n, rank, bits, seed, **settings):
    source = LowRankGaussian(rank=rank, bits=bits, x_dim=rank, y_dim=rank, **settings)
    return source.sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "rank", "bits"), [(40, 3, 0.0), (60, 5, 1.0), (500, 8, 3.0)])
def test_debiasing_is_exact(n, rank, bits):
    values = []
    for seed in range(300):
        pairs = draw(n, rank, bits, seed)
        fit = canonical_fit(pairs.x, pairs.y)
        values.append(float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, rank, rank))
    values = torch.tensor(values)
    truth = bits * math.log(2)
    assert abs(float(values.mean()) - truth) < 4 * float(values.std()) / math.sqrt(len(values))
    plug_in_error = float(values.mean()) + gaussian_bias(n, rank, rank) - truth
    assert plug_in_error > 2 * float(values.std()) / math.sqrt(len(values))


@pytest.mark.slow
def test_intervals_hold_the_truth_nine_times_in_ten():
    hits = 0
    for seed in range(200):
        pairs = draw(400, 2, 1.0, seed)
        low, high = GaussianEstimator(permutations=0).estimate(pairs.x, pairs.y, Context()).interval
        hits += low <= pairs.truth <= high
    assert 168 <= hits <= 194


def test_redundant_columns_change_nothing():
    pairs = draw(500, 2, 1.0, seed=0)
    wide = LowRankGaussian(rank=2, bits=1.0, x_dim=40, y_dim=30).sample(500, torch.Generator().manual_seed(0))
    narrow, broad = (GaussianEstimator(permutations=0).estimate(p.x, p.y, Context()) for p in (pairs, wide))
    assert (broad.details["rank_x"], broad.details["rank_y"]) == (2, 2)
    core = GaussianEstimator(permutations=0).estimate(*wide.core, Context())
    assert broad.nats == pytest.approx(core.nats, abs=1e-9)
    assert narrow.details["rank_x"] == 2


def test_linear_maps_change_nothing():
    pairs = draw(300, 3, 1.0, seed=1)
    map_x = torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before = GaussianEstimator(permutations=0).estimate(pairs.x, pairs.y, Context())
    after = GaussianEstimator(permutations=0).estimate(1e6 * pairs.x @ map_x + 5, pairs.y, Context())
    assert after.nats == pytest.approx(before.nats, abs=1e-9)
    torch.testing.assert_close(after.pointwise, before.pointwise, atol=1e-8, rtol=0)


def test_null_is_centred_on_zero():
    pairs = draw(200, 3, 0.0, seed=3)
    null = GaussianEstimator(permutations=200).estimate(pairs.x, pairs.y, Context()).null
    assert abs(null.mean) < 4 * float(null.nats.std()) / math.sqrt(200)


def test_more_columns_than_samples_is_refused():
    pairs = draw(20, 12, 1.0, seed=4)
    with pytest.raises(ValueError, match=r"20 samples for 12 \+ 12 independent columns; components=0 or ridge=true"):
        GaussianEstimator().estimate(pairs.x, pairs.y, Context())


def test_a_copied_column_is_infinite_and_said():
    pairs = draw(200, 2, 1.0, seed=5)
    with pytest.raises(ValueError, match="infinite"):
        GaussianEstimator().estimate(pairs.x, torch.cat((pairs.y, pairs.x[:, :1]), 1), Context())


def test_the_verdict_sees_that_the_model_is_wrong():
    g = torch.Generator().manual_seed(6)
    x = torch.randn(1500, 1, generator=g, dtype=torch.float64)
    noise = torch.randn(1500, 1, generator=g, dtype=torch.float64)
    normal = GaussianEstimator(permutations=0).estimate(x, x + noise, Context()).verdict
    assert normal.level == "reliable"
    bent = GaussianEstimator(permutations=0).estimate((2 * x).exp(), x + noise, Context()).verdict
    assert bent.level == "doubtful" and any("normal scores" in reason for reason in bent.reasons)
    for ranks in (False, True):
        estimate = GaussianEstimator(permutations=0, ranks=ranks).estimate(x, x**2 + 0.1 * noise, Context())
        assert estimate.verdict.level == "doubtful"
        assert any("nearest neighbours find" in reason for reason in estimate.verdict.reasons)


@pytest.mark.slow
def test_wide_normal_samples_are_not_doubted():
    hits = 0
    for seed in range(10):
        pairs = LowRankGaussian(rank=3, bits=1.0, x_dim=20, y_dim=20, noise=0.5).sample(
            1500, torch.Generator().manual_seed(seed)
        )
        hits += GaussianEstimator(permutations=0).estimate(pairs.x, pairs.y, Context()).verdict.level == "reliable"
    assert hits >= 8


def test_the_closed_form_of_powers_of_one_factor_is_doubted():
    """Their canonical correlations r, r^2, r^3 ... belong to Hermite polynomials, and only the first is information."""
    g = torch.Generator().manual_seed(7)
    a, e = torch.randn(2, 800, 1, generator=g, dtype=torch.float64)
    b = 0.9 * a + 0.19**0.5 * e
    x, y = (torch.cat([torch.tanh(s * z) for s in (0.3, 0.6, 1.2)], 1) for z in (a, b))
    estimate = GaussianEstimator(permutations=0).estimate(x, y, Context())
    assert estimate.nats > 1.1 and any("variates are not" in reason for reason in estimate.verdict.reasons)


def test_values_that_repeat_are_not_taken_for_dependence_by_neighbours():
    g = torch.Generator().manual_seed(8)
    x, e = torch.randn(2, 800, 1, generator=g, dtype=torch.float64)
    verdict = (
        GaussianEstimator(permutations=0).estimate((2 * x).round() / 2, ((x + e) * 2).round() / 2, Context()).verdict
    )
    assert verdict.level == "reliable", verdict.reasons
