"""What shuffled pairs share."""

import torch

from lmi.auto.estimator import AutoEstimator
from lmi.types import Context


def test_shuffled_pairs_share_nothing_and_not_less():
    """Scores that are sure of their pairs are as sure of wrong ones: their bound of shuffled pairs lies below -0.3 nats."""
    g = torch.Generator().manual_seed(5)
    signs = torch.randint(2, (1500, 1), generator=g).double() * 4 - 2
    x, y = (signs + 0.3 * torch.randn(1500, 1, generator=g, dtype=torch.float64) for _ in range(2))
    null = AutoEstimator(permutations=5).estimate(x, y, Context(seed=1)).null
    assert 0 <= null.mean < 0.05 and null.p_value < 0.2 and null.observed > 0.5
