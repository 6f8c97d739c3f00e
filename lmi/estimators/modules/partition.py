"""A partition: which module each neuron of a layer belongs to, as integer labels or as a boolean matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.containers import plain_array, refuse_odd_tensor

PartitionLike = Tensor | np.ndarray | Sequence[int] | Sequence[Sequence[bool]]


def module_indices(partition: PartitionLike, num_neurons: int) -> tuple[Tensor, ...]:
    """The neurons of each module, ascending; modules in the order of their labels or rows.

    Args:
        partition: (d,) integers, one label a neuron (any numbers from 0 up, or names; neurons of equal label form a
            module), or a boolean (modules, d) matrix with exactly one True a column.
        num_neurons: d.

    Raises:
        ValueError: for labels that are neither integers nor names, matrices that are not boolean, modules that overlap,
            are empty, or leave neurons out, and for fewer than two modules.

    >>> module_indices([0, 1, 0], 3)
    (tensor([0, 2]), tensor([1]))
    >>> module_indices(torch.tensor([[True, False, True], [False, True, True]]), 3)
    Traceback (most recent call last):
    ValueError: overlapping modules: neuron 2 is in modules 0 and 1; expected every neuron in exactly one module
    """
    table = _table(partition)
    if table.ndim == 1:
        modules = _from_labels(table, num_neurons)
    elif table.ndim == 2:
        modules = _from_rows(table, num_neurons)
    else:
        raise ValueError(
            f"partition of shape {tuple(table.shape)}: expected labels ({num_neurons},) or (modules, {num_neurons})"
        )
    if len(modules) < 2:
        raise ValueError(f"the partition has {len(modules)} module: expected at least two, to share something")
    return modules


def module_labels(partition: PartitionLike, num_neurons: int) -> Tensor:
    """(d,) labels 0, 1, ... of the modules of ``module_indices``: the canonical form of a partition.

    >>> module_labels(torch.tensor([[False, True, False], [True, False, True]]), 3)
    tensor([1, 0, 1])
    """
    labels = torch.empty(num_neurons, dtype=torch.long)
    for label, module in enumerate(module_indices(partition, num_neurons)):
        labels[module] = label
    return labels


def partition_of(partition: Any, columns: Sequence[Any] | None) -> Any:
    """A partition in the order of ``columns``, where both have names: a Series as ``find_modules`` gives it.

    Raises:
        ValueError: for a Series that names other columns.
    """
    index = getattr(partition, "index", None) if hasattr(partition, "iloc") else None
    if index is None or columns is None or list(index) == list(columns) or list(index) == list(range(len(columns))):
        return partition
    if not index.is_unique or set(index) != set(columns):
        raise ValueError(
            f"partition names {list(index)[:5]} and the columns are {list(columns)[:5]}; expected the same names"
        )
    return partition.loc[list(columns)]


def _table(partition: PartitionLike) -> Tensor:
    if isinstance(partition, Tensor):
        refuse_odd_tensor(partition, "partition")
        table = partition.detach().cpu() if partition.layout == torch.strided else partition.detach().cpu().to_dense()
        return table.long() if table.dtype in (torch.uint16, torch.uint32, torch.uint64) else table
    array = plain_array(partition, "partition", "labels (d,), one a neuron, or a boolean matrix (modules, d)")
    if array.dtype.kind in "OUST":  # names of modules
        labels = list(partition) if array.ndim == 1 else []
        absent = [place for place, label in enumerate(labels) if label is None or label != label]
        if absent:
            raise ValueError(f"partition has {labels[absent[0]]} for neuron {absent[0]}; expected a label")
        array = np.unique(array.astype(str), return_inverse=True)[1].reshape(array.shape)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"partition has dtype {array.dtype}; expected whole numbers, names or a boolean matrix")
    return torch.from_numpy(array.astype(np.int64 if array.dtype.kind in "iu" else array.dtype.newbyteorder("=")))


def _from_labels(labels: Tensor, num_neurons: int) -> tuple[Tensor, ...]:
    if labels.dtype == torch.bool or labels.dtype.is_floating_point or labels.dtype.is_complex:
        raise ValueError(
            f"partition labels of type {labels.dtype}: expected integers or names ({num_neurons},), "
            f"or a boolean matrix (modules, {num_neurons})"
        )
    if labels.numel() == 0:
        raise ValueError(f"the partition is empty: expected a label for each of {num_neurons} neurons")
    if labels.numel() != num_neurons:
        raise ValueError(
            f"the partition does not cover the layer: {labels.numel()} labels for {num_neurons} neurons; "
            "expected one label a neuron"
        )
    if bool((labels < 0).any()):
        neuron = int((labels < 0).nonzero()[0])
        raise ValueError(
            f"the partition does not cover the layer: neuron {neuron} has label {int(labels[neuron])}; "
            "expected labels from 0 up"
        )
    return tuple((labels == label).nonzero().flatten() for label in labels.unique())


def _from_rows(rows: Tensor, num_neurons: int) -> tuple[Tensor, ...]:
    if rows.dtype != torch.bool:
        raise ValueError(
            f"partition matrix of type {rows.dtype}: expected a boolean (modules, {num_neurons}) matrix, or labels, one "
            "a neuron"
        )
    if rows.shape[0] == 0 or rows.shape[1] == 0:
        raise ValueError(f"the partition is empty: shape {tuple(rows.shape)}, expected (modules, {num_neurons})")
    if rows.shape[1] != num_neurons:
        raise ValueError(
            f"the partition does not cover the layer: {rows.shape[1]} columns for {num_neurons} neurons; "
            "expected one column a neuron"
        )
    empty = (~rows.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"module {empty[0]} is empty; expected at least one neuron in every module")
    members = rows.sum(dim=0)
    if bool((members > 1).any()):
        neuron = int((members > 1).nonzero()[0])
        names = " and ".join(str(module) for module in rows[:, neuron].nonzero().flatten().tolist())
        raise ValueError(
            f"overlapping modules: neuron {neuron} is in modules {names}; expected every neuron in exactly one module"
        )
    if bool((members == 0).any()):
        neurons = (members == 0).nonzero().flatten().tolist()
        raise ValueError(
            f"the partition does not cover the layer: neurons {neurons[:8]} are in no module; "
            "expected every neuron in exactly one module"
        )
    return tuple(row.nonzero().flatten() for row in rows)
