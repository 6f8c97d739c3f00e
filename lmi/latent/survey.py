"""One pass over rows on disk: the held-out parts into memory, mean and deviation of all others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.sources.shards import StreamedPairs
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over the rows finds.

    Args:
        held_out: (n,) whether a row is in the stop or the estimate part.
        stop: rows that decide when to stop.
        estimate: rows to measure.
        mean: of the training rows, each side.
        deviation: standard deviation of the training rows, each side.
    """

    held_out: Tensor
    stop: tuple[Tensor, Tensor]
    estimate: tuple[Tensor, Tensor]
    mean: tuple[Tensor, Tensor]
    deviation: tuple[Tensor, Tensor]


class Moments:
    """Mean and variance of columns, block by block (Chan, Golub, LeVeque 1979), in float64.

    >>> moments, z = Moments(2), torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    >>> moments.add(z[:30]), moments.add(z[30:])
    (None, None)
    >>> torch.allclose(moments.deviation().float(), z.std(0, correction=0))
    True
    """

    def __init__(self, dim: int) -> None:
        self.count = 0
        self.mean = torch.zeros(dim, dtype=torch.float64)
        self.squares = torch.zeros(dim, dtype=torch.float64)

    def add(self, z: Tensor) -> None:
        """Take in rows (m, dim)."""
        if z.shape[0] == 0:
            return
        z = z.double()
        mean = z.mean(0)
        total = self.count + z.shape[0]
        difference = mean - self.mean
        self.squares += (z - mean).square().sum(0) + difference.square() * (self.count * z.shape[0] / total)
        self.mean += difference * (z.shape[0] / total)
        self.count = total

    def deviation(self) -> Tensor:
        """Population standard deviation of each column; 0 where it is no more than the rounding of a constant one."""
        deviation = (self.squares / self.count).sqrt()
        return torch.where(deviation > 1e-12 * self.mean.abs(), deviation, 0.0)


def survey(pairs: StreamedPairs, stop_samples: int, estimate_samples: int, block_rows: int, context: Context) -> Survey:
    """Choose the held-out rows, and in one pass collect them and learn the scale of all others.

    Raises:
        ValueError: where the rows cannot spare the held-out parts, or hold NaN.
    """
    n = pairs.x.shape[0]
    held = stop_samples + estimate_samples
    if held + 8 > n:
        raise ValueError(f"{n} rows cannot spare stop_samples={stop_samples} and estimate_samples={estimate_samples}")
    order = torch.randperm(n, generator=context.generator("split"))
    parts = [order[:stop_samples].sort().values, order[stop_samples:held].sort().values]
    del order
    held_out = torch.zeros(n, dtype=torch.bool)
    held_out[parts[0]] = held_out[parts[1]] = True
    is_stop = torch.zeros(n, dtype=torch.bool)
    is_stop[parts[0]] = True
    sides = (pairs.x, pairs.y)
    moments = [Moments(rows.shape[1]) for rows in sides]
    # Filled in place: small pieces that are kept between large blocks would leave holes all over the heap.
    kept = [tuple(torch.empty(part.numel(), rows.shape[1], dtype=rows.dtype) for rows in sides) for part in parts]
    filled = [0, 0]
    starts = range(0, n, block_rows)
    for first in context.bar(starts, "scale", len(starts)):
        here = slice(first, min(first + block_rows, n))
        chosen = (is_stop[here], held_out[here] & ~is_stop[here])
        for side, rows in enumerate(sides):
            block = torch.from_numpy(rows.read(here.start, here.stop))
            moments[side].add(block[~held_out[here]])
            for part, (mask, start) in enumerate(zip(chosen, filled, strict=True)):
                kept[part][side][start : start + int(mask.sum())] = block[mask]
        filled = [start + int(mask.sum()) for mask, start in zip(chosen, filled, strict=True)]
    stop, estimate = ((x, y) for x, y in kept)
    return Survey(
        held_out,
        stop,
        estimate,
        (moments[0].mean, moments[1].mean),
        (moments[0].deviation(), moments[1].deviation()),
    )
