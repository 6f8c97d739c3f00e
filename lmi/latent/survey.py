"""One pass over rows on disk: the held-out parts into memory, mean and deviation of all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lmi.sources.files.shards import StreamedPairs
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


def mean_and_deviation(scaler: StandardScaler) -> tuple[Tensor, Tensor]:
    """(dim,) mean and population standard deviation of what ``scaler`` has seen; 0 for a constant column.

    The scaler gives constant columns the scale 1, so that only for them it is not the root of the variance.
    """
    deviation = np.sqrt(scaler.var_)
    return torch.from_numpy(scaler.mean_), torch.from_numpy(np.where(scaler.scale_ == deviation, deviation, 0.0))


def survey(pairs: StreamedPairs, stop_samples: int, estimate_samples: int, block_rows: int, context: Context) -> Survey:
    """Choose the held-out rows, and in one pass collect them and learn the scale of all others.

    Args:
        pairs: rows on disk.
        stop_samples: rows that decide when to stop.
        estimate_samples: rows to measure.
        block_rows: neighbouring rows that are read together.
        context: draws the held-out rows; progress.

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
    scalers = [StandardScaler() for _ in sides]
    # Filled in place: small pieces that are kept between large blocks would leave holes all over the heap.
    kept = [tuple(torch.empty(part.numel(), rows.shape[1], dtype=rows.dtype) for rows in sides) for part in parts]
    filled = [0, 0]
    starts = range(0, n, block_rows)
    for first in context.bar(starts, "scale", len(starts)):
        here = slice(first, min(first + block_rows, n))
        chosen = (is_stop[here], held_out[here] & ~is_stop[here])
        for side, rows in enumerate(sides):
            block = torch.from_numpy(rows.read(here.start, here.stop))
            training = block[~held_out[here]]
            if training.shape[0]:
                scalers[side].partial_fit(training.double().numpy())
            for part, (mask, start) in enumerate(zip(chosen, filled, strict=True)):
                kept[part][side][start : start + int(mask.sum())] = block[mask]
        filled = [start + int(mask.sum()) for mask, start in zip(chosen, filled, strict=True)]
    stop, estimate = ((x, y) for x, y in kept)
    (mean_x, deviation_x), (mean_y, deviation_y) = (mean_and_deviation(scaler) for scaler in scalers)
    return Survey(held_out, stop, estimate, (mean_x, mean_y), (deviation_x, deviation_y))
