"""Columns that hold one value."""

from __future__ import annotations

from torch import Tensor


def constant_columns(x: Tensor) -> list[int]:
    """Indices of the columns of x (n, d) that hold one value.

    >>> import torch
    >>> constant_columns(torch.tensor([[0.0, 1.0], [0.0, 2.0]]))
    [0]
    """
    return (x == x[:1]).all(0).nonzero().flatten().tolist()
