"""Products among many columns: those that are there are named, none where there is nothing, and fresh rows decide nothing."""

from __future__ import annotations

import torch

from lmi.estimators.folds import Fold
from lmi.estimators.trust.products import Triple, correlation, interaction_latents, products_left, shown
from lmi.latent import linear_latents
from lmi.latent.bounds_reading import BoundsSettings
from lmi.latent.linear_latents import best_latents
from lmi.sources.nonlinear.interactions import Interactions
from lmi.types import Context

FOLD = Fold(torch.arange(800), torch.arange(800, 1000), torch.arange(1000, 1200))


def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = Interactions(columns=40, count=count).sample(1200, torch.Generator().manual_seed(5))
    return pairs.x, pairs.y


def test_every_product_is_there_in_either_direction():
    x, y = draw(3)
    for sides in ((x, y), (y, x)):
        u, v = interaction_latents(*sides, FOLD)
        assert (u.shape[1], v.shape[1]) == (3, 3)
    r = torch.corrcoef(torch.cat((u, v), 1).T)[:3, 3:].abs()
    assert bool((r.amax(0) > 0.8).all())


def test_nothing_is_confirmed_where_there_is_nothing():
    assert interaction_latents(*draw(0), FOLD) is None


def test_squares_count_as_products():
    x = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    y = torch.cat((torch.randn(400, 2, generator=torch.Generator().manual_seed(1)), x[:, 4:5].square()), 1)
    assert shown(x, y)[0] == Triple(4, 4, 2)
    assert abs(correlation(x, y, Triple(4, 4, 2))) > 0.99 > 0.3 > abs(correlation(x, y, Triple(0, 1, 0)))


def test_the_test_part_shows_nothing():
    x, y = draw(1)
    other_x, other_y = x.clone(), y.clone()
    other_x[FOLD.test], other_y[FOLD.test] = 1.0, -2.0
    for here, there in zip(interaction_latents(x, y, FOLD), interaction_latents(other_x, other_y, FOLD)):
        torch.testing.assert_close(here[FOLD.train], there[FOLD.train])


def test_they_win_over_latents_that_see_none_of_it(monkeypatch):
    monkeypatch.setattr(linear_latents, "JUDGED_BY", BoundsSettings(critics=("copula",)))
    x, y = draw(1)
    noise = torch.randn(2, 1200, 2, generator=torch.Generator().manual_seed(0))
    best = best_latents(x, y, (noise[0], noise[1]), FOLD, Context(seed=0))
    assert best.name == "1 + 1 products and columns"
    assert best.nats > 0.6


def test_too_many_columns_are_not_asked():
    wide = torch.zeros(1200, 601)
    assert interaction_latents(wide, wide, FOLD) is None
    assert products_left(wide, wide) is None


def test_independence_is_doubted_where_a_product_goes_with_a_column():
    for sides in (draw(1), draw(1)[::-1]):
        left = products_left(*sides)
        assert left.deviations > 20 and 1.0 < left.share < 4.0 and "with" in left.words
    assert products_left(*draw(0)) is None
