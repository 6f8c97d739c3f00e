"""Sparse features in files: indices in safetensors to read, counted pairs that a killed run goes on from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from scipy import sparse

from lmi.estimators.network.cofiring_counts import Counts, count_pairs
from lmi.files import whole_file

UNIT_FEATURES = 1024  # features whose pairs are kept in a file: a kill loses no more than these


def read_firing_file(path: Path | str, features: int | None) -> tuple[np.ndarray, int, np.ndarray | None]:
    """(indices (n, k), features, documents (n,) or ``None``) of a safetensors file.

    The file holds ``indices``, whole numbers (n, k): the features that fire in each row, -1 for none; it may hold
    ``documents``, whole numbers (n,); its metadata may say ``features``, how many there are.

    Args:
        path: of the file.
        features: how many there are; ``None`` takes what the file says.

    Raises:
        ValueError: for a file of another kind, without indices, or without a number of features.
    """
    if not Path(path).is_file():
        kind = type(path).__name__
        raise ValueError(
            f"x is a {kind}; expected a matrix, or a safetensors file of indices: {str(path)!r} is no file"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            held, metadata = set(file.keys()), file.metadata() or {}
            if "indices" not in held:
                raise ValueError(
                    f"{path} holds {', '.join(sorted(held)) or 'nothing'}; expected a tensor 'indices' (n, k)"
                )
            indices = file.get_tensor("indices")
            documents = file.get_tensor("documents") if "documents" in held else None
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error
    said = metadata.get("features", "")
    if features is None and not said.isdecimal():
        raise ValueError(f"{path} does not say how many features there are; expected features=, or metadata 'features'")
    return indices, int(said) if features is None else features, documents


def kept_counts(
    rows: sparse.csr_matrix, scale: np.ndarray, rate: float, sign: int, folder: Path | str | None
) -> Counts:
    """``count_pairs`` of rows with themselves, a file for every 1,024 features in ``folder``: what is there is read.

    Args:
        rows: (n, d) from ``read_firing``.
        scale: (d,) see ``count_pairs``.
        rate: largest p-value kept.
        sign: see ``count_pairs``.
        folder: ``None`` counts all at once.
    """
    if folder is None:
        return count_pairs(rows, rows, scale, rate, sign)
    digest = hashlib.blake2b(repr((rows.shape, rate, sign)).encode(), digest_size=8)
    for array in (rows.indptr, rows.indices, scale):
        digest.update(np.ascontiguousarray(array).tobytes())
    place = Path(folder) / f"cofiring-{digest.hexdigest()}"
    place.mkdir(parents=True, exist_ok=True)
    parts = []
    for first in range(0, rows.shape[1], UNIT_FEATURES):
        path = place / f"{first:08d}.npz"
        if not path.is_file():
            counts = count_pairs(rows, rows, scale, rate, sign, (first, min(first + UNIT_FEATURES, rows.shape[1])))
            with whole_file(path) as partial, partial.open("wb") as file:
                arrays: dict[str, Any] = counts._asdict()
                np.savez(file, **arrays)
        with np.load(path, allow_pickle=False) as stored:
            parts.append(Counts(**{name: stored[name] for name in Counts._fields}))
    return Counts(*(np.concatenate(values) for values in zip(*parts)))
