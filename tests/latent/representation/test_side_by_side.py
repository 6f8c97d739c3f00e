"""Two fits side by side say what either of them says."""

import torch

import lmi
from lmi.estimators.folds import split_once
from lmi.latent.representation.fold import BESIDE_BELOW
from lmi.latent.representation.leading import leading_latents
from lmi.latent.representation.side_by_side import leading_of_several
from lmi.sources.pictures.bumps import Bumps


def test_directions_of_two_fits_hold_the_signals_of_both():
    g = torch.Generator().manual_seed(0)
    a, e, f = torch.randn(3, 2000, 2, generator=g, dtype=torch.float64)
    b = 0.8 * a + 0.6 * e
    latents = [tuple(torch.stack((z[:, i], w[:, i]), 1) for z, w in ((a, f), (b, e.flip(1)))) for i in range(2)]
    fold = split_once(2000, 0.4, 0.2, g)
    parts = [leading_latents(*sides, fold) for sides in latents]
    both = leading_of_several(parts, latents, fold)
    assert [part.count for part in parts] == [1, 1] and both.count == 2
    assert both.bound > sum(part.bound for part in parts) - 0.1
    zx, zy = (torch.cat(side, 1) for side in zip(*latents))
    u, v = both.variates(zx, zy)
    correlations = [float(torch.corrcoef(torch.stack(sides))[0, 1]) for sides in zip(u.T, v.T)]
    assert u.shape == (2000, 2) and all(abs(r - 0.8) < 0.05 for r in correlations)


def test_the_two_best_fits_of_few_pictures_are_measured_together():
    pairs = Bumps(8, bits=2.0).sample(1100, torch.Generator().manual_seed(3))
    settings = {"objective": "auto", "augmentation": "none", "dropout": 0.0, "max_epochs": 6, "permutations": 0}
    result = lmi.estimate(pairs.x, pairs.y, "representation", folds=2, measure="ksg", **settings)
    assert BESIDE_BELOW > 1100 and ") beside (" in result.choice and "of 32 learned latents" in result.choice
    assert len(result.model) == 4 and result.latents[0].shape == (1100, 32)
    assert result.details["learned_by_members_nats"] > 0.3 and result.nats > 0.5
