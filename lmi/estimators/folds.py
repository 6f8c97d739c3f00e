"""Folds and three-way splits of the samples: what is fitted on, what ends a fit, what is measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold of cross-fitting: indices of what is fitted on, what ends a fit, and what judges it.

    Args:
        train: (a,) what is fitted on.
        stop: (b,) what decides when a fit ends.
        test: (c,) what judges; nothing was fitted to it.
    """

    train: Tensor
    stop: Tensor
    test: Tensor

    @property
    def fit(self) -> Tensor:
        """(a + b,) everything that does not judge."""
        return torch.cat((self.train, self.stop))


def make_folds(n: int, count: int, generator: torch.Generator) -> list[Fold]:
    """``count`` folds whose test parts together are all n samples; a sixth of the rest ends fits.

    >>> folds = make_folds(60, 3, torch.Generator().manual_seed(0))
    >>> [(f.train.numel(), f.stop.numel(), f.test.numel()) for f in folds]
    [(33, 7, 20), (33, 7, 20), (33, 7, 20)]
    """
    pieces = torch.randperm(n, generator=generator).tensor_split(count)
    folds = []
    for i, test in enumerate(pieces):
        rest = torch.cat([piece for j, piece in enumerate(pieces) if j != i])
        cut = rest.numel() * 5 // 6
        folds.append(Fold(rest[:cut], rest[cut:], test))
    return folds


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
