"""``auto`` where rows repeat, and there is no density: tables of levels, labels, and samples that were entered twice."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lmi.auto.blocks import label_information_of_blocks
from lmi.estimators.modules.quantized import grassberger_entropy, table_error
from lmi.estimators.neighbors.terms import repeats
from lmi.estimators.trust.thresholds import LEFTOVER, MOST_COPIES, MOST_LEVELS, RARE, ROWS_A_CELL, ROWS_A_LEVEL, TIED
from lmi.estimators.trust.uncertainty import Z_90
from lmi.evidence import Null, Verdict
from lmi.types import Context, Estimate

HALF_COUNT = 0.5  # added to each cell of a table, for its standard error only


def tied(z: Tensor) -> bool:
    """Whether so many rows of z (n, d) repeat that there is no density."""
    return repeats(z) > TIED * z.shape[0]


def entered_once(x: Tensor, y: Tensor) -> tuple[Tensor, int]:
    """For each row the row that stands for it, and how many pairs have copies.

    A pair was entered twice where it occurs a few times while neither of its sides occurs otherwise: its first row stands
    for the others. Every other row stands for itself.

    Args:
        x: (n, dx).
        y: (n, dy).

    Returns:
        (n,) row numbers, and the number of pairs that have copies, the first ones included.

    >>> x = torch.tensor([[0.1], [0.2], [0.2], [0.3]])
    >>> entered_once(x, 2 * x)
    (tensor([0, 1, 1, 3]), 2)
    >>> entered_once(x, torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
    (tensor([0, 1, 2, 3]), 0)
    """

    def times(z: Tensor) -> tuple[Tensor, Tensor]:
        _, place, counts = torch.unique(z, dim=0, return_inverse=True, return_counts=True)
        return place, counts[place]

    place, both = times(torch.cat((x, y), 1))
    alone = (both == times(x)[1]) & (both == times(y)[1])
    copied = alone & (both > 1) & (both <= MOST_COPIES)
    rows = torch.arange(x.shape[0])
    first = torch.full_like(rows, x.shape[0]).scatter_reduce_(0, place, rows, "amin")
    return torch.where(copied, first[place], rows), int(copied.sum())


def estimate_levels(x: Tensor, y: Tensor, permutations: int, context: Context) -> Estimate | None:
    """The estimate from a table of levels, or with one side for a label; ``None`` where both sides are quantities.

    Args:
        x: (n, dx).
        y: (n, dy).
        permutations: size of a table's null.
        context: seeds.
    """
    if not (tied(x) or tied(y)):
        return None
    table = table_information(x, y, permutations, context)
    if table is not None:
        return table
    for side, other in ((x, y), (y, x)):
        label = few_levels(side) if tied(side) else None
        if label is not None:
            return label_information_of_blocks(other, label, permutations, context)
    return None


def table_information(x: Tensor, y: Tensor, permutations: int, context: Context) -> Estimate | None:
    """H(X) + H(Y) - H(X, Y) of the distinct rows, each entropy Grassberger's (arXiv:physics/0307138).

    Args:
        x: (n, dx).
        y: (n, dy).
        permutations: size of the null.
        context: draws the shuffles.

    Returns:
        ``None`` where the table would have fewer than five samples a cell.
    """
    n = x.shape[0]
    codes_x, codes_y = (torch.unique(z, dim=0, return_inverse=True)[1] for z in (x, y))
    width, height = int(codes_x.max()) + 1, int(codes_y.max()) + 1
    if ROWS_A_CELL * width * height > n:
        return None
    entropies = [grassberger_entropy(torch.bincount(codes).numpy()) for codes in (codes_x, codes_y)]

    def shared(order: Tensor) -> tuple[float, Tensor]:
        joint = torch.bincount(codes_x[order] * height + codes_y, minlength=width * height)
        return sum(entropies) - grassberger_entropy(joint.numpy()), joint.reshape(width, height)

    nats, joint = shared(torch.arange(n))
    generator = context.generator("null")
    shuffled = torch.tensor([shared(torch.randperm(n, generator=generator))[0] for _ in range(permutations)])
    leftover = float(shuffled.mean()) if permutations else 0.0
    # Without dependence the table's own noise is all there is: that of a chi-square over 2 n.
    # Cells that are empty by chance would say nothing of how far others could be off: each gets half a count (Jeffreys).
    counts = joint.numpy() + HALF_COUNT
    delta = table_error(counts) * math.sqrt(counts.sum() / n)
    error = math.hypot(delta, math.sqrt((width - 1) * (height - 1) / 2) / n)
    reasons = (f"shuffled pairs still share {leftover:.3f} nats",) if leftover > LEFTOVER else ()
    return Estimate(
        nats=nats,
        estimator="auto",
        num_samples=n,
        interval=(nats - Z_90 * error, nats + Z_90 * error),
        null=Null(shuffled.double(), nats) if permutations else None,
        ceiling=min(entropies),
        details={"standard_error_nats": error, "levels_x_count": float(width), "levels_y_count": float(height)},
        verdict=Verdict("doubtful" if reasons else "reliable", reasons),
        choice=f"auto took the table of {width} x {height} distinct rows, which is all there is to know",
    )


def few_levels(z: Tensor) -> Tensor | None:
    """(n,) labels of the distinct rows of z (n, d), a rare row taken for the common one nearest to it.

    ``None`` where more than 2% of the rows are rare, or there are more than 20 labels: z is a quantity then.

    >>> few_levels(torch.tensor([[2.5]] * 9 + [[7.0]] * 9)).tolist() == [0] * 9 + [1] * 9
    True
    """
    values, place, counts = torch.unique(z.double(), dim=0, return_inverse=True, return_counts=True)
    common = counts >= ROWS_A_LEVEL
    rare = int(counts[~common].sum())
    if not 2 <= int(common.sum()) <= MOST_LEVELS or rare > RARE * z.shape[0]:
        return None
    nearest = torch.cdist(values, values[common]).argmin(1)
    return nearest[place]
