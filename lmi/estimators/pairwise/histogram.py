"""Mutual information of binned variables: equal-width and equal-mass bins, bias corrections, the G-test."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor

from lmi.arguments import read_values, whole
from lmi.inputs import read_matrices, read_matrix

Binning = Literal["width", "mass"]
Correction = Literal["none", "miller_madow"]
MOST_BINS = 4096  # a column, whose table with another has the square of it


def bin_edges(columns: Tensor, bins: int = 15, binning: Binning = "width") -> Tensor:
    """Edges (t, bins + 1) of each column of (n, t): equal width over its [min, max], or equal mass at its quantiles.

    Equal-width edges are ``numpy.histogram2d``'s to the last bit, those of equal mass ``numpy.quantile``'s.

    >>> bin_edges(torch.tensor([[0.0], [1.0], [4.0]]), bins=2)
    tensor([[0., 2., 4.]], dtype=torch.float64)
    """
    values = columns.detach().double().T.contiguous()
    steps = torch.arange(bins + 1, dtype=torch.float64, device=values.device)
    if binning == "width":
        low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
        edges = steps * ((high - low) / bins) + low
        edges[:, -1:] = high
        return edges
    ascending = values.sort(dim=1).values
    place = steps / bins * (values.shape[1] - 1)
    below = place.floor().long()
    share = place - below
    lower, upper = ascending[:, below], ascending[:, (below + 1).clamp(max=values.shape[1] - 1)]
    return torch.where(share < 0.5, lower + (upper - lower) * share, upper - (upper - lower) * (1 - share))


def bin_codes(columns: Tensor, bins: int = 15, binning: Binning = "width") -> Tensor:
    """Bin numbers (t, n), int64, of the columns of (n, t); bins are closed on the left, the last on both sides.

    >>> bin_codes(torch.tensor([[0.0], [1.0], [2.0], [4.0]]), bins=2)
    tensor([[0, 0, 1, 1]])
    """
    edges = bin_edges(columns, bins, binning)
    values = columns.detach().double().T.contiguous()
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
