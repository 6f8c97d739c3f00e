"""All pairs of many columns in units of work that are measured, thinned out and kept one by one: no table is ever held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from lmi.estimators.pairwise.prepared import TILE, PreparedColumns
from lmi.estimators.significance.pooled_null import PooledNull
from lmi.files import whole_file

UNIT_TILES = 16  # tiles of a unit: a kill loses no more than that
MOST_HELD = 2**27  # candidate edges in memory, 3 GiB


@dataclass(frozen=True)
class Unit:
    """Rows ``a`` to ``a_end`` of the table of pairs against columns ``b`` to ``b_end``."""

    a: int
    a_end: int
    b: int
    b_end: int

    def pairs(self) -> int:
        """How many of its entries stand above the diagonal."""
        rows = np.arange(self.a, self.a_end)
        return int(np.maximum(0, self.b_end - np.maximum(self.b, rows + 1)).sum())


def split_units(targets: int, columns: int, side: int = TILE) -> list[Unit]:
    """Units that cover the pairs i < j with i among the first ``targets`` columns; the same however many processes share them.

    >>> sum(unit.pairs() for unit in split_units(3, 1000)), 999 + 998 + 997
    (2994, 2994)
    """
    width = side * UNIT_TILES
    return [
        Unit(a, min(a + side, targets), b, min(b + width, columns))
        for a in range(0, targets, side)
        for b in range(a, columns, width)
    ]


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a unit leaves: pairs that may become edges, and sums of all its values.

    Args:
        a: (m,) int32.
        b: (m,) int32.
        nats: (m,).
        p: (m,), NaN without a null.
        row_sums: (3, rows) number, sum and sum of squares of the MI of each of its rows.
        column_sums: (3, columns) the same of each of its columns.
    """

    a: np.ndarray
    b: np.ndarray
    nats: np.ndarray
    p: np.ndarray
    row_sums: np.ndarray
    column_sums: np.ndarray


@dataclass(frozen=True, eq=False)
class EdgeSearch:
    """How a unit is measured and thinned out.

    Args:
        columns: prepared.
        side: columns of a tile.
        null: what chance gives; ``None`` leaves p-values out.
        rate: pairs with a larger p-value are no candidates.
        most: the strongest so many of a unit are candidates; ``None`` for all.
    """

    columns: PreparedColumns
    side: int
    null: PooledNull | None
    rate: float
    most: int | None

    def measure(self, unit: Unit) -> Candidates:
        """Every pair of ``unit``, tile by tile."""
        least = None if self.null is None else self.null.least(self.rate)
        left = self.columns.take(torch.arange(unit.a, unit.a_end))
        row_sums, column_sums = np.zeros((3, unit.a_end - unit.a)), np.zeros((3, unit.b_end - unit.b))
        tiles = []
        for b in range(unit.b, unit.b_end, self.side):
            end = min(b + self.side, unit.b_end)
            right = self.columns.take(torch.arange(b, end))
            tile = self.columns.measure.tile(left, right, upper=b == unit.a).cpu().numpy()
            above = np.arange(unit.a, unit.a_end)[:, None] < np.arange(b, end)
            values = np.where(above & np.isfinite(tile), tile, 0.0)
            for place, table in enumerate((above.astype(float), values, values**2)):
                row_sums[place] += table.sum(1)
                column_sums[place, b - unit.b : end - unit.b] = table.sum(0)
            tiles.append(self._candidates(tile, above, unit.a, b, least))
        a, b_, nats, p = (np.concatenate(parts) for parts in zip(*tiles))
        if self.most is not None and len(nats) > self.most:
            kept = np.sort(np.argsort(-nats, kind="stable")[: self.most])
            a, b_, nats, p = a[kept], b_[kept], nats[kept], p[kept]
        return Candidates(a.astype(np.int32), b_.astype(np.int32), nats, p, row_sums, column_sums)

    def _candidates(self, tile: np.ndarray, above: np.ndarray, a: int, b: int, least: float | None) -> Any:
        if self.null is None or least is None:
            i, j = np.nonzero(above)
            return a + i, b + j, tile[i, j], np.full(len(i), np.nan)
        rows, columns = torch.arange(a, a + len(tile))[:, None], torch.arange(b, b + tile.shape[1])[None]
        z = self.null.standardised(torch.from_numpy(tile), rows, columns).numpy()
        i, j = np.nonzero((z >= least) & above)
        p = self.null.p_values(torch.from_numpy(z[i, j])).numpy()
        kept = p <= self.rate
        return a + i[kept], b + j[kept], tile[i, j][kept], p[kept]


def measured_units(
    units: list[Unit],
    measure: Callable[[Unit], Candidates],
    folder: Path | None,
    fabric: Any,
    label: str,
    progress: bool,
) -> list[Candidates]:
    """What every unit leaves, in their order; units that ``folder`` holds are not measured again.

    Args:
        units: from ``split_units``.
        measure: of one unit.
        folder: where each unit is kept as a file; ``None`` keeps them in memory only.
        fabric: a launched ``lightning.Fabric``: units are shared over its ranks.
        label: of the bar.
        progress: whether a bar shows pairs per second and the time left.

    Raises:
        ValueError: for several ranks without a folder, or more candidates than memory should hold.
    """
    rank, ranks = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    if ranks > 1 and folder is None:
        raise ValueError(f"{ranks} processes share their edges through a folder; got folder=None")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    paths = [None if folder is None else folder / f"{index:06d}.npz" for index in range(len(units))]
    mine = range(rank, len(units), ranks)
    there = {index for index, path in enumerate(paths) if path is not None and path.is_file()}
    total, done = (sum(units[index].pairs() for index in which) for which in (mine, there & set(mine)))
    held: dict[int, Candidates] = {}
    kept = 0
    with tqdm(
        total=total,
        initial=done,
        desc=label,
        unit=" pairs",
        unit_scale=True,
        delay=2.0,
        leave=False,
        disable=not progress,
    ) as bar:
        for index in mine:
            if index in there:
                continue
            candidates = measure(units[index])
            path = paths[index]
            if path is None:
                held[index] = candidates
                kept += len(candidates.a)
                if kept > MOST_HELD:
                    raise ValueError(
                        f"over {MOST_HELD} pairs may be edges, too many to hold; expected a smaller rate, or most=m"
                    )
            else:
                with whole_file(path) as partial, partial.open("wb") as file:
                    np.savez(file, **vars(candidates))
            bar.update(units[index].pairs())
    if ranks > 1:
        fabric.barrier()
    return [held[index] if path is None else _read(path) for index, path in enumerate(paths)]


def _read(path: Path) -> Candidates:
    with np.load(path, allow_pickle=False) as stored:
        return Candidates(**{name: stored[name] for name in stored.files})
