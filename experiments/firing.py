"""Sparse features in files: whether each feature fires in each row, kept sparse where the file is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from lmi.estimators.network.cofiring_counts import read_firing
from lmi.estimators.network.cofiring_files import read_firing_file
from lmi.inputs import Matrix
from lmi.labels import read_groups
from lmi.sources.files.array_layers import ArrayLayers, layer_name
from lmi.sources.files.tables import DAMAGED, is_sparse_npz, read_file, split_name, stored_names
from lmi.types import Context


@dataclass(frozen=True, eq=False)
class FiringTable:
    """Sparse features of one file.

    Args:
        name: what the file is called in a report.
        features: (n, f) as stored; a feature fires where it is not 0.
        documents: (n,) what each row belongs to.
        columns: names of the features; ``None`` where the file has none.
        words: what was read.
    """

    name: str
    features: sparse.csr_matrix
    documents: Tensor
    columns: tuple[str, ...] | None
    words: str


def read_firing_table(layers: ArrayLayers, context: Context) -> FiringTable:
    """The features in the only file of ``layers``.

    A SciPy sparse matrix in an npz (``scipy.sparse.save_npz``) and ``indices`` in a safetensors file, as ``lmi.cofiring``
    reads it, stay sparse; any other file is read as a matrix.

    Raises:
        FileNotFoundError, ValueError: for more than one table, one that cannot be read, and documents that do not fit.
    """
    if len(layers.files) == 1:
        path, name = split_name(layers.files[0])
        held = _sparse(path) if name is None and path.is_file() else None
        if held is not None:
            return _with_documents(layers, *held)
    tables = list(layers.layers(context))
    if len(tables) != 1:
        names = ", ".join(name for name, _, _ in tables[:8])
        raise ValueError(f"features are those of one table, got {len(tables)} ({names}): activations.files=[path:name]")
    ((name, values, documents),) = tables
    columns = layers.columns().get(name)
    words = str(layers.describe()["read"])
    return FiringTable(
        name, sparse.csr_matrix(values.numpy()), documents, None if columns is None else tuple(columns), words
    )


def _sparse(path: Path) -> tuple[sparse.csr_matrix, np.ndarray | None] | None:
    """Features and documents of a file that holds them sparsely; ``None`` for any other."""
    if path.suffix == ".npz" and is_sparse_npz(stored_names(path)):
        try:
            return sparse.csr_matrix(sparse.load_npz(path)), None
        except DAMAGED as error:
            raise ValueError(f"cannot read {path} as a sparse matrix: {error}") from error
    if path.suffix == ".safetensors" and "indices" in stored_names(path):
        indices, count, documents = read_firing_file(path, None)
        return read_firing(indices, count), documents
    return None


def _with_documents(layers: ArrayLayers, features: sparse.csr_matrix, documents: np.ndarray | None) -> FiringTable:
    (location,) = layers.files
    words = f"{location}: {features.shape[0]} rows of {features.shape[1]} features, stored sparsely"
    side = Matrix(location, torch.empty(features.shape[0], 0), "array")
    if layers.documents:
        matrix, more = read_file(layers.documents)
        grouped, words = read_groups(matrix.values, layers.documents, side), f"{words}; {more}"
    else:
        grouped = read_groups(documents, f"documents of {location}", side)
    return FiringTable(layer_name(location), features, grouped, None, words)
