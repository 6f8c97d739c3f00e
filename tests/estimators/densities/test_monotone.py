"""Maps that make columns jointly normal: increasing, harmless where ranks do, far better where columns are nearly collinear."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import lmi
from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.monotone import information_lost, jointly_normal, smoothed
from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_bias, gaussian_pointwise

BENDS = (torch.tanh, torch.exp, lambda z: z**3, lambda z: torch.asinh(3 * z), lambda z: z)


def bent_pairs(n: int, d: int, nats: float, condition: float, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normal x and y in d columns of that condition number, and the same with every column bent."""
    generator = torch.Generator().manual_seed(seed)
    correlation = math.sqrt(-math.expm1(-2 * nats / d))
    a, b = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    b = correlation * a + math.sqrt(1 - correlation**2) * b
    straight, bent = [], []
    for side, z in enumerate((a, b)):
        u, _, v = torch.linalg.svd(torch.randn(d, d, generator=generator, dtype=torch.float64))
        z = z @ (u * torch.logspace(0, -math.log10(condition), d, dtype=torch.float64)) @ v
        z = z / z.std(0)
        straight.append(z)
        bent.append(torch.stack([BENDS[(j + 2 * side) % len(BENDS)](z[:, j]) for j in range(d)], 1))
    return straight[0], straight[1], bent[0], bent[1]


def closed(x: Tensor, y: Tensor) -> float:
    fit = canonical_fit(x, y)
    return float(gaussian_pointwise(fit).mean()) - gaussian_bias(x.shape[0], fit.rank_x, fit.rank_y)


@pytest.mark.parametrize(("n", "d"), [(500, 3), (4000, 2), (2000, 8)])
def test_harmless_where_ranks_do(n: int, d: int) -> None:
    x, y, bent_x, bent_y = bent_pairs(n, d, 1.0, 2.0, 1)
    exact, ranks = closed(x, y), closed(normal_scores(bent_x), normal_scores(bent_y))
    mapped = closed(jointly_normal(bent_x), jointly_normal(bent_y))
    assert abs(mapped - exact) < max(1.2 * abs(ranks - exact), 0.015)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d", "seed"), [(4000, 3, 1), (2000, 8, 1), (2000, 8, 2)])
def test_far_better_where_columns_are_nearly_collinear(n: int, d: int, seed: int) -> None:
    x, y, bent_x, bent_y = bent_pairs(n, d, 1.0, 200.0, seed)
    exact, ranks = closed(x, y), closed(normal_scores(bent_x), normal_scores(bent_y))
    mapped = closed(jointly_normal(bent_x), jointly_normal(bent_y))
    assert ranks < 0.9 * exact
    assert abs(mapped - exact) < 0.35 * (exact - ranks)


@pytest.mark.slow
def test_every_map_increases_and_is_standardised() -> None:
    _, _, z, _ = bent_pairs(3000, 4, 1.0, 100.0, 4)
    mapped = jointly_normal(z)
    for j in range(4):
        assert bool((mapped[z[:, j].argsort(), j].diff() > 0).all())
    torch.testing.assert_close(mapped.mean(0), torch.zeros(4, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(mapped.std(0, correction=0), torch.ones(4, dtype=torch.float64))


def test_increasing_maps_of_columns_change_next_to_nothing() -> None:
    x, y, bent_x, bent_y = bent_pairs(3000, 3, 1.0, 4.0, 5)
    plain, bent = closed(jointly_normal(x), jointly_normal(y)), closed(jointly_normal(bent_x), jointly_normal(bent_y))
    assert abs(plain - bent) < 0.005


@pytest.mark.slow
def test_columns_that_are_functions_of_each_other_are_no_failure() -> None:
    z = torch.randn(800, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for columns in ((z, z), (z, z.exp()), (z, z**3, torch.tanh(z))):
        mapped = jointly_normal(torch.cat(columns, 1))
        assert bool(mapped.isfinite().all())
        assert float(torch.corrcoef(mapped.T).min()) > 0.9999


def test_a_single_column_gets_its_normal_scores() -> None:
    z = torch.randn(100, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).exp()
    assert torch.equal(jointly_normal(z), normal_scores(z))


def test_a_draft_through_fewer_than_four_values_is_the_scores() -> None:
    column = torch.tensor([0.0, 1.0, 2.0]).repeat(20).double()
    scores = normal_scores(column[:, None])[:, 0]
    assert torch.equal(smoothed(column, scores, 24), scores)


@pytest.mark.slow
def test_what_the_maps_cost_is_about_what_they_lose() -> None:
    without, left = [], []
    for seed in (1, 2):
        x, y, bent_x, bent_y = bent_pairs(2000, 3, 1.0, 100.0, seed)
        mapped = jointly_normal(bent_x), jointly_normal(bent_y)
        lost = information_lost(*mapped, torch.Generator().manual_seed(seed))
        assert lost > 0.01
        without.append(closed(*mapped) - closed(x, y))
        left.append(without[-1] + lost)
    assert abs(sum(left)) < 0.6 * abs(sum(without))


@pytest.mark.slow
def test_auto_finds_what_ranks_lose() -> None:
    _, _, x, y = bent_pairs(4000, 3, 1.0, 100.0, 6)
    estimate = lmi.estimate(x, y, seed=0)
    assert "joint maps" in estimate.choice
    assert estimate.interval[0] < 1.0 < estimate.interval[1]
    assert abs(estimate.nats - 1.0) < 0.06
    assert estimate.details["maps_correction_nats"] > 0


@pytest.mark.slow
def test_auto_doubts_what_the_samples_hardly_show() -> None:
    _, _, x, y = bent_pairs(2000, 3, 1.0, 2000.0, 7)
    estimate = lmi.estimate(x, y, seed=0)
    assert estimate.verdict.level != "reliable"
    assert any("hardly tell apart" in reason for reason in estimate.verdict.reasons)
