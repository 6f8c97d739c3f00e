"""What measures latents that trained none of it."""

import torch

from lmi.auto.estimator import AutoEstimator
from lmi.estimators.folds import split_once
from lmi.latent.measures import measure_latents
from lmi.types import Context


def test_shuffled_latents_share_nothing_and_not_less():
    g = torch.Generator().manual_seed(5)
    signs = torch.randint(2, (1500, 1), generator=g).double() * 4 - 2
    u, v = (signs + 0.3 * torch.randn(1500, 1, generator=g, dtype=torch.float64) for _ in range(2))
    fold = split_once(1500, 0.2, 0.2, g)
    plain = AutoEstimator(permutations=5).estimate(u[fold.test], v[fold.test], Context(seed=1)).null
    read = measure_latents("auto", (u, v), fold, 5, Context(seed=1)).null
    assert plain.mean < -0.3  # scores that are sure of their pairs
    assert 0 <= read.mean < 0.05 and read.p_value < 0.2 and read.observed == plain.observed
