"""Columns that repeat themselves: constant ones, and those with more equal values than neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK_VALUES = 2**24  # values sorted at a time


def constant_columns(x: Tensor) -> list[int]:
    """Indices of the columns of x (n, d) that hold one value.

    >>> constant_columns(torch.tensor([[0.0, 1.0], [0.0, 2.0]]))
    [0]
    """
    return (x == x[:1]).all(0).nonzero().flatten().tolist()


def tied_columns(x: Tensor, k: int, share: float = 0.1) -> list[int]:
    """Indices of the columns of x (n, d) where over ``share`` of the rows have a value that more than k rows have.

    >>> tied_columns(torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [1.0, 4.0]]), k=2)
    [0]
    """
    step = max(1, BLOCK_VALUES // len(x))
    tied = torch.cat([_tied_rows(block, k) for block in x.split(step, dim=1)])
    return (tied > share * len(x)).nonzero().flatten().tolist()


def _tied_rows(x: Tensor, k: int) -> Tensor:
    """(t,) how many rows of each column of (n, t) have a value that more than k rows have."""
    ascending = x.T.contiguous().sort(dim=1).values
    count = torch.searchsorted(ascending, ascending, right=True) - torch.searchsorted(ascending, ascending)
    return (count > k).sum(1)
