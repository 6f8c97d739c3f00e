"""Products of two columns of a side that go with a column of the other: as latents, as columns to predict, as a doubt.

No line sees a product among hundreds of columns, but a product and the column it goes with are correlated, and all triples can
be asked: d^2 / 2 products against d columns. What some rows show, the others have to confirm, so that of millions of triples
those that were lucky once do not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores, smooth_scores_at
from lmi.estimators.folds import Fold
from lmi.estimators.trust.left_over import LeftOver
from lmi.estimators.trust.plain_thresholds import CORRELATED_ALONE

MOST_COLUMNS = 600  # of a side: 600 x 600 / 2 products against 600 columns take a few seconds
SCREEN_ROWS = 1500
MOST_TRIPLES = 32  # of each direction that are asked again
DOUBT_ROWS, DOUBT_SCREEN_ROWS = 3400, 400  # of a sample that is held for independent
LARGEST = 1 - 1e-9  # correlation that nats are written down for
MOST_SOURCES, MOST_TARGETS = 24, 8  # columns that predictions are made from and of
CONFIRMED = 4.0  # standard errors, with which the other half has to see a correlation: one of 30,000 does by chance


class Triple(NamedTuple):
    """A product of two columns of one side, and a column of the other.

    Args:
        first: column.
        second: column, which may be the same.
        other: column of the other side.
    """

    first: int
    second: int
    other: int


def interaction_latents(x: Tensor, y: Tensor, fold: Fold) -> tuple[Tensor, Tensor] | None:
    """(n, k) and (n, l): products and columns of each side that confirmed triples name; ``None`` where there are none.

    Args:
        x: (n, dx).
        y: (n, dy).
        fold: its train part gives normal scores, and shows and confirms triples.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(2, 1200, 30, generator=g)
    >>> y[:, 7] = x[:, 3] * x[:, 11] + 0.3 * y[:, 7]
    >>> u, v = interaction_latents(x, y, Fold(torch.arange(800), torch.arange(800, 1000), torch.arange(1000, 1200)))
    >>> u.shape[1], v.shape[1], float(torch.corrcoef(torch.stack((u[:, 0], v[:, 0])))[0, 1]) > 0.8
    (1, 1, True)
    """
    if max(x.shape[1], y.shape[1]) > MOST_COLUMNS:
        return None
    to_x, to_y = smooth_scores_at(x[fold.train]), smooth_scores_at(y[fold.train])
    sx, sy = to_x(x), to_y(y)
    half = min(SCREEN_ROWS, fold.train.numel() // 2)
    forth, back = (
        confirmed_triples(sx[fold.train], sy[fold.train], half),
        confirmed_triples(sy[fold.train], sx[fold.train], half),
    )
    if not forth and not back:
        return None
    sides = []
    for scores, products, columns in ((sx, forth, back), (sy, back, forth)):
        pairs = dict.fromkeys((triple.first, triple.second) for triple in products)
        singles = dict.fromkeys(triple.other for triple in columns)
        sides.append(
            torch.stack(
                [*(scores[:, a] * scores[:, b] for a, b in pairs), *(scores[:, j] for j in singles)],
                1,
            )
        )
    return sides[0], sides[1]


class Named(NamedTuple):
    """What confirmed triples name.

    Args:
        sources: (p,) columns whose products go with columns of the other side, or which go with these by themselves.
        targets: (q,) those columns of the other side.
        left: nats, by their correlations, of further columns that would be targets.
    """

    sources: Tensor
    targets: Tensor
    left: float


def columns_of_products(x: Tensor, y: Tensor, folds: Sequence[Fold]) -> Named | None:
    """The columns of x whose products go with columns of y, and those; ``None`` where not all folds confirm one.

    Columns of x that go with these columns of y by themselves are named, too.

    Args:
        x: (n, dx).
        y: (n, dy).
        folds: the train part of each has to show and confirm a triple.

    Returns:
        At most 24 columns of x and 8 of y.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(2, 1200, 60, generator=g)
    >>> y[:, 7] = x[:, 3] * x[:, 11] + x[:, 20] + 0.3 * y[:, 7]
    >>> folds = [Fold(torch.arange(800), torch.arange(800, 1000), torch.arange(1000, 1200))]
    >>> columns_of_products(x, y, folds)
    Named(sources=tensor([ 3, 11, 20]), targets=tensor([7]), left=0.0)
    >>> columns_of_products(y, x, folds) is None
    True
    """
    if max(x.shape[1], y.shape[1]) > MOST_COLUMNS:
        return None
    sx, sy = normal_scores(x), normal_scores(y)
    common: set[Triple] | None = None
    for fold in folds:
        half = min(SCREEN_ROWS, fold.train.numel() // 2)
        triples = set(confirmed_triples(sx[fold.train], sy[fold.train], half))
        common = triples if common is None else common & triples
        if not common:
            return None
    assert common is not None
    ordered = sorted(common, key=lambda triple: -abs(correlation(sx, sy, triple)))
    largest = {triple.other: abs(correlation(sx, sy, triple)) for triple in reversed(ordered)}
    targets = list(dict.fromkeys(triple.other for triple in ordered))
    left = math.fsum(nats_of(largest[column]) for column in targets[MOST_TARGETS:])
    targets = targets[:MOST_TARGETS]
    named = [column for triple in ordered if triple.other in targets for column in triple[:2]]
    alone = (standardised(sx).T @ standardised(sy[:, targets])).abs().amax(1) / x.shape[0] ** 0.5
    named += [int(column) for column in alone.argsort(descending=True) if alone[column] > CORRELATED_ALONE]
    sources = list(dict.fromkeys(named))[:MOST_SOURCES]
    return Named(torch.tensor(sorted(sources)), torch.tensor(sorted(targets)), left)


def products_left(x: Tensor, y: Tensor) -> LeftOver | None:
    """What products share with columns of the other side, where many columns share nothing by themselves; ``None`` for nothing.

    Fewer rows are asked than for latents, so that weak products (correlations below about .3) are not seen.

    Args:
        x: (n, dx) columns.
        y: (n, dy).
    """
    if max(x.shape[1], y.shape[1]) > MOST_COLUMNS:
        return None
    x, y = (normal_scores(z[:DOUBT_ROWS]) for z in (x, y))
    show = min(DOUBT_SCREEN_ROWS, x.shape[0] // 2)
    sizes: dict[tuple[str, int], tuple[float, str]] = {}
    for a, b, (product, other) in ((x, y, "xy"), (y, x, "yx")):
        for triple in confirmed_triples(a, b, show):
            r = abs(correlation(a[show:], b[show:], triple))
            words = f"{product}[{triple.first}] * {product}[{triple.second}] with {other}[{triple.other}]"
            key = (other, triple.other)
            sizes[key] = max(sizes.get(key, (0.0, "")), (r, words))
    if not sizes:
        return None
    largest, words = max(sizes.values())
    nats = sum(nats_of(r) for r, _ in sizes.values())
    deviations = largest * (x.shape[0] - show) ** 0.5
    return LeftOver(deviations, 2 * nats, f"products of columns go with columns ({words}, correlation {largest:.2f})")


def confirmed_triples(a: Tensor, b: Tensor, show: int) -> list[Triple]:
    """The triples that the first rows show and the others confirm.

    Args:
        a: (m, da) scores of the side with the products.
        b: (m, db) scores of the other side.
        show: how many rows show them.
    """
    return [
        triple
        for triple in shown(a[:show], b[:show])
        if abs(correlation(a[show:], b[show:], triple)) * (a.shape[0] - show) ** 0.5 > CONFIRMED
    ]


def shown(a: Tensor, b: Tensor) -> list[Triple]:
    """The triples of a (m, da), by products, and b (m, db) whose correlations are largest, ``MOST_TRIPLES`` at most."""
    a, b = a.float(), standardised(b.float())
    best: list[tuple[float, Triple]] = []
    for first in range(a.shape[1]):
        products = standardised(a[:, first : first + 1] * a[:, first:])
        correlations = (products.T @ b).abs() / a.shape[0]
        sizes, places = correlations.flatten().topk(min(MOST_TRIPLES, correlations.numel()))
        best += [
            (size, Triple(first, first + place // b.shape[1], place % b.shape[1]))
            for size, place in zip(sizes.tolist(), places.tolist())
        ]
        best = sorted(best, reverse=True)[:MOST_TRIPLES]
    return [triple for _, triple in best]


def correlation(a: Tensor, b: Tensor, triple: Triple) -> float:
    """Correlation of a triple's product and column.

    Args:
        a: (m, da) scores of the side with the product.
        b: (m, db) scores of the other side.
        triple: columns.
    """
    product = standardised(a[:, triple.first : triple.first + 1] * a[:, triple.second : triple.second + 1])
    column = standardised(b[:, triple.other : triple.other + 1])
    return float((product * column).mean())


def nats_of(r: float) -> float:
    """Nats that a correlation r is worth between two normal columns, -1/2 log(1 - r^2)."""
    return -0.5 * math.log1p(-(min(abs(r), LARGEST) ** 2))


def standardised(z: Tensor) -> Tensor:
    """Columns (m, d) with mean 0 and deviation 1; constant ones are 0."""
    z = z - z.mean(0)
    return z / z.std(0, correction=0).clamp(min=math.sqrt(torch.finfo(z.dtype).tiny))
