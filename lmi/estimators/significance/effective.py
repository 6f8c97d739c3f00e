"""Effective sample size of every pair of autocorrelated columns: what n rows are worth for their correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from lmi.arguments import whole
from lmi.compiled import kernel
from lmi.estimators.pairwise.column_sorts import column_rows
from lmi.estimators.significance.document_nulls import document_places
from lmi.inputs import like, read_columns
from lmi.labels import read_groups

LAGS = 50  # rows apart, at most
BLOCK_VALUES = 2**23  # values copied at a time, 64 MiB


def effective_samples(x: Any, documents: Any = None, lags: int = LAGS) -> Any:
    """(d, d) effective number of independent rows for each pair of columns of x (n, d).

    n / (1 + 2 sum_l (1 - l / n) r_i(l) r_j(l)) (Bartlett 1935), with r the autocorrelation within documents, summed
    over ``lags``, and at most n: what remains of n rows for a correlation between two autocorrelated columns.

    Args:
        x: (n, d) samples, rows of a document in order.
        documents: (n,) the document of each row, by any label; ``None`` is one document.
        lags: rows apart, at most.

    Returns:
        A DataFrame with the columns' names for a frame, a tensor for a tensor, else an array.

    >>> x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    >>> bool(effective_samples(x, torch.zeros(2000, dtype=torch.long))[0, 1] > 1800)
    True
    """
    (side,) = read_columns(("x", x))
    groups = read_groups(documents, "documents", side)
    return like(bartlett_samples(side.values, groups, whole(lags, "lags", 1)), side)


def bartlett_samples(x: Tensor, documents: Tensor, lags: int) -> Tensor:
    """``effective_samples`` of checked columns (n, d) on any device: (d, d) on the CPU."""
    n = len(x)
    places = document_places(documents)
    lengths = torch.tensor([len(place) for place in places])
    lags = min(lags, int(lengths.max()) - 1)
    rows, mean = torch.cat(places), x.double().mean(0)
    products = []
    for block in torch.arange(x.shape[1]).split(max(1, BLOCK_VALUES // n)):
        here = slice(int(block[0]), int(block[-1]) + 1)
        products.append(_products(_centred(x[:, here], mean[here], rows), lengths, lags))
    squares, products = torch.cat(products).split((1, lags), 1)
    steps = torch.arange(1, lags + 1)
    pairs = (lengths[:, None] - steps).clamp_min(0).sum(0).double().to(x.device)
    correlation = products / squares * n / pairs.clamp_min(1)
    total = (correlation * (pairs / n)) @ correlation.T
    return (n / (1 + 2 * total).clamp_min(1.0)).cpu()


def _centred(x: Tensor, mean: Tensor, rows: Tensor) -> Tensor:
    """(t, n) columns of x (n, t) less their means, in the order of ``rows``."""
    columns = torch.from_numpy(column_rows(x)) if x.device.type == "cpu" else x.T.double()
    if not torch.equal(rows, torch.arange(len(rows))):
        columns = columns[:, rows.to(x.device)]
    return (columns - mean[:, None]).contiguous()


def _products(columns: Tensor, lengths: Tensor, lags: int) -> Tensor:
    """(t, 1 + lags) sums of products of each of ``columns`` (t, n), documents of ``lengths`` in a row, with itself moved."""
    if columns.device.type != "cpu":
        return _lag_products_torch(columns, torch.arange(len(lengths)).repeat_interleave(lengths), lags)
    ends = lengths.cumsum(0)
    return torch.from_numpy(_lag_products(columns.numpy(), (ends - lengths).numpy(), ends.numpy(), lags))


@kernel(parallel=True, nogil=True, fastmath=True, error_model="numpy")
def _lag_products(columns: Any, starts: Any, ends: Any, lags: int) -> Any:
    """(d, 1 + lags) sums over rows of column * column shifted by 0, 1, ... ``lags`` rows within documents."""
    products = np.zeros((columns.shape[0], 1 + lags))
    for index in prange(columns.shape[0]):
        for document in range(starts.size):
            values = columns[index, starts[document] : ends[document]]
            for lag in range(min(lags, values.size - 1) + 1):
                left, right = values[: values.size - lag], values[lag:]  # slices from 0, which the compiler vectorises
                total = 0.0
                for row in range(left.size):
                    total += left[row] * right[row]
                products[index, lag] += total
    return products


def _lag_products_torch(columns: Tensor, document: Tensor, lags: int) -> Tensor:
    """The same on any device, ``document`` (n,) being the document of each row."""
    n, document = columns.shape[1], document.to(columns.device)
    products = [
        (columns[:, lag:] * columns[:, : n - lag] * (document[lag:] == document[: n - lag])).sum(1)
        for lag in range(lags + 1)
    ]
    return torch.stack(products, 1)
