"""Rows that come in near copies: frames of one film, augmented pictures, cells of one patch, entered as if independent.

The sample then looks as if x told which original it is of, and y as well: log(originals) nats of independent quantities.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ASKED, AT_ONCE = 500, 20_000_000  # rows whose neighbours are looked at, among all; distances that are held
COPIES = (1, 2, 4)  # neighbours, between which and twice as many the step of a few copies lies
PLAIN = 16  # the same, where distances grow as in any other sample
FEWEST = 100  # rows


def near_copies(x: Tensor, y: Tensor) -> float:
    """How much larger the step from near copies to other rows is than between rows farther out; about 1 without copies.

    Of independent rows with a smooth density in d dimensions the ratio of the distances of the k-th and the 2k-th neighbour
    has the median 2^(-1/d) whatever k, for its d-th power is Beta(k, k). The statistic is the largest median log ratio of
    k = 1, 2, 4 over that of k = 16: rows that come in groups of 2 to 8 have one step from copies to others.

    Args:
        x: (n, dx) columns of one scale.
        y: (n, dy).

    Returns:
        1 for fewer than 100 rows.

    >>> x = torch.randn(300, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> near_copies(x[:, :3], x[:, 3:]) < 2
    True
    >>> copied = x.repeat(2, 1) + 0.05 * torch.rand(600, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    >>> near_copies(copied[:, :3], copied[:, 3:]) > 5
    True
    """
    z = torch.cat((x, y), 1).double()
    n = z.shape[0]
    if n < FEWEST:
        return 1.0
    rows = torch.linspace(0, n - 1, min(ASKED, n, max(AT_ONCE // n, 2 * PLAIN))).long()
    near = torch.cdist(z[rows], z).topk(2 * PLAIN + 1, largest=False).values[:, 1:]
    near = near.clamp(min=math.sqrt(torch.finfo(z.dtype).tiny))
    step = {k: float((near[:, 2 * k - 1] / near[:, k - 1]).log().median()) for k in (*COPIES, PLAIN)}
    return max(step[k] for k in COPIES) / max(step[PLAIN], torch.finfo(z.dtype).eps)
