"""Activations on disk: one safetensors file a layer, written row by row and read back memory-mapped."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

ENTRY_FILE = "entry.json"
HEADER_BYTES = 248
FORMAT = 1
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
}


class StoreError(OSError):
    """A folder of activations that was not written to its end, or has been damaged since."""


class RowFile:
    """A safetensors file with one tensor, "rows" (n, d), that grows by rows; memory holds only those being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shape: tuple[int, ...] | None = None
        self.dtype = torch.float32
        self._file = path.open("wb")
        self._file.write(b"\0" * (8 + HEADER_BYTES))

    def append(self, rows: Tensor) -> None:
        """Write (m, d) or (m,) ``rows`` behind those that are there."""
        rows = rows.detach().cpu().contiguous()
        if self.shape is None:
            self.shape, self.dtype = (0, *rows.shape[1:]), rows.dtype
        if (rows.shape[1:], rows.dtype) != (self.shape[1:], self.dtype):
            raise ValueError(
                f"{self.path.name} holds rows {self.shape[1:]} {self.dtype}; got {rows.shape[1:]} {rows.dtype}"
            )
        self.shape = (self.shape[0] + len(rows), *self.shape[1:])
        self._file.write(rows.view(torch.uint8).numpy().data if rows.numel() else b"")

    def close(self) -> int:
        """Write the header, now that the number of rows is known, and return the file's size in bytes."""
        if self.shape is not None:
            size = self._file.tell() - 8 - HEADER_BYTES
            entry = {"dtype": DTYPES[self.dtype], "shape": list(self.shape), "data_offsets": [0, size]}
            self._file.seek(0)
            self._file.write(struct.pack("<Q", HEADER_BYTES) + json.dumps({"rows": entry}).encode().ljust(HEADER_BYTES))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self.path.stat().st_size


@dataclass(frozen=True)
class Store:
    """A finished folder of activations.

    Args:
        folder: where it is.
        names: the layers, in order.
        indices: names of the columns that describe the rows, such as "documents".
        facts: what the writer said of it.
    """

    folder: Path
    names: tuple[str, ...]
    indices: tuple[str, ...]
    facts: Mapping[str, Any]

    def layer(self, name: str) -> Tensor:
        """(n, d) one layer's rows, memory-mapped: pages are read when they are touched."""
        return _read(self.folder / _layer_file(self.names.index(name)))

    def index(self, name: str) -> Tensor:
        """(n, ...) one of the columns that describe the rows."""
        return _read(self.folder / _index_file(name))

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Raises:
        FileNotFoundError: if there is nothing at ``folder``.
        StoreError: if what is there is incomplete, with the file that shows it.
        """
        if not folder.is_dir():
            raise FileNotFoundError(f"no activations at {str(folder)!r}")
        try:
            entry = json.loads((folder / ENTRY_FILE).read_text(encoding="utf-8"))
            sizes, form = entry["sizes"], entry["format"]
        except (FileNotFoundError, json.JSONDecodeError, KeyError) as error:
            raise StoreError(
                f"half-written activations in {str(folder)!r}: {ENTRY_FILE} is missing or broken"
            ) from error
        if form != FORMAT:
            raise StoreError(f"activations in {str(folder)!r} have format {form}; expected {FORMAT}")
        for file, size in sizes.items():
            path = folder / file
            stored = path.stat().st_size if path.is_file() else 0
            if stored != size:
                raise StoreError(
                    f"half-written activations in {str(folder)!r}: {file} has {stored} bytes; expected {size}"
                )
        return cls(folder, tuple(entry["names"]), tuple(entry["indices"]), entry["facts"])


Chunk = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]


def write_store(folder: Path, chunks: Iterable[Chunk], facts: Mapping[str, Any]) -> Store:
    """Write ``chunks`` to ``folder``, which appears there at once when all of them have been written.

    Args:
        folder: its parent is made; a folder that is already there is replaced.
        chunks: one at a time: layer name -> (m, d) rows, and column name -> (m, ...) what describes them.
        facts: JSON to keep beside them.

    Raises:
        ValueError: for rows that are not finite, with the layer and the row, or if there are no rows at all.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        layers: dict[str, RowFile] = {}
        columns: dict[str, RowFile] = {}
        for rows, index in chunks:
            if not layers:
                layers = {name: RowFile(partial / _layer_file(place)) for place, name in enumerate(rows)}
                columns = {name: RowFile(partial / _index_file(name)) for name in index}
            for name, values in rows.items():
                _check_finite(name, values, layers[name])
                layers[name].append(values)
            for name, values in index.items():
                columns[name].append(values)
        if not layers:
            raise ValueError("there are no activations to write: no batch came")
        sizes = {file.path.name: file.close() for file in (*layers.values(), *columns.values())}
        entry = {
            "format": FORMAT,
            "names": list(layers),
            "indices": list(columns),
            "sizes": sizes,
            "facts": dict(facts),
        }
        (partial / ENTRY_FILE).write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Store.open(folder)


def _check_finite(name: str, values: Tensor, file: RowFile) -> None:
    broken = ~torch.isfinite(values).flatten(1).all(dim=1)
    if broken.any():
        row = int(broken.nonzero()[0]) + (file.shape[0] if file.shape else 0)
        raise ValueError(
            f"layer {name!r} has NaN or infinite activations in {int(broken.sum())} of {len(values)} rows of a batch, "
            f"first in row {row}; a wider dtype may help ({values.dtype} now)"
        )


def _layer_file(place: int) -> str:
    return f"layer_{place:03d}.safetensors"


def _index_file(name: str) -> str:
    return f"{name}.safetensors"


def _read(path: Path) -> Tensor:
    with safe_open(path, framework="pt") as file:
        rows: Tensor = file.get_tensor("rows")
    return rows
