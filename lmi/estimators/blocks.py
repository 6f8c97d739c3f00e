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

from lmi.estimators.columns import normal_scores, principal_components
from lmi.estimators.gaussian.debiased import closed_form
from lmi.estimators.neighbors.search import nearest
from lmi.estimators.trust.linked import (
    chance_of_groups,
    chance_of_pairs,
    farthest_by_chance,
    linked_products,
    linked_triples,
    waves_of,
)
from lmi.estimators.trust.plain_thresholds import (
    BLOCK_COLUMNS,
    BLOCK_FINE,
    BLOCK_LARGEST,
    BLOCK_LINK,
    BLOCK_LINKED,
    BLOCK_MISSED,
    BLOCK_MOST,
    BLOCK_NARROW,
    BLOCK_ROWS,
    BLOCK_SURE,
)
from lmi.estimators.trust.uncertainty import Z_90

MOST_ROWS, FEWER_ROWS = 5000, 3000  # of few columns, and of many
NEAREST = 15  # rows that predict a column
MOST_JOINED = 24  # columns of a group whose pairs are asked whether they go with those of another


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
    """The blocks of columns of x (n, dx) and y (n, dy).

    ``None`` where nearly all columns go together, or nothing clearly does, or the blocks are too many.

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
    most = BLOCK_MOST if min(dx, columns - dx) <= BLOCK_NARROW else BLOCK_FINE
    if not 3 <= columns <= min(most, x.shape[0] / 4):
        return None
    count = min(MOST_ROWS if columns <= BLOCK_COLUMNS else FEWER_ROWS, x.shape[0])
    # Evenly spaced, for a sample may be sorted.
    rows = torch.linspace(0, x.shape[0] - 1, count, dtype=torch.float64).long()
    z = torch.cat((x[rows].double(), y[rows].double()), 1)
    lines = chance_of_groups(waves_of(z, 1), [[column] for column in range(columns)])
    if len(max(connected(lines < BLOCK_LINKED / math.comb(columns, 2)), key=len)) > BLOCK_LARGEST * columns:
        return None
    linked, surely = links(z, dx)
    clear = [group for group in joined(z, connected(linked)) if surely[group][:, group].any()]
    if not clear:
        return None
    waves = waves_of(z, 2)
    groups = looked_at_again(z, clear, dx)
    blocks = tuple(Block(tuple(i for i in g if i < dx), tuple(i - dx for i in g if i >= dx)) for g in groups)
    blocks = tuple(block for block in blocks if block.x and block.y)
    largest = max((len(block.x) + len(block.y) for block in blocks), default=columns)
    if largest > BLOCK_LARGEST * columns or len(blocks) * x.shape[0] > BLOCK_ROWS:
        return None
    missed = missed_by(blocks, x, y, waves)
    return None if missed is None else Blocks(blocks, missed)


def links(z: Tensor, dx: int, products: bool = True) -> tuple[Tensor, Tensor]:
    """(d, d) which columns of z (n, d) are held for dependent, and which of both sides surely are.

    Args:
        z: (n, d) columns of both sides.
        dx: how many of them are of x.
        products: whether products are asked of columns that are too many for all triples.
    """
    chance = chance_of_pairs(z)
    if z.shape[1] <= BLOCK_COLUMNS:
        triples = linked_triples(z)
    else:
        triples = linked_products(z, dx) if products else torch.zeros_like(chance, dtype=torch.bool)
    surely = (chance < BLOCK_SURE / math.comb(z.shape[1], 2)) | triples
    surely[:dx, :dx] = surely[dx:, dx:] = False
    return (chance < min(BLOCK_LINK, BLOCK_LINKED / math.comb(z.shape[1], 2))) | triples, surely


def looked_at_again(z: Tensor, clear: list[list[int]], dx: int) -> list[list[int]]:
    """The clear groups with what their columns go with once what they share within the group is taken off, and the rest as one.

    What a column shares with its own group hides what it shares with others.

    Args:
        z: (n, d) columns of both sides.
        clear: groups of columns.
        dx: how many columns are of x.
    """
    z = z.clone()
    for group in clear:
        of_x, of_y = [i for i in group if i < dx], [i for i in group if i >= dx]
        z[:, of_x], z[:, of_y] = unpredicted(z[:, of_x], z[:, of_y]), unpredicted(z[:, of_y], z[:, of_x])
    linked, taken = links(z, dx, products=False)[0], {column for group in clear for column in group}
    items = [*clear, *([column] for column in range(z.shape[1]) if column not in taken)]
    member = torch.zeros(len(items), z.shape[1])
    for i, item in enumerate(items):
        member[i, item] = 1.0
    groups = merged(items, member @ linked.float() @ member.T > 0)
    joint = [group for group in groups if not taken.isdisjoint(group)]
    rest = sorted(itertools.chain(*(group for group in groups if taken.isdisjoint(group))))
    groups = [*joint, rest] if rest else joint
    return merged(groups, chance_of_groups(waves_of(z), groups) < BLOCK_LINK)


def unpredicted(target: Tensor, source: Tensor) -> Tensor:
    """Columns of target (n, k) less the mean of theirs at the nearest rows of source (n, m), by its normal scores."""
    return target - target[nearest(normal_scores(source), NEAREST)[1]].mean(1)


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
    several = [group for group in groups if 1 < len(group) <= MOST_JOINED]
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
    return [*merged(several, linked), *(group for group in groups if group not in several)]


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
        waves: (m, dx + dy, 2) of rows of both.
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
    taken = sum(len(b.x) for b in blocks), sum(len(b.y) for b in blocks)
    pairs = dx * (columns - dx) + sum(math.comb(count, 2) for count in taken)
    pairs -= sum(math.comb(len(b.x) + len(b.y), 2) for b in blocks)
    spread = math.sqrt(pairs / 2) / n
    if more > BLOCK_MISSED * spread:
        return None
    apart = torch.ones(dx, columns - dx, dtype=waves.dtype)
    for block in blocks:
        apart[torch.tensor(block.x)[:, None], torch.tensor(block.y)] = 0.0
    rows = waves.shape[0]
    squares = torch.einsum("nik,njl->ijkl", waves[:, :dx], waves[:, dx:]).div(rows).square().sum((2, 3))
    count = 4 * float(apart.sum())
    excess = (float((apart * squares).sum()) - count / rows + Z_90 * math.sqrt(2 * count) / rows) / 2
    return max(more + Z_90 * spread, excess, 0.0)
