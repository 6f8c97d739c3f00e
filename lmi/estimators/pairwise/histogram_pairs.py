"""Histogram MI between every two columns: bits or counts in compiled loops on the CPU, one-hot products on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from lmi.compiled import kernel
from lmi.estimators.pairwise.bit_counts import bit_tile, pack_bits
from lmi.estimators.pairwise.column_sorts import binned_columns
from lmi.estimators.pairwise.histogram import Binning, Correction, bin_codes, g_test, table_mi
from lmi.estimators.pairwise.prepared import moved, selection

BIT_BINS, BIT_ROWS = 24, 512  # bins up to which, and rows from which, products of bits are faster than counting


@dataclass(frozen=True, eq=False)
class BinnedColumns:
    """t columns in bins.

    Args:
        codes: (t, n) uint16 bin numbers.
        bits: (t, bins, words) uint64, bit i of bin b: whether row i is in it; ``None`` where rows are counted one by one.
        counts: (t, bins) rows in each.
    """

    codes: np.ndarray
    bits: np.ndarray | None
    counts: np.ndarray


@dataclass(frozen=True)
class HistogramPairs:
    """Histogram MI between columns, by counting in numba on the CPU."""

    bins: int = 15
    binning: Binning = "width"
    correction: Correction = "none"

    @property
    def value_bytes(self) -> int:
        """See ``Measure``: the number of its bin, and a bit for each bin where bits are counted."""
        return 2 + (-(-self.bins // 8) if self.bins <= BIT_BINS else 0)

    def prepare(self, columns: Tensor) -> BinnedColumns:
        """Columns (n, t), binned and packed."""
        return self.pack(binned_columns(columns.cpu(), self.bins, self.binning))

    def pack(self, codes: np.ndarray) -> BinnedColumns:
        """Bin numbers (t, n), with what their counts need."""
        if self.bins <= BIT_BINS and codes.shape[1] >= BIT_ROWS:
            return BinnedColumns(codes, *pack_bits(codes, self.bins))
        counts = [np.bincount(row, minlength=self.bins) for row in codes]
        return BinnedColumns(codes, None, np.reshape(counts, (len(codes), self.bins)).astype(np.int64))

    def tile(self, x: BinnedColumns, y: BinnedColumns, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` leaves out what is on and below the diagonal."""
        counts, corrected = np.arange(x.codes.shape[1] + 1), self.correction == "miller_madow"
        table = counts * np.log(np.maximum(counts, 1))
        if x.bits is not None:
            return torch.from_numpy(bit_tile(x.bits, y.bits, x.counts, y.counts, table, corrected, upper))
        weights = np.diff(table)  # what the sum of c log c gains at c -> c + 1
        return torch.from_numpy(_tile(x.codes, y.codes, self.bins, weights, corrected, upper))

    def take(self, columns: BinnedColumns, which: Tensor, rows: Tensor | None = None) -> BinnedColumns:
        """Columns ``which`` of prepared ones, row i holding what row ``rows[i]`` held: nothing is binned again."""
        index = selection(which)
        if rows is not None:
            return self.pack(np.take(columns.codes[index], rows.numpy(), axis=1))
        bits = None if columns.bits is None else columns.bits[index]
        return BinnedColumns(columns.codes[index], bits, columns.counts[index])

    def diagonal(self, columns: BinnedColumns) -> Tensor:
        """(t,) each prepared column against itself: the entropy of its bins."""
        return table_mi(torch.diag_embed(torch.from_numpy(columns.counts)), self.correction)

    def occupied(self, columns: BinnedColumns) -> Tensor:
        """(t,) bins of each prepared column that hold a row."""
        return torch.from_numpy((columns.counts > 0).sum(1))


@kernel(nogil=True, error_model="numpy")
def _sum_c_log_c(codes: Any, counts: Any, gains: Any) -> tuple[float, int]:
    """Sum over cells of c log c, and the number of occupied cells, of the cell numbers ``codes``."""
    counts[:] = 0
    even = odd = 0.0  # two sums, so that one addition need not wait for the other
    occupied = 0
    for i in range(0, codes.size - 1, 2):
        first = counts[codes[i]]
        counts[codes[i]] = first + 1
        second = counts[codes[i + 1]]
        counts[codes[i + 1]] = second + 1
        even += gains[first]
        odd += gains[second]
        occupied += (first == 0) + (second == 0)
    if codes.size % 2:
        last = counts[codes[-1]]
        even += gains[last]
        occupied += last == 0
    return even + odd, occupied


