"""MI of whether columns are 0: exact 2 x 2 tables of all pairs from one product of zeros and ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.pairwise.histogram import table_mi
from lmi.estimators.pairwise.prepared import moved


@dataclass(frozen=True)
class CofiringPairs:
    """Plug-in MI between "a is not 0" and "b is not 0". For sparse columns see ``lmi.cofiring``.

    Args:
        device: a torch device.
    """

    device: str = "cpu"

    @property
    def value_bytes(self) -> int:
        """See ``Measure``: one as it comes and one turned."""
        return 2

    def prepare(self, columns: Tensor) -> Tensor:
        """Columns (n, t) -> (t, n) whether they fire."""
        return (columns.detach().to(self.device) != 0).T.contiguous()

    def take(self, columns: Tensor, which: Tensor, rows: Tensor | None = None) -> Tensor:
        """Columns ``which`` of prepared ones, row i holding what row ``rows[i]`` held."""
        return moved(columns, which, rows)

    def tile(self, x: Tensor, y: Tensor, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` sets what is on and below the diagonal to 0."""
        n = x.shape[1]
        joint = torch.zeros(len(x), len(y), dtype=torch.float64, device=x.device)
        for start in range(0, n, 2**20):  # float32 counts so many ones exactly
            left, right = (fires[:, start : start + 2**20].float() for fires in (x, y))
            joint += (left @ right.T).double()
        of_x, of_y = x.sum(1)[:, None], y.sum(1)[None]
        tables = torch.stack([joint, of_x - joint, of_y - joint, n - of_x - of_y + joint], -1)
        nats = table_mi(tables.unflatten(-1, (2, 2)))
        return nats.triu(1) if upper else nats

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) each prepared column against itself: the entropy of whether it fires."""
        fires = columns.sum(1).double()
        return table_mi(torch.diag_embed(torch.stack([fires, columns.shape[1] - fires], -1)))
