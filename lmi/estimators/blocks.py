"""Columns that share nothing with other columns: the blocks into which two sides part, whose information adds up.

Where the blocks (X1, Y1), (X2, Y2), ... are independent of each other, I(X; Y) is the sum of I(Xi; Yi), and each is measured
in few columns. Where only the blocks of one side are, the sum is a lower bound.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.estimators.columns import mean_ranks, normal_scores, principal_components
from lmi.estimators.gaussian.debiased import closed_form
from lmi.estimators.trust.plain_thresholds import (
    BLOCK_COLUMNS,
    BLOCK_LINK,
    BLOCK_MISSED,
    BLOCK_SURE,
)
from lmi.estimators.trust.uncertainty import Z_90

RESOLUTIONS = (1, 2, 4, 8)  # cosines of each column's ranks that are asked together
MOST_ROWS = 5000


class Block(NamedTuple):
    """Columns of both sides that go together.

    Args:
        x: numbers of columns of x.
        y: of y.
    """

    x: tuple[int, ...]
    y: tuple[int, ...]


class Blocks(NamedTuple):
    """The blocks of two sides.

    Args:
        blocks: those with columns of both; what clearly goes with nothing is one, where both sides have such columns.
        missed: nats that lines between columns of different blocks may carry at most.
    """

    blocks: tuple[Block, ...]
    missed: float


def independent_blocks(x: Tensor, y: Tensor) -> Blocks | None:
    """The blocks of columns of x (n, dx) and y (n, dy); ``None`` where all go together, or nothing clearly does.

    Pairs of columns are held for dependent by the correlations of cosines of their ranks; triples, and pairs of columns in
    two blocks, by those of products. The closed form of all normal scores must not find more than the sum of the blocks'.

    >>> x, e = torch.randn(2, 1000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> y = torch.stack(((3 * x[:, 2]).sin() + 0.3 * e[:, 0], x[:, 0] * e[:, 2].sign() + 0.3 * e[:, 1]), 1)
    >>> independent_blocks(x, y).blocks
    (Block(x=(0,), y=(1,)), Block(x=(2,), y=(0,)))
    >>> independent_blocks(x, e) is None
    True
    """
    dx, columns = x.shape[1], x.shape[1] + y.shape[1]
    if not 3 <= columns <= BLOCK_COLUMNS:
        return None
    z = torch.cat((x[:MOST_ROWS].double(), y[:MOST_ROWS].double()), 1)
    waves = waves_of(z)
    chance = chance_of_groups(waves, [[column] for column in range(columns)])
    triples = linked_triples(z)
    surely = (chance < BLOCK_SURE / math.comb(columns, 2)) | triples
    surely[:dx, :dx] = surely[dx:, dx:] = False
    groups = joined(z, connected((chance < BLOCK_LINK) | triples))
    clear = [group for group in groups if surely[group][:, group].any()]
    rest = sorted(set(range(columns)).difference(*clear))
    groups = [*clear, rest] if rest else clear
    groups = merged(groups, chance_of_groups(waves, groups) < BLOCK_LINK)
    blocks = tuple(Block(tuple(i for i in g if i < dx), tuple(i - dx for i in g if i >= dx)) for g in groups)
    blocks = tuple(block for block in blocks if block.x and block.y)
    if not clear or max(len(block.x) + len(block.y) for block in blocks) == columns:
        return None
    missed = missed_by(blocks, x, y, waves)
    return None if missed is None else Blocks(blocks, missed)


def waves_of(z: Tensor) -> Tensor:
    """(n, d, 8) cosines of the ranks of columns z (n, d), of mean 0 and variance 1."""
    ranks = (mean_ranks(z) - 0.5) / z.shape[0]
    waves = (torch.pi * ranks[:, :, None] * torch.arange(1, RESOLUTIONS[-1] + 1, dtype=z.dtype)).cos()
    return (waves - waves.mean(0)) / waves.std(0, correction=0).clamp(min=1e-12)


def chance_of_groups(waves: Tensor, groups: list[list[int]]) -> Tensor:
    """(k, k) how likely k groups of columns as dependent as these would be by chance, 1 on the diagonal.

    The squared correlations of the first 1, 2, 4 and 8 cosines of the columns of both are summed. Of independent groups each
    sum is about a gamma variable, whose mean and variance follow from the correlations within the groups (Satterthwaite). The
    least likely of the four counts, times four.

    Args:
        waves: (n, d, 8).
        groups: numbers of columns.
    """
    n, d, most = waves.shape
    flat = waves.reshape(n, d * most)
    squares = (flat.T @ flat / n).square().reshape(d, most, d, most)
    member = torch.zeros(len(groups), d, dtype=waves.dtype)
    for i, group in enumerate(groups):
        member[i, group] = 1.0
    chances = []
    for m in RESOLUTIONS:
        sums = member @ squares[:, :m, :, :m].sum((1, 3)) @ member.T
        size, spread = m * member.sum(1), sums.diagonal()
        shape = (size[:, None] * size).square() / (spread[:, None] * spread) / 2
        chances.append(torch.special.gammaincc(shape, n * sums * shape / (size[:, None] * size)))
    chance = (len(RESOLUTIONS) * torch.stack(chances).amin(0)).clamp(max=1.0)
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


def farthest_by_chance(count: int) -> float:
    """Standard deviations that the farthest of so many independent normal scores exceeds with probability .1%."""
    share = torch.tensor(1 - BLOCK_SURE / (2 * count), dtype=torch.float64)
    return float(torch.special.ndtri(share))


def connected(linked: Tensor) -> list[list[int]]:
    """The connected components of a symmetric (d, d) matrix of links, each in order.

    >>> connected(torch.tensor([[0, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=torch.bool))
    [[0, 2], [1]]
    """
    left, groups = set(range(linked.shape[0])), []
    while left:
        group, ahead = set(), [min(left)]
        while ahead:
            column = ahead.pop()
            if column in group:
                continue
            group.add(column)
            ahead += linked[column].nonzero()[:, 0].tolist()
        left -= group
        groups.append(sorted(group))
    return groups


def joined(z: Tensor, groups: list[list[int]]) -> list[list[int]]:
    """The groups of columns of z (n, d), those in one whose pairs have products that go together, as under a shared sign."""
    several = [group for group in groups if len(group) > 1]
    if len(several) < 2:
        return groups
    scores = normal_scores(z)
    pairs = [list(itertools.combinations(group, 2)) for group in several]
    products = normal_scores(torch.stack([scores[:, i] * scores[:, j] for i, j in itertools.chain(*pairs)], 1))
    far = (products.T @ products).abs() / products.square().sum(0).mean() * z.shape[0] ** 0.5
    starts = [0, *itertools.accumulate(len(p) for p in pairs)]
    spans = [slice(*ends) for ends in itertools.pairwise(starts)]
    count = sum(len(a) * len(b) for a, b in itertools.combinations(pairs, 2))
    limit = farthest_by_chance(count)
    linked = torch.tensor([[bool((far[a, b] > limit).any()) for b in spans] for a in spans])
    return [*merged(several, linked), *(group for group in groups if len(group) == 1)]


def merged(groups: list[list[int]], linked: Tensor) -> list[list[int]]:
    """Groups of columns that are linked (k, k), in one."""
    return [sorted(itertools.chain(*(groups[i] for i in one))) for one in connected(linked)]


def missed_by(blocks: tuple[Block, ...], x: Tensor, y: Tensor, waves: Tensor) -> float | None:
    """Nats that columns of different blocks may share; ``None`` where the closed form of all normal scores clearly holds more.

    The larger of what that holds beyond the blocks' own, and half the excess of the chi-squares of the first two cosines of
    columns of x and of y in different blocks, each plus 1.645 standard errors.

    Args:
        blocks: of columns.
        x: (n, dx).
        y: (n, dy).
        waves: (m, dx + dy, 8) of rows of both.
    """
    scores = normal_scores(x), normal_scores(y)

    def nats(u: Tensor, v: Tensor) -> float:
        rank = max(u.shape[1], v.shape[1])
        return closed_form(principal_components(u, rank), principal_components(v, rank), rank).nats

    n, dx, columns = x.shape[0], x.shape[1], waves.shape[1]
    if columns + 1 >= n:
        return None
    more = nats(*scores) - sum(nats(scores[0][:, list(b.x)], scores[1][:, list(b.y)]) for b in blocks)
    # Of correlations by chance between columns of different blocks, those within a side count where the blocks' are strong.
    pairs = math.comb(columns, 2) - sum(math.comb(len(b.x) + len(b.y), 2) for b in blocks)
    spread = math.sqrt(pairs / 2) / n
    if more > BLOCK_MISSED * spread:
        return None
    apart = torch.ones(dx, columns - dx, dtype=waves.dtype)
    for block in blocks:
        apart[torch.tensor(block.x)[:, None], torch.tensor(block.y)] = 0.0
    rows = waves.shape[0]
    squares = torch.einsum("nik,njl->ijkl", waves[:, :dx, :2], waves[:, dx:, :2]).div(rows).square().sum((2, 3))
    count = 4 * float(apart.sum())
    excess = (float((apart * squares).sum()) - count / rows + Z_90 * math.sqrt(2 * count) / rows) / 2
    return max(more + Z_90 * spread, excess, 0.0)
