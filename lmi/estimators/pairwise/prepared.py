"""Columns made ready once: chosen ones of them, their rows moved, all of them held where memory allows it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

TILE = 128  # columns on a side of a tile
KEPT_BYTES = 2**31  # prepared columns held at a time, about


@runtime_checkable
class Measure(Protocol):
    """What a tile needs: columns made ready once, then the values between two sets of them."""

    @property
    def value_bytes(self) -> int:
        """Memory of a prepared value, about, and of what preparing all at once takes beside it."""
        ...

    def prepare(self, columns: Tensor) -> Any:
        """Columns (n, t), made ready."""
        ...

    def take(self, columns: Any, which: Tensor, rows: Tensor | None = None) -> Any:
        """Prepared columns ``which`` of prepared ones, their row i holding what row ``rows[i]`` held."""
        ...

    def tile(self, x: Any, y: Any, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats on the measure's device; ``upper`` sets what is on and below the diagonal to 0."""
        ...

    def diagonal(self, columns: Any) -> Tensor:
        """(t,) values in nats of each prepared column against itself."""
        ...


class PreparedColumns:
    """Columns by number: all that are needed prepared once where memory holds them, else those of a call at a time."""

    def __init__(self, measure: Measure, x: Tensor, needed: Tensor | None = None) -> None:
        """Columns ``needed`` (m,) of x (n, d), or all of them."""
        self.measure, self.x = measure, x
        self.needed = torch.arange(x.shape[1]) if needed is None else needed
        self.kept = len(self.needed) * len(x) * measure.value_bytes <= KEPT_BYTES
        if self.kept:
            self.prepared = measure.prepare(x if len(self.needed) == x.shape[1] else x[:, self.needed])
            places = torch.arange(len(self.needed))
            self.place = torch.zeros(x.shape[1], dtype=torch.long).scatter_(0, self.needed, places)

    def take(self, which: Tensor, rows: Tensor | None = None) -> Any:
        """Prepared columns ``which`` (m,), their rows moved by ``rows`` (n,): nothing is sorted or binned again."""
        if self.kept:
            return self.measure.take(self.prepared, self.place[which], rows)
        prepared = self.measure.prepare(self.x[:, which])
        return prepared if rows is None else self.measure.take(prepared, torch.arange(len(which)), rows)


def tile_side(rows: int) -> int:
    """Columns on a side of a tile of so many rows, so that memory holds a few tiles' columns."""
    return max(1, min(TILE, KEPT_BYTES // (64 * rows)))


def kept_tiles(side: int, rows: int, value_bytes: int) -> int:
    """Tiles' columns that memory holds at a time, at least two."""
    return max(2, KEPT_BYTES // (value_bytes * side * rows))


def selection(which: Tensor) -> slice | np.ndarray:
    """Column numbers (m,) as an index; one that copies nothing where they are consecutive.

    >>> selection(torch.tensor([2, 3, 4])), selection(torch.tensor([2, 4])).tolist()
    (slice(2, 5, None), [2, 4])
    """
    numbers = which.cpu().numpy()
    if len(numbers) and np.array_equal(numbers, np.arange(numbers[0], numbers[0] + len(numbers))):
        return slice(int(numbers[0]), int(numbers[0]) + len(numbers))
    return numbers


def moved(columns: Tensor, which: Tensor, rows: Tensor | None = None) -> Tensor:
    """Columns ``which`` of (t, n) on any device, row i holding what row ``rows[i]`` held.

    >>> moved(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1]), torch.tensor([1, 0]))
    tensor([[4, 3]])
    """
    index = selection(which)
    chosen = columns[index if isinstance(index, slice) else torch.from_numpy(index).to(columns.device)]
    return chosen if rows is None else chosen[:, rows.to(columns.device)]
