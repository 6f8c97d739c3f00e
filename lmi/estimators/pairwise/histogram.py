"""Mutual information of binned variables: equal-width and equal-mass bins, bias corrections, the G-test."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numba import njit, prange
from scipy.stats import chi2
from torch import Tensor

from lmi.arguments import read_values, whole
from lmi.inputs import read_matrices, read_matrix

Binning = Literal["width", "mass"]
Correction = Literal["none", "miller_madow"]
MOST_BINS = 4096  # a column, whose table with another has the square of it


def bin_edges(columns: Tensor, bins: int = 15, binning: Binning = "width") -> Tensor:
    """Edges (t, bins + 1) of each column of (n, t): equal width over its [min, max], or equal mass at its quantiles.

    Equal-width edges are ``numpy.histogram2d``'s to the last bit.

    >>> bin_edges(torch.tensor([[0.0], [1.0], [4.0]]), bins=2)
    tensor([[0., 2., 4.]], dtype=torch.float64)
    """
    values = columns.detach().cpu().numpy().astype(np.float64)
    if binning == "width":
        edges = np.linspace(values.min(0), values.max(0), bins + 1)
    else:
        edges = np.quantile(values, np.linspace(0.0, 1.0, bins + 1), axis=0)
    return torch.from_numpy(np.ascontiguousarray(edges.T))


def bin_codes(columns: Tensor, bins: int = 15, binning: Binning = "width") -> Tensor:
    """Bin numbers (t, n), int64, of the columns of (n, t); bins are closed on the left, the last on both sides.

    >>> bin_codes(torch.tensor([[0.0], [1.0], [2.0], [4.0]]), bins=2)
    tensor([[0, 0, 1, 1]])
    """
    edges = bin_edges(columns, bins, binning)
    values = columns.detach().cpu().double().T.contiguous()
    return (torch.searchsorted(edges, values, right=True) - 1).clamp_(0, bins - 1)


def table_mi(counts: Tensor, correction: Correction = "none") -> Tensor:
    """Plug-in mutual information in nats of tables of counts (..., bx, by).

    I = sum_ij (c_ij / n) log(n c_ij / (c_i. c_.j)); Miller-Madow (1955) adds (occupied rows + occupied columns
    - occupied cells - 1) / 2n, since each entropy is low by (occupied - 1) / 2n.

    >>> table_mi(torch.tensor([[5, 0], [0, 5]]))
    tensor(0.6931, dtype=torch.float64)
    """
    counts = counts.double()
    rows, columns = counts.sum(-1), counts.sum(-2)
    n = rows.sum(-1)
    entropies = [n.log() - torch.xlogy(table, table).sum(-1) / n for table in (rows, columns, counts.flatten(-2))]
    nats = entropies[0] + entropies[1] - entropies[2]
    if correction == "miller_madow":
        occupied = [(table > 0).sum(-1) for table in (rows, columns, counts.flatten(-2))]
        nats = nats + (occupied[0] + occupied[1] - occupied[2] - 1) / (2 * n)
    return nats


def histogram_mi(x: Any, y: Any, bins: int = 15, binning: Binning = "width", correction: Correction = "none") -> float:
    """Mutual information of two columns x (n,), y (n,) after binning, in nats.

    Raises:
        ValueError: for more than one column, NaN or infinite entries, or bins that are not 1 to 4096.

    >>> x = torch.linspace(-1, 1, 100)
    >>> round(histogram_mi(x, x, bins=4), 4), round(histogram_mi(x, torch.rand(100), bins=1), 4)
    (1.3863, 0.0)
    """
    bins = whole(bins, "bins", 1, MOST_BINS)
    sides, notes = read_matrices(read_matrix(x, "x"), read_matrix(y, "y"), least=1)
    for note in (*notes, *(doubt for side in sides for doubt in side.doubts)):
        warnings.warn(note, stacklevel=2)
    for side in sides:
        if side.values.shape[1] != 1:
            raise ValueError(f"{side.name} has {side.values.shape[1]} columns; expected one: see pairwise_mi for more")
    a, b = (bin_codes(side.values, bins, binning)[0] for side in sides)
    counts = torch.bincount(a * bins + b, minlength=bins * bins).view(bins, bins)
    return float(table_mi(counts, correction))


def g_test(nats: Any, num_samples: Any, degrees: Any) -> Any:
    """p-values of plug-in MI under independence: G = 2 N I is chi-squared with (bx - 1)(by - 1) degrees of freedom.

    The law is asymptotic: it wants several samples a cell, and independent rows. For autocorrelated rows give the
    effective sample size as ``num_samples``; for sparse tables use a permutation null.

    Args:
        nats: plug-in estimates, not corrected for bias.
        num_samples: N, or an effective one, for each estimate.
        degrees: (occupied rows - 1) * (occupied columns - 1) for each estimate.

    Returns:
        As many p-values, in what ``nats`` came in.

    >>> round(float(g_test(torch.tensor(3.841458820694124 / 200), 100, 1)), 4)
    0.05
    """
    values, give_back = read_values(nats, "nats")
    counts, freedom = read_values(num_samples, "num_samples")[0], read_values(degrees, "degrees")[0]
    for name, least in (("num_samples", counts), ("degrees", freedom)):
        if bool((least <= 0).any()):
            raise ValueError(f"{name} has {float(least.min()):g}; expected positive numbers")
        if least.ndim and least.shape != values.shape:
            raise ValueError(f"{name} has shape {tuple(least.shape)}; expected one number or {tuple(values.shape)}")
    return give_back(torch.from_numpy(np.asarray(chi2.sf((2.0 * counts * values).numpy(), freedom.numpy()))))


def g_test_columns(
    nats: Tensor, columns: Tensor, num_samples: Tensor | int, bins: int = 15, binning: Binning = "width"
) -> Tensor:
    """p-values (d, d) by the G-test of plug-in MI (d, d) between all columns of (n, d); 1 on the diagonal.

    The degrees of freedom count each column's occupied bins; ``num_samples`` is N or (d, d) effective ones.

    >>> x = torch.rand(900, 3, generator=torch.Generator().manual_seed(0))
    >>> p = g_test_columns(HistogramPairs(4).tile(*(HistogramPairs(4).prepare(x),) * 2), x, 900, 4)
    >>> bool(p.diagonal().eq(1).all()), bool((p[0, 1:] > 0.01).all())
    (True, True)
    """
    codes = bin_codes(columns, bins, binning)
    occupied = torch.tensor([len(row.unique()) for row in codes])
    return g_test(nats, num_samples, torch.outer(occupied - 1, occupied - 1)).fill_diagonal_(1.0)


@dataclass(frozen=True)
class HistogramPairs:
    """Histogram MI between columns, by counting in numba on the CPU."""

    bins: int = 15
    binning: Binning = "width"
    correction: Correction = "none"

    def prepare(self, columns: Tensor) -> np.ndarray:
        """Columns (n, t) -> bin numbers (t, n)."""
        return bin_codes(columns, self.bins, self.binning).numpy().astype(np.uint32)

    def tile(self, x: np.ndarray, y: np.ndarray, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` leaves out what is on and below the diagonal."""
        counts = np.arange(x.shape[1] + 1)
        weights = np.diff(counts * np.log(np.maximum(counts, 1)))  # what the sum of c log c gains at c -> c + 1
        nats = _tile(x, y, self.bins, weights, self.correction == "miller_madow", upper)
        return torch.from_numpy(nats)

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) each column against itself: the entropy of its bins."""
        codes = bin_codes(columns, self.bins, self.binning)
        counts = torch.stack([torch.bincount(row, minlength=self.bins) for row in codes])
        return table_mi(torch.diag_embed(counts), self.correction)


@njit(nogil=True, error_model="numpy", cache=True)
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


@njit(parallel=True, nogil=True, error_model="numpy", cache=True)
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
        rows = x[a] * np.uint32(bins)
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
    """The same numbers as a product of one-hot matrices, on any device; ``rows`` samples are expanded at a time."""

    bins: int = 15
    binning: Binning = "width"
    correction: Correction = "none"
    device: str = "cuda"
    rows: int = 2**14

    def prepare(self, columns: Tensor) -> Tensor:
        """Columns (n, t) -> bin numbers (t, n) on the device."""
        return bin_codes(columns, self.bins, self.binning).to(self.device)

    def tile(self, x: Tensor, y: Tensor, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` sets what is on and below the diagonal to 0."""
        counts = torch.zeros(x.shape[0] * self.bins, y.shape[0] * self.bins, dtype=torch.float64, device=self.device)
        for start in range(0, x.shape[1], self.rows):
            hot = [
                torch.nn.functional.one_hot(codes[:, start : start + self.rows], self.bins)
                .transpose(1, 2)
                .flatten(0, 1)
                for codes in (x, y)
            ]
            counts += hot[0].float() @ hot[1].float().T  # sums of at most ``rows`` ones: exact in float32
        tables = counts.view(x.shape[0], self.bins, y.shape[0], self.bins).transpose(1, 2)
        nats = table_mi(tables, self.correction).cpu()
        return nats.triu(1) if upper else nats

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) each column against itself: the entropy of its bins."""
        return HistogramPairs(self.bins, self.binning, self.correction).diagonal(columns)
