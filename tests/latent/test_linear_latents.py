"""Closed-form latents beside learned ones: which are measured, and that the test part decides nothing."""

from __future__ import annotations

import pytest
import torch

from lmi.estimators.folds import Fold
from lmi.latent import linear_latents as module
from lmi.latent.bounds_reading import BoundsSettings
from lmi.latent.linear_latents import best_latents, linear_latents
from lmi.types import Context

N = 600
FOLD = Fold(torch.arange(300), torch.arange(300, 450), torch.arange(450, N))


@pytest.fixture(autouse=True)
def quick_judge(monkeypatch):
    monkeypatch.setattr(module, "JUDGED_BY", BoundsSettings(critics=("copula",)))


def draw(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A hidden z (n, 2), and x and y (n, 12) that share z, of x through exp."""
    generator = torch.Generator().manual_seed(seed)
    z, noise = torch.randn(N, 2, generator=generator), 0.2 * torch.randn(N, 24, generator=generator)
    mixing = torch.randn(2, 24, generator=generator)
    return z, (z @ mixing[:, :12] + noise[:, :12]).exp(), z @ mixing[:, 12:] + noise[:, 12:]


def test_canonical_variates_win_over_latents_of_nothing():
    _, x, y = draw()
    generator = torch.Generator().manual_seed(3)
    learned = (torch.randn(N, 2, generator=generator), torch.randn(N, 2, generator=generator))
    best = best_latents(x, y, learned, FOLD, Context(seed=0))
    assert "canonical variates" in best.name and "learned" not in best.name
    u, v = (side[FOLD.test] for side in best.sides)
    assert abs(float(torch.corrcoef(torch.stack((u[:, 0], v[:, 0])))[0, 1])) > 0.95


def test_latents_of_what_no_line_holds_are_kept():
    z, x, _ = draw()
    y = z.abs() @ torch.randn(2, 12, generator=torch.Generator().manual_seed(1))
    learned = (z.abs(), z.abs() + 0.3 * torch.randn(N, 2, generator=torch.Generator().manual_seed(2)))
    best = best_latents(x, y, learned, FOLD, Context(seed=0))
    assert "2 learned latents" in best.name
    assert best.nats > 1.0


def test_the_test_part_fits_and_chooses_nothing():
    z, x, y = draw()
    other_x, other_y = x.clone(), y.clone()
    other_x[FOLD.test], other_y[FOLD.test] = 7.0, -3.0
    fitted = torch.cat((FOLD.train, FOLD.stop))
    for side, other in zip(linear_latents(x, y, FOLD), linear_latents(other_x, other_y, FOLD)):
        torch.testing.assert_close(side[fitted], other[fitted])
    both = [best_latents(a, b, (z, z.flip(0)), FOLD, Context(seed=0)) for a, b in ((x, y), (other_x, other_y))]
    torch.testing.assert_close(both[0].terms, both[1].terms)


def test_more_columns_than_samples_and_a_constant_one():
    _, x, y = draw()
    wide = torch.cat((x, torch.zeros(N, 1), torch.randn(N, 700, generator=torch.Generator().manual_seed(3))), 1)
    u, v = linear_latents(wide, y, FOLD)
    assert bool(u.isfinite().all()) and bool(v.isfinite().all())
    assert 1 <= u.shape[1] == v.shape[1] <= 12
