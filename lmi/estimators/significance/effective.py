"""Effective sample size of every pair of autocorrelated columns: what n rows are worth for their correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

from lmi.arguments import whole
from lmi.estimators.significance.document_nulls import document_places
from lmi.inputs import like, read_columns
from lmi.labels import read_groups


def effective_samples(x: Any, documents: Any = None, lags: int = 50) -> Any:
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
    n, lags = len(side.values), whole(lags, "lags", 1)
    places = document_places(read_groups(documents, "documents", side))
    lengths = torch.tensor([len(place) for place in places])
    lags = min(lags, int(lengths.max()) - 1)
    columns = (side.values.double() - side.values.double().mean(0)).T[:, torch.cat(places).to(side.values.device)]
    columns = columns.contiguous()
    ends = lengths.cumsum(0)
    if columns.device.type == "cpu":
        starts = (ends - lengths).numpy()
        products = torch.from_numpy(_lag_products(columns.numpy(), starts, ends.numpy(), lags))
    else:
        products = _lag_products_torch(columns, torch.arange(len(places)).repeat_interleave(lengths), lags)
    steps = torch.arange(1, lags + 1)
    pairs = (lengths[:, None] - steps).clamp_min(0).sum(0).double().to(columns.device)
    correlation = products / columns.square().sum(1, keepdim=True) * n / pairs.clamp_min(1)
    total = (correlation * (pairs / n)) @ correlation.T
    return like((n / (1 + 2 * total).clamp_min(1.0)).cpu(), side)


@njit(parallel=True, nogil=True, fastmath=True, error_model="numpy", cache=True)
def _lag_products(columns: Any, starts: Any, ends: Any, lags: int) -> Any:
    """(d, lags) sums over rows of column * column shifted by 1, 2, ... ``lags`` rows within documents."""
    products = np.zeros((columns.shape[0], lags))
    for index in prange(columns.shape[0]):
        column = columns[index]
        for document in range(starts.size):
            start, end = starts[document], ends[document]
            for lag in range(1, min(lags, end - start - 1) + 1):
                total = 0.0
                for row in range(start, end - lag):
                    total += column[row] * column[row + lag]
                products[index, lag - 1] += total
    return products


def _lag_products_torch(columns: Tensor, document: Tensor, lags: int) -> Tensor:
    """The same on any device, ``document`` (n,) being the document of each row."""
    document = document.to(columns.device)
    products = [
        (columns[:, lag:] * columns[:, :-lag] * (document[lag:] == document[:-lag])).sum(1)
        for lag in range(1, lags + 1)
    ]
    return torch.stack(products, 1) if products else columns.new_zeros(len(columns), 0)
