"""KSG between every two columns on a CUDA device, by rank strips: the kernel is ``ksg_strips.cu``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor

from lmi.estimators.pairwise.ksg import scaled
from lmi.estimators.pairwise.ksg_window import psi_table
from lmi.estimators.pairwise.nvrtc import Launch, load_kernel

SHARED_ROWS = 8192  # rows whose values and keys fit a block's shared memory on data-centre GPUs, 20 bytes each
NARROW_ROWS = 2**16  # rows whose rank and place share 32 bits
SCRATCH_BLOCKS = 1024  # blocks at a time where keys lie in global memory


@dataclass(frozen=True, eq=False)
class RankedColumns:
    """t scaled columns on a device.

    Args:
        sorted: (t, n) float64, ascending.
        order: (t, n) int32 row numbers that sort them.
        rank: (t, n) int32 place of each row in ``sorted``.
    """

    sorted: Tensor
    order: Tensor
    rank: Tensor


@dataclass(frozen=True)
class KsgPairsCuda:
    """The numbers of ``KsgPairs`` on a CUDA device: float64, the same neighbours and counts."""

    k: int = 3
    device: str = "cuda"

    @property
    def value_bytes(self) -> int:
        """See ``Measure``: a value, its row's order, its rank, and the order in 64 bits while they are made."""
        return 20

    def prepare(self, columns: Tensor) -> RankedColumns:
        """Columns (n, t), divided by their standard deviation, sorted and ranked on the device.

        The scale comes from NumPy as on the CPU: one that differs in its last bit would order equal gaps of rounded
        columns otherwise, and so find other neighbours.
        """
        return self.rank(torch.from_numpy(scaled(columns)).to(self.device).T.contiguous())

    def rank(self, values: Tensor) -> RankedColumns:
        """Scaled columns (t, n), sorted and ranked where they are."""
        ascending, order = values.sort(dim=1)
        places = torch.arange(values.shape[1], dtype=torch.int32, device=values.device).expand_as(order)
        rank = torch.empty_like(order, dtype=torch.int32).scatter_(1, order, places)
        return RankedColumns(ascending, order.int(), rank)

    def take(self, columns: RankedColumns, which: Tensor, rows: Tensor | None = None) -> RankedColumns:
        """Columns ``which`` of prepared ones, row i holding what row ``rows[i]`` held: nothing is sorted again."""
        which = which.to(self.device)
        order, rank = columns.order[which], columns.rank[which]
        if rows is not None:
            rows = rows.to(self.device)
            order, rank = rows.argsort().int()[order.long()], rank[:, rows]
        return RankedColumns(columns.sorted[which], order, rank.contiguous())

    def tile(self, x: RankedColumns, y: RankedColumns, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats, on the device; ``upper`` sets what is on and below the diagonal to 0."""
        rows, columns = len(x.order), len(y.order)
        device = x.order.device
        if upper:
            left, right = torch.triu_indices(rows, columns, 1, device=device)
        else:
            left = torch.arange(rows, device=device).repeat_interleave(columns)
            right = torch.arange(columns, device=device).repeat(rows)
        nats = torch.zeros(rows, columns, dtype=torch.float64, device=device)
        nats[left, right] = self._pairs(x, y, left, right)
        return nats

    def diagonal(self, columns: RankedColumns) -> Tensor:
        """(t,) each column against itself: psi(n) - psi(k) where no two values are equal."""
        every = torch.arange(len(columns.order), device=columns.order.device)
        return self._pairs(columns, columns, every, every)

    def _pairs(self, x: RankedColumns, y: RankedColumns, left: Tensor, right: Tensor) -> Tensor:
        """(p,) nats of columns ``left`` of x and ``right`` of y, one block of threads a pair, one launch."""
        n, pairs = x.order.shape[1], left.numel()
        nats = torch.empty(pairs, dtype=torch.float64, device=left.device)
        if pairs == 0:
            return nats
        wide, scratch = n > NARROW_ROWS, n > SHARED_ROWS
        strip = max(1, (4 * n).bit_length() - 1) // 2  # log2 of a power of two between sqrt(n) and 2 sqrt(n)
        padded = -(-n // 2**strip) * 2**strip
        options = (f"-DK={self.k}", f"-DLOGS={strip}", *["-DWIDE"] * wide, *["-DSCRATCH"] * scratch)
        threads = 128 if n <= 256 else 256 if n <= 2048 else 1024
        blocks, shared, keys = pairs, 16 * n + 4 * padded, None
        if scratch:
            blocks, shared = min(pairs, SCRATCH_BLOCKS), 0
            keys = torch.empty(blocks * padded, dtype=torch.int64 if wide else torch.int32, device=left.device)
        psi = torch.from_numpy(psi_table(n)).to(left.device)
        launch = kernel(left.device, options)
        columns = (x.sorted, x.order, y.sorted, y.rank, left.int(), right.int(), psi, keys, nats)
        launch(blocks, threads, shared, *columns, n, 1 << max(0, (n - 1).bit_length() - 1), pairs)
        return nats


@cache
def source() -> str:
    """The kernel as CUDA C++."""
    return files("lmi.estimators.pairwise").joinpath("ksg_strips.cu").read_text(encoding="utf-8")


def kernel(device: torch.device, options: tuple[str, ...]) -> Launch:
    """The kernel, compiled for ``device`` at its first use."""
    index = torch.cuda.current_device() if device.index is None else device.index
    return load_kernel(source(), "ksg_pairs", options, index)
