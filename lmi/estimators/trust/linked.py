"""Which columns depend on each other: by cosines of their ranks, pair by pair, triple by triple, and group by group."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lmi.estimators.columns import mean_ranks, normal_scores
from lmi.estimators.trust.plain_thresholds import BLOCK_FINE, BLOCK_SURE
from lmi.estimators.trust.products import confirmed_triples

RESOLUTIONS = (1, 2, 4, 8)  # cosines of each column's ranks that are asked together
FEWEST = 2  # of so many columns that more would take minutes
FINEST = 32  # cosines of one column that are asked together with one or two of the other


def waves_of(z: Tensor, most: int = 0) -> Tensor:
    """(n, d, most) cosines of the ranks of columns z (n, d), of mean 0 and variance 1; by default 8, or 2 of many columns."""
    most = most or (RESOLUTIONS[-1] if z.shape[1] <= BLOCK_FINE else FEWEST)
    ranks = (mean_ranks(z) - 0.5) / z.shape[0]
    waves = (torch.pi * ranks[:, :, None] * torch.arange(1, most + 1, dtype=z.dtype)).cos()
    waves -= waves.mean(0)
    return waves.div_(waves.square().mean(0).sqrt().clamp(min=1e-12))


def chance_of_pairs(z: Tensor) -> Tensor:
    """(d, d) how likely columns of z (n, d) as dependent as these would be by chance, 1 on the diagonal.

    As of groups of one column each, and by one or two cosines of a column with 32 of the other, as where a size is a wave.
    """
    n, d = z.shape
    alone = [[column] for column in range(d)]
    if d > BLOCK_FINE:
        return chance_of_groups(waves_of(z).float(), alone)
    most = max(min(FINEST, n // 10), RESOLUTIONS[-1])
    fine = waves_of(z, most).float()
    chance = chance_of_groups(fine[:, :, : RESOLUTIONS[-1]], alone)
    within = fine.permute(1, 2, 0) @ fine.permute(1, 0, 2) / n  # (d, most, most)
    spread = within.square().sum((1, 2)).double()
    flat = fine.reshape(n, d * most)
    tests = [chance]
    for few in (1, 2):
        coarse = fine[:, :, :few].reshape(n, d * few)
        sums = (coarse.T @ flat / n).square().reshape(d, few, d, most).sum((1, 3)).double()
        size, coarse_spread = float(few * most), within[:, :few, :few].square().sum((1, 2)).double()
        shape = size**2 / (coarse_spread[:, None] * spread) / 2
        one_way = torch.special.gammaincc(shape, n * sums * shape / size)
        tests.append(2 * torch.minimum(one_way, one_way.T))
    return (len(tests) * torch.stack(tests).amin(0)).clamp(max=1.0).fill_diagonal_(1.0)


def chance_of_groups(waves: Tensor, groups: list[list[int]]) -> Tensor:
    """(k, k) how likely k groups of columns as dependent as these would be by chance, 1 on the diagonal.

    The squared correlations of the first 1, 2, 4 and 8 cosines of the columns of both are summed. Of independent groups each
    sum is about a gamma variable, whose mean and variance follow from the correlations within the groups (Satterthwaite). The
    least likely of the four counts, times four.

    Args:
        waves: (n, d, most) cosines; resolutions above ``most`` are left out.
        groups: numbers of columns.
    """
    n, d, most = waves.shape
    flat = waves.reshape(n, d * most)
    squares = (flat.T @ flat / n).square().double().reshape(d, most, d, most)
    member = torch.zeros(len(groups), d, dtype=torch.float64)
    for i, group in enumerate(groups):
        member[i, group] = 1.0
    chances = []
    for m in (m for m in RESOLUTIONS if m <= most):
        sums = member @ squares[:, :m, :, :m].sum((1, 3)) @ member.T
        size, spread = m * member.sum(1), sums.diagonal()
        shape = (size[:, None] * size).square() / (spread[:, None] * spread) / 2
        chances.append(torch.special.gammaincc(shape, n * sums * shape / (size[:, None] * size)))
    chance = (len(chances) * torch.stack(chances).amin(0)).clamp(max=1.0)
    return chance.fill_diagonal_(1.0)


def linked_triples(z: Tensor) -> Tensor:
    """(d, d) which columns of z (n, d) are in a triple, as the sign of a product is, whose parts need not be dependent.

    The first two cosines and the first sine of three columns' ranks are multiplied, each way; a mean product far from 0
    links all three.
    """
    n, d = z.shape
    ranks = (mean_ranks(z) - 0.5) / n
    angles = torch.pi * ranks
    waves = torch.stack((angles.cos(), (2 * angles).cos(), (2 * angles).sin()), 2)
    waves = (waves - waves.mean(0)) / waves.std(0, correction=0).clamp(min=1e-12)
    flat = waves.reshape(n, -1)
    linked = torch.zeros(d, d, dtype=torch.bool)
    count = max(math.comb(d, 3), 1) * waves.shape[2] ** 3
    limit = farthest_by_chance(count)
    for first in range(d - 2):
        products = (waves[:, first, :, None] * flat[:, None]).reshape(n, -1)
        means = products.T @ flat / n
        errors = ((products.square().T @ flat.square() / n - means.square()) / n).clamp(min=1e-12).sqrt()
        far = (means / errors).abs().reshape(3, d, 3, d, 3).amax((0, 2, 4)) > limit
        pairs = far.triu(1)
        pairs[: first + 1] = False
        linked |= pairs
        linked[first] |= pairs.any(0) | pairs.any(1)
    return linked | linked.T


def linked_products(z: Tensor, dx: int) -> Tensor:
    """(d, d) which columns of z (n, d) are in a product of two columns of one side that goes with a column of the other.

    Among too many columns for all triples: what half of the rows show, the others have to confirm.

    Args:
        z: (n, d) columns of both sides.
        dx: how many of them are of x.
    """
    scores, half = normal_scores(z), z.shape[0] // 2
    linked = torch.zeros(z.shape[1], z.shape[1], dtype=torch.bool)
    for first, other in ((0, dx), (dx, 0)):
        products, columns = (scores[:, dx:] if start else scores[:, :dx] for start in (first, other))
        for triple in confirmed_triples(products, columns, half):
            members = torch.tensor([first + triple.first, first + triple.second, other + triple.other])
            linked[members[:, None], members] = True
    return linked.fill_diagonal_(False)


def farthest_by_chance(count: int) -> float:
    """Standard deviations that the farthest of so many independent normal scores exceeds with probability .1%."""
    share = torch.tensor(1 - BLOCK_SURE / (2 * count), dtype=torch.float64)
    return float(torch.special.ndtri(share))
