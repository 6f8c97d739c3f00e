"""Does a residual still depend on a single column? Its means in bins of the column, for what squares and products do not show.

A sine of three periods, a staircase or a kink of one column among many leaves residuals of a line that correlate with no
square and no product. In bins of that column their means differ, and in bins of any other they do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.trust.left_over import LeftOver
from lmi.estimators.trust.thresholds import TIED

MOST_COLUMNS = 64  # of a side
MOST_BINS, ROWS_A_BIN = 64, 20


def by_column(x: Tensor, y: Tensor, by_ranks: bool = True) -> LeftOver:
    """Test whether the mean or the size of y's residuals given a line in x changes along single columns of x, and the reverse.

    n sum_b share_b mean_b^2 over B bins of as many rows is chi2(B - 1) for residuals (and their sizes) of unit variance;
    by Wilson and Hilferty its cube root is nearly normal. Of m such scores independence reaches about sqrt(2 log m).

    Where the columns themselves are jointly normal, the line has to be one of theirs: of 3 + 3 columns of condition number
    100 that share 3 nats small differences tell, and the little that ranks change of each was 17 deviations of the residual.

    Args:
        x: (n, dx) columns; of many the first 64 are looked at.
        y: (n, dy).
        by_ranks: whether the line is one of normal scores, or of the columns as they are.

    Returns:
        The largest score beyond sqrt(2 log m), the share of the variance that is left, and the column in words.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, e = torch.randn(1000, 5, generator=g), torch.randn(1000, 1, generator=g)
    >>> by_column(x, x[:, :1] + e).deviations < 3
    True
    >>> left = by_column(x, (3 * x[:, :1]).sin() + 0.5 * e)
    >>> left.deviations > 10, left.words
    (True, 'ry1 along x1')
    """
    first = x[:, :MOST_COLUMNS], y[:, :MOST_COLUMNS]
    sides = [normal_scores(z) if by_ranks else _standardised(z.double()) for z in first]
    both = _one_way(sides[0], sides[1], ("x", "y")), _one_way(sides[1], sides[0], ("y", "x"))
    return max(both, key=lambda left: left.deviations)


def _standardised(z: Tensor) -> Tensor:
    """(n, d) columns of mean 0 and variance 1; constant ones are 0."""
    return (z - z.mean(0)) / z.std(0).clamp(min=1e-300)


def _one_way(x: Tensor, y: Tensor, names: Sequence[str]) -> LeftOver:
    """``by_column`` for residuals of y (n, k) along the columns of x (n, d); ``names`` of both."""
    n, d = x.shape
    rest = y - x @ torch.linalg.lstsq(x, y).solution
    # Among rows of one value, ranks of the residual are those of the line itself, which depends on x however faint it is.
    untied = torch.tensor([column.unique().numel() > (1 - TIED) * n for column in y.T])
    rest = torch.where(untied, normal_scores(rest), rest - rest.mean(0))
    sizes = rest.abs()
    features = torch.cat((rest, sizes), 1)
    features = (features - features.mean(0)) / features.std(0, correction=0).clamp(min=1e-300)
    count = max(4, min(MOST_BINS, n // ROWS_A_BIN))
    bins = torch.arange(n) * count // n
    share = torch.bincount(bins, minlength=count).double() / n
    freedom = count - 1
    totals = torch.empty(d, features.shape[1], dtype=torch.float64)
    for j, order in enumerate(x.argsort(dim=0, stable=True).T):
        sums = torch.zeros(count, features.shape[1], dtype=torch.float64).index_add_(0, bins, features[order])
        totals[j] = ((sums / n).square() / share[:, None]).sum(0)
    scores = ((n * totals / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    best = int(scores.argmax())
    j, k = divmod(best, features.shape[1])
    size = k >= y.shape[1]
    words = f"{'the size of ' if size else ''}r{names[1]}{k % y.shape[1] + 1} along {names[0]}{j + 1}"
    deviations = float(scores.max()) - math.sqrt(2 * math.log(scores.numel()))
    return LeftOver(deviations, max(float(totals[j, k]) - freedom / n, 0.0), words)
