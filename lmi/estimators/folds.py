"""Folds and three-way splits of the samples: what is fitted on, what ends a fit, what is measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the three parts.

    Args:
        train: what the encoders are fitted to.
        stop: what decides when training ends.
        estimate: what the MI is measured on; nothing was chosen by it.
    """

    train: Tensor
    stop: Tensor
    estimate: Tensor


def split_once(n: int, train: float, stop: float, generator: torch.Generator) -> Split:
    """A random three-way split with shares ``train``, ``stop`` and the rest."""
    order = torch.randperm(n, generator=generator)
    first, second = round(n * train), round(n * (train + stop))
    return Split(order[:first], order[first:second], order[second:])


def split_folds(n: int, folds: int, train: float, stop: float, generator: torch.Generator) -> list[Split]:
    """Splits whose estimate parts together are all samples; the rest is shared out as ``train`` to ``stop``."""
    order = torch.randperm(n, generator=generator)
    parts = order.tensor_split(folds)
    splits = []
    for held_out, part in enumerate(parts):
        rest = torch.cat([other for i, other in enumerate(parts) if i != held_out])
        rest = rest[torch.randperm(rest.numel(), generator=generator)]
        first = round(rest.numel() * train / (train + stop))
        splits.append(Split(rest[:first], rest[first:], part))
    return splits
