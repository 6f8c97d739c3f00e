"""Files with arrays, read without executing anything in them: what they hold and how they were taken."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lmi.inputs import Matrix, read_matrix
from lmi.labels import read_labels
from lmi.sources.files.csv_file import read_csv, refuse_text

# What reading a file raises that is damaged, cut off, or another kind of file than its name says.
DAMAGED = (ValueError, OSError, EOFError, KeyError, BadZipFile, zlib.error, SyntaxError, OverflowError, MemoryError)
Read = Callable[[Path, str | None], tuple[Any, str]]


def read_file(location: str, is_shaped: bool = False) -> tuple[Matrix, str]:
    """One matrix from ``path`` or ``path:name``, NaN where values are missing, and a sentence on what was read.

    Args:
        location: of a file of ``READERS``; ``name`` picks an array, a column, or a layer of an h5ad.
        is_shaped: whether sequences and pictures are taken too.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a format that is not known, a file that is not of its format, or a name that is missing.
    """
    return _read(location, partial(_numbers, is_shaped=is_shaped))


def read_label_file(location: str) -> tuple[Matrix, str]:
    """One column of labels, numbers or text, from ``path`` or ``path:name``, as class numbers; and a sentence on it.

    Raises:
        FileNotFoundError, ValueError: as ``read_file``; and for more than one column.
    """
    matrix, words = _read(location, _labels)
    return matrix, f"{words}, {len(matrix.values.unique())} labels"


def _numbers(held: Any, is_shaped: bool) -> Matrix:
    if hasattr(held, "iloc"):
        refuse_text(held)
    return read_matrix(held, "it", is_shaped=is_shaped)


def _labels(held: Any) -> Matrix:
    if getattr(held, "ndim", 1) == 2 and held.shape[1] != 1:
        raise ValueError(f"it has {held.shape[1]} columns; expected one of labels: path:name picks it")
    return read_labels(held, "it")


def _read(location: str, into_matrix: Callable[[Any], Matrix]) -> tuple[Matrix, str]:
    path, name = split_name(location)
    if not location:
        raise ValueError(f"an empty path; expected a file, one of {', '.join(READERS)}")
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}; expected one of {', '.join(READERS)}")
    suffix = "".join(path.suffixes[-2 if path.suffix.lower() == ".gz" else -1 :]).lower()
    if suffix not in READERS:
        raise ValueError(f"{path} has the suffix {suffix!r}; expected one of {', '.join(READERS)}")
    try:
        held, words = READERS[suffix](path, name)
        matrix = into_matrix(held)
    except DAMAGED as error:
        raise ValueError(f"cannot read {path} as {suffix}: {error}") from error
    rows, columns = matrix.values.shape
    held_in_each = f"{columns} columns" if matrix.shape is None else f"shape {matrix.shape}"
    return replace(matrix, name=location), f"{location}: {rows} rows of {words or held_in_each}"


def split_name(location: str) -> tuple[Path, str | None]:
    """The file that ``path`` or ``path:name`` means, and the name."""
    path, name = Path(location), None
    if not path.is_file() and ":" in location:
        head, _, name = location.rpartition(":")
        path = Path(head)
    return path, name


def stored_names(path: Path) -> list[str]:
    """The arrays that a file of several holds.

    Raises:
        ValueError: for a file that is damaged or not of its format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                return list(stored.files)
        with safe_open(path, framework="numpy") as stored:
            return list(stored.keys())
    except (*DAMAGED, SafetensorError) as error:
        raise ValueError(f"cannot read {path} as {path.suffix}: {error}") from error


def is_sparse_npz(names: list[str]) -> bool:
    """Whether these are the arrays of a matrix that ``scipy.sparse.save_npz`` wrote."""
    return {"format", "shape", "data"} <= {*names}


def _npy(path: Path, name: str | None) -> tuple[Any, str]:
    if name is not None:
        raise ValueError(f"it holds one array, without names; expected the path alone, got :{name} behind it")
    return np.load(path, allow_pickle=False), ""


def _npz(path: Path, name: str | None) -> tuple[Any, str]:
    with np.load(path, allow_pickle=False) as stored:
        if name is not None or not is_sparse_npz(stored.files):
            return stored[_pick(stored.files, name)], ""
    from scipy import sparse

    return sparse.load_npz(path), ""


def _csv(path: Path, name: str | None) -> tuple[Any, str]:
    frame, words = read_csv(path)
    return _column(frame, name), words if name is None else ""


def _parquet(path: Path, name: str | None) -> tuple[Any, str]:
    import pandas

    frame = pandas.read_parquet(path)
    names = ", ".join(str(column) for column in frame.columns[:8]) + (", ..." if frame.shape[1] > 8 else "")
    return _column(frame, name), f"{frame.shape[1]} columns ({names})" if name is None else ""


def _column(frame: Any, name: str | None) -> Any:
    names = [str(column) for column in frame.columns]
    return frame if name is None else frame.iloc[:, [names.index(_pick(names, name))]]


def _h5ad(path: Path, name: str | None) -> tuple[Any, str]:
    try:
        from anndata import read_h5ad
    except ImportError as error:
        raise ValueError("h5ad files need the package anndata: pip install anndata") from error
    held = read_h5ad(path)
    if name is not None:
        held.X = held.layers[_pick(list(held.layers), name)]
    return held, f"{held.n_vars} variables" + (f" of layer {name}" if name else "")


def _safetensors(path: Path, name: str | None) -> tuple[Any, str]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return stored[_pick(list(stored), name)], ""


def _pick(names: list[str], name: str | None) -> str:
    if name is None:
        if len(names) != 1:
            raise ValueError(f"it holds {len(names)} arrays ({', '.join(names[:10])}); pick one with path:name")
        return names[0]
    if name not in names:
        raise ValueError(f"it has no array {name!r}; it has {', '.join(names[:10])}")
    return name


READERS: dict[str, Read] = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _csv,
    ".csv.gz": _csv,
    ".tsv.gz": _csv,
    ".txt.gz": _csv,
    ".parquet": _parquet,
    ".h5ad": _h5ad,
    ".safetensors": _safetensors,
}
