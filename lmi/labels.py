"""Classes and groups of rows, whatever names them, as numbers 0, 1, ..."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.containers import Kind, plain_array, refuse_odd_tensor
from lmi.inputs import Matrix, aligned


def read_labels(data: Any, name: str) -> Matrix:
    """Classes of any kind (strings, categories, numbers) as one column of class numbers 0, 1, ..., NaN where missing.

    Raises:
        ValueError: for more than one column, or what cannot be told apart.

    >>> read_labels(["b", "a", "b"], "y").values.flatten().tolist()
    [1.0, 0.0, 1.0]
    """
    import pandas

    values: Any = data
    if isinstance(data, Tensor):
        refuse_odd_tensor(data, name)
        dense = data.detach().cpu() if data.layout == torch.strided else data.detach().cpu().to_dense()
        values = (dense.float() if dense.is_floating_point() and dense.dtype.itemsize < 4 else dense).numpy()
    elif not hasattr(data, "iloc"):
        values = data if isinstance(data, np.ma.MaskedArray) else plain_array(data, name, "labels (n,), one a row")
        if values.dtype.kind == "V":
            raise ValueError(f"{name} has dtype {values.dtype}; expected one label a row")
    kind: Kind = "tensor" if isinstance(data, Tensor) else "frame" if hasattr(data, "iloc") else "array"
    shape = values.shape
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        raise ValueError(f"a label is one column; {name} has shape {tuple(shape)}")
    column = values.iloc[:, 0] if len(shape) == 2 and hasattr(values, "iloc") else values
    if not hasattr(column, "iloc"):
        array = np.asarray(column).reshape(-1)
        column = pandas.Series(array.astype(array.dtype.newbyteorder("=")))
        if isinstance(values, np.ma.MaskedArray):
            column = column.mask(np.ma.getmaskarray(values).reshape(-1))
    if len(column) == 0:
        raise ValueError(f"{name} is empty: shape {tuple(shape)}")
    try:
        codes = pandas.factorize(column, sort=True)[0]
    except TypeError as error:
        raise ValueError(f"{name} holds labels that cannot be sorted: {error}") from error
    numbers = torch.from_numpy(np.where(codes < 0, np.nan, codes))[:, None]
    return Matrix(name, numbers, kind, values.index if hasattr(values, "iloc") else None)


def read_groups(data: Any, name: str, side: Matrix) -> Tensor:
    """(n,) group numbers 0, 1, ... of the rows of ``side``, in the order of their labels; ``None`` is one group.

    Raises:
        ValueError: for another number of rows, rows without a label, or rows that are called otherwise than those of side.
    """
    rows = len(side.values)
    if data is None:
        return torch.zeros(rows, dtype=torch.long)
    labels = read_labels(data, name)
    if len(labels.values) != rows:
        raise ValueError(f"{name} has {len(labels.values)} labels for {rows} rows; expected one a row")
    codes = aligned(side, labels)[0][1].values[:, 0]
    if codes.isnan().any():
        raise ValueError(f"{name} has no label for row {int(codes.isnan().nonzero()[0])}; expected one for every row")
    return codes.long()
