"""Do rows depend on their neighbours, as those of a time series do? Then they count less than they are."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.trust.left_over import components
from lmi.estimators.trust.thresholds import COUNT_LESS, IN_TIME

MOST_LAGS = 200
MOST_COLUMNS = 64  # of a side, in which dependence in time would show


def shifted_orders(n: int, count: int, generator: torch.Generator) -> list[Tensor]:
    """``count`` circular shifts of n rows by a tenth to nine tenths of them: each side keeps its order in time."""
    by = torch.randint(n // 10, n - n // 10, (count,), generator=generator)
    return [torch.arange(n).roll(int(shift)) for shift in by]


def random_orders(n: int, count: int, generator: torch.Generator) -> list[Tensor]:
    """``count`` random permutations of n rows."""
    return [torch.randperm(n, generator=generator) for _ in range(count)]


class RowOrder(NamedTuple):
    """What the order of rows shows.

    Args:
        deviations: lag-one autocorrelation of the components, in standard deviations of rows in no order, the larger side.
        effective: how many independent pairs show as much about a correlation across the sides.
    """

    deviations: float
    effective: float


def row_order(x: Tensor, y: Tensor) -> RowOrder:
    """Autocorrelation along the rows of both sides.

    Independent series with autocorrelations a_l and b_l have correlations of variance (1 + 2 sum_l a_l b_l) / n (Bartlett
    1935), so that they count as n / (1 + 2 sum_l a_l b_l) samples. Rows in no order give 0 deviations and n.

    Args:
        x: (n, dx) normal scores of columns, or components of them.
        y: (n, dy).

    >>> g = torch.Generator().manual_seed(0)
    >>> noise = torch.randn(2, 1000, 2, generator=g, dtype=torch.float64)
    >>> bool(abs(row_order(*noise).deviations) < 4)
    True
    >>> walk = noise.cumsum(1)
    >>> row_order(*walk).deviations > 20 and row_order(*walk).effective < 100
    True
    """
    n = x.shape[0]
    lags = min(MOST_LAGS, n // 4)
    (ax, sx), (ay, sy) = (autocorrelations(components(z), lags) for z in (x, y))
    together = (ax * ay).clamp(min=0)
    stop = int((together < 2 / n).float().argmax()) if bool((together < 2 / n).any()) else lags
    return RowOrder(max(sx, sy), n / (1 + 2 * float(together[:stop].sum())))


def time_doubts(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A reason where rows depend on their neighbours, so that intervals and p-values of shuffled rows are too sure.

    Args:
        x: (n, dx) as measured; of many columns some are looked at.
        y: (n, dy).

    >>> walk = torch.randn(2, 500, 1, generator=torch.Generator().manual_seed(0)).cumsum(1)
    >>> time_doubts(*walk)[0][:34]
    'rows depend on their neighbours: 5'
    """
    n = x.shape[0]
    rows = row_order(*(normal_scores(z[:, :: -(-z.shape[1] // MOST_COLUMNS)]) for z in (x, y)))
    if rows.deviations <= IN_TIME or rows.effective > COUNT_LESS * n:
        return ()
    return (f"rows depend on their neighbours: {n} of them count as about {rows.effective:.0f}",)


def autocorrelations(u: Tensor, lags: int) -> tuple[Tensor, float]:
    """(lags,) mean autocorrelation of uncorrelated columns u (n, k) at lags 1, 2, ...; deviations of the first from chance."""
    n, k = u.shape
    means = torch.stack([(u[:-lag] * u[lag:]).mean() for lag in range(1, lags + 1)])
    return means, float(means[0]) * (n * k) ** 0.5