@kernel(parallel=True, nogil=True, error_model="numpy")
def _tile(x: Any, y: Any, bins: int, gains: Any, corrected: bool, upper: bool) -> Any:
    n = x.shape[1]
    nats = np.zeros((x.shape[0], y.shape[0]))
    marginal = np.zeros(y.shape[0])
    occupied = np.zeros(y.shape[0])
    margin = np.empty(bins, np.uint32)
    for b in range(y.shape[0]):
        marginal[b], occupied[b] = _sum_c_log_c(y[b], margin, gains)
    for a in prange(x.shape[0]):
        counts = np.empty(bins * bins, np.uint32)
        cells = np.empty(n, np.uint32)
        x_sum, x_occupied = _sum_c_log_c(x[a], counts, gains)
        rows = x[a].astype(np.uint32) * np.uint32(bins)
        for b in range(a + 1 if upper else 0, y.shape[0]):
            column = y[b]
            for i in range(n):
                cells[i] = rows[i] + column[i]
            joint, both = _sum_c_log_c(cells, counts, gains)
            nats[a, b] = np.log(n) + (joint - x_sum - marginal[b]) / n
            if corrected:
                nats[a, b] += (x_occupied + occupied[b] - both - 1) / (2 * n)
    return nats


@dataclass(frozen=True)
class HistogramPairsTorch:
    """The same numbers as exact int8 products of one-hot matrices, on any device.

    Counts of all bins of all pairs are one product of (t * bins, n) with (n, t * bins) zeros and ones, summed in int32.

    Args:
        bins: bins a column.
        binning: bins of equal "width" or of equal "mass".
        correction: "none" or "miller_madow".
        device: a torch device.
        rows: samples expanded at a time; a multiple of 8, as int8 products ask for.
    """

    bins: int = 15
    binning: Binning = "width"
    correction: Correction = "none"
    device: str = "cuda"
    rows: int = 2**17

    @property
    def value_bytes(self) -> int:
        """See ``Measure``: the number of its bin, in 64 bits while it is found."""
        return 20

    def prepare(self, columns: Tensor) -> Tensor:
        """Columns (n, t) -> bin numbers (t, n), int16, binned on the device."""
        return bin_codes(columns.to(self.device), self.bins, self.binning).short()

    def take(self, columns: Tensor, which: Tensor, rows: Tensor | None = None) -> Tensor:
        """Columns ``which`` of prepared ones, row i holding what row ``rows[i]`` held."""
        return moved(columns, which, rows)

    def tile(self, x: Tensor, y: Tensor, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` sets what is on and below the diagonal to 0."""
        (tx, n), ty = x.shape, y.shape[0]
        counts = torch.zeros((), dtype=torch.int32, device=x.device)
        for start in range(0, n, self.rows):
            left, right = (self._one_hot(codes[:, start : start + self.rows]) for codes in (x, y))
            counts = counts + torch._int_mm(left, right.T)
        width = _multiple_of_8(self.bins)
        tables = counts[: tx * width, : ty * width].view(tx, width, ty, width).transpose(1, 2)
        nats = table_mi(tables, self.correction)
        return nats.triu(1) if upper else nats

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) each prepared column against itself: the entropy of its bins."""
        return table_mi(torch.diag_embed(self._counts(columns)), self.correction)

    def occupied(self, columns: Tensor) -> Tensor:
        """(t,) bins of each prepared column that hold a row."""
        return (self._counts(columns) > 0).sum(1).cpu()

    def _counts(self, columns: Tensor) -> Tensor:
        counts = torch.zeros(len(columns), self.bins, dtype=torch.int64, device=columns.device)
        return counts.scatter_add_(1, columns.long(), torch.ones_like(columns, dtype=torch.int64))

    def _one_hot(self, codes: Tensor) -> Tensor:
        """(t, n) bin numbers -> (at least 24, multiple of 8) zeros and ones, int8; what fills up is 0."""
        t, n = codes.shape
        width = _multiple_of_8(self.bins)
        hot = torch.zeros(max(t, -(-24 // width)), width, _multiple_of_8(n), dtype=torch.int8, device=codes.device)
        hot[:t, :, :n] = codes[:, None, :] == torch.arange(width, device=codes.device)[:, None]
        return hot.flatten(0, 1)


def _multiple_of_8(size: int) -> int:
    return -(-size // 8) * 8


def g_test_columns(nats: Tensor, occupied: Tensor, num_samples: Tensor | int) -> Tensor:
    """p-values (d, d) by the G-test of plug-in MI (d, d) between all columns; 1 on the diagonal.

    The degrees of freedom count each column's ``occupied`` (d,) bins; ``num_samples`` is N or (d, d) effective ones.

    >>> measure = HistogramPairs(4)
    >>> x = measure.prepare(torch.rand(900, 3, generator=torch.Generator().manual_seed(0)))
    >>> p = g_test_columns(measure.tile(x, x), measure.occupied(x), 900)
    >>> bool(p.diagonal().eq(1).all()), bool((p[0, 1:] > 0.01).all())
    (True, True)
    """
    return g_test(nats, num_samples, torch.outer(occupied - 1, occupied - 1)).fill_diagonal_(1.0)
