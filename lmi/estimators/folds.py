"""Folds of the samples: what is fitted on, what ends a fit, and what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Fold:
    """Indices of three disjoint parts of the samples.

    Args:
        train: (a,) what is fitted on.
        stop: (b,) what decides when a fit ends.
        test: (c,) what is measured; nothing was fitted to it or chosen by it.
    """

    train: Tensor
    stop: Tensor
    test: Tensor

    @property
    def fit(self) -> Tensor:
        """(a + b,) everything that is not measured."""
        return torch.cat((self.train, self.stop))


def cross_fitting(n: int, count: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """``count`` pairs (rest, test) of indices, whose test parts together are all n samples, in a random order.

    >>> folds = cross_fitting(10, 3, torch.Generator().manual_seed(0))
    >>> [(rest.numel(), test.numel()) for rest, test in folds]
    [(6, 4), (7, 3), (7, 3)]
    """
    return held_out_pieces(torch.randperm(n, generator=generator).tensor_split(count))


def held_out_pieces(pieces: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Each of the ``pieces`` (m,) of indices as the test part, with all others as the rest."""
    return [(torch.cat([p for j, p in enumerate(pieces) if j != i]), test) for i, test in enumerate(pieces)]


def make_folds(n: int, count: int, generator: torch.Generator | None, groups: Tensor | None = None) -> list[Fold]:
    """``count`` folds whose test parts together are all n samples; a sixth of the rest ends fits.

    Args:
        n: how many samples.
        count: of folds.
        generator: draws the order; ``None`` leaves the rows in blocks of neighbours, which rows in time need.
        groups: (n,) numbers of neighbouring rows of which no two of one group may be in different blocks; at least ``count``.

    >>> folds = make_folds(60, 3, torch.Generator().manual_seed(0))
    >>> [(f.train.numel(), f.stop.numel(), f.test.numel()) for f in folds]
    [(33, 7, 20), (33, 7, 20), (33, 7, 20)]
    """
    pairs = (
        held_out_pieces(torch.arange(n).tensor_split(count if groups is None else group_cuts(groups, count)))
        if generator is None
        else cross_fitting(n, count, generator)
    )
    cuts = [(rest, rest.numel() * 5 // 6, test) for rest, test in pairs]
    return [Fold(rest[:cut], rest[cut:], test) for rest, cut, test in cuts]


def group_cuts(groups: Tensor, count: int) -> list[int]:
    """Where to cut neighbouring rows of groups (n,) into ``count`` blocks of about one size, between groups only.

    >>> group_cuts(torch.tensor([3, 3, 3, 3, 1, 1, 2, 2, 2]), 3)
    [4, 6]
    """
    starts = torch.cat((groups.diff().nonzero().flatten() + 1, torch.tensor([groups.numel()])))
    cuts: list[int] = []
    for block in range(1, count):
        free = [int(start) for start in starts if start > (cuts[-1] if cuts else 0)]
        free = free[: len(free) - (count - block)]  # leave a group for each block that is still to come
        cuts.append(min(free, key=lambda start: abs(start - block * groups.numel() / count)))
    return cuts


def split_once(n: int, train: float, stop: float, generator: torch.Generator) -> Fold:
    """One random fold.

    Args:
        n: how many samples.
        train: share to fit on.
        stop: share that ends the fit; the rest is measured.
        generator: draws the order.
    """
    order = torch.randperm(n, generator=generator)
    first, second = round(n * train), round(n * (train + stop))
    return Fold(order[:first], order[first:second], order[second:])


def split_folds(n: int, count: int, train: float, stop: float, generator: torch.Generator) -> list[Fold]:
    """Folds whose test parts together are all samples; the rest is shared out anew as ``train`` to ``stop``.

    Args:
        n: how many samples.
        count: of folds.
        train: share to fit on.
        stop: share that ends the fit.
        generator: draws the order.
    """
    folds = []
    for rest, test in cross_fitting(n, count, generator):
        rest = rest[torch.randperm(rest.numel(), generator=generator)]
        first = round(rest.numel() * train / (train + stop))
        folds.append(Fold(rest[:first], rest[first:], test))
    return folds
