import pytest
import torch

import lmi
from lmi.estimators.compositions import is_composition, or_log_ratios


def attention(n, seed):
    """Weights of two heads over six keys, softmax of correlated scores, and the truth, nats."""
    g = torch.Generator().manual_seed(seed)
    u, e = torch.randn(2, n, 5, generator=g, dtype=torch.float64)
    r = torch.tensor([0.95, 0.8, 0.6, 0.0, 0.0], dtype=torch.float64)
    basis = torch.linalg.qr(torch.ones(6, 1, dtype=torch.float64), mode="complete").Q[:, 1:]
    x, y = ((1.5 * z @ basis.T).softmax(1) for z in (u, r * u + (1 - r**2).sqrt() * e))
    return x, y, float(-0.5 * torch.log1p(-(r**2)).sum())


def test_weights_that_add_up_to_one_are_measured_by_their_log_ratios():
    # By their shares 1.70 of 1.90, doubtful.
    x, y, truth = attention(1000, 3)
    estimate = lmi.estimate(x, y, permutations=0, seed=0)
    assert estimate.nats == pytest.approx(truth, abs=0.1)
    assert estimate.interval[0] < truth < estimate.interval[1] and estimate.verdict.level == "reliable"
    assert any("rows of x add up to the same" in words for words in estimate.warnings)


def test_what_is_no_composition_stays_as_it_is():
    x = torch.rand(100, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with_zeros = torch.eye(3, dtype=torch.float64)[torch.arange(100) % 3]
    assert not is_composition(x) and not is_composition(with_zeros) and not is_composition(x[:, :2].softmax(1))
    assert or_log_ratios(x) is x and or_log_ratios(with_zeros) is with_zeros


def test_shares_that_are_nearer_to_normal_than_their_ratios_stay_as_they_are():
    g = torch.Generator().manual_seed(1)
    z = torch.randn(1000, 3, generator=g, dtype=torch.float64)
    near_a_third = 1 / 3 + 0.05 * (z - z.mean(1, keepdim=True))
    assert or_log_ratios(near_a_third) is near_a_third
    x = attention(1000, 5)[0]
    assert or_log_ratios(x).shape == (1000, 5)


def test_float32_weights_are_a_composition():
    assert is_composition(torch.randn(1000, 50, generator=torch.Generator().manual_seed(2)).softmax(1))
