"""Rows in npy and safetensors files, one file after the other, read by plain file reads.

Nothing is mapped into memory: the pages of a mapped file count as the process's own until something else needs them.
"""

from __future__ import annotations

import glob
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

SAFETENSORS_KINDS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}


@dataclass(frozen=True)
class RowFile:
    """One array of rows inside a file.

    Args:
        path: of the file.
        offset: bytes before the first row.
        rows: how many.
        dim: columns.
        kind: NumPy's name of the type on disk.
        is_bfloat16: whether the 16 bits are a bfloat16, which NumPy does not know.
    """

    path: Path
    offset: int
    rows: int
    dim: int
    kind: str
    is_bfloat16: bool = False

    def read(self, first: int, last: int) -> np.ndarray:
        """Rows ``first`` to ``last`` (exclusive) as float32, or float64 where the file has that."""
        width = self.dim * np.dtype(self.kind).itemsize
        count = (last - first) * self.dim
        array = np.fromfile(self.path, self.kind, count, offset=self.offset + first * width)
        if array.size != count:
            raise ValueError(f"{self.path} ends early: rows {first} to {last} of {self.rows} are not all there")
        if self.is_bfloat16:
            array = (array.astype(np.uint32) << 16).view(np.float32)
        kept = np.float64 if array.dtype.itemsize == 8 else np.float32
        return array.reshape(last - first, self.dim).astype(kept, copy=False)


@dataclass(frozen=True)
class Rows:
    """(n, dim) rows laid out over parts, in the order of the parts."""

    parts: tuple[RowFile, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, dim)."""
        return sum(part.rows for part in self.parts), self.parts[0].dim

    @property
    def dtype(self) -> torch.dtype:
        """What ``read`` gives: float64 where a part has that, else float32."""
        return torch.float64 if any(np.dtype(part.kind).itemsize == 8 for part in self.parts) else torch.float32

    def read(self, first: int, last: int) -> np.ndarray:
        """Rows ``first`` to ``last`` (exclusive), across parts where need be.

        Raises:
            ValueError: for a value that is NaN or infinite, or a file that ends early.
        """
        pieces, start = [], 0
        for part in self.parts:
            low, high = max(first - start, 0), min(last - start, part.rows)
            if low < high:
                pieces.append(part.read(low, high))
                if not np.isfinite(pieces[-1]).all():
                    row = low + int(np.nonzero(~np.isfinite(pieces[-1]).all(1))[0][0])
                    raise ValueError(f"{part.path} has a value that is NaN or infinite in row {row}")
            start += part.rows
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def open_rows(pattern: str) -> Rows:
    """The parts that ``pattern`` matches, in the order of their names.

    Raises:
        FileNotFoundError, ValueError: see ``Shards.open``.
    """
    paths, name = matching_files(pattern)
    if not paths:
        raise FileNotFoundError(f"no file matches {pattern}; expected .npy or .safetensors files")
    parts = tuple(_open(path, name) for path in paths)
    widths = {part.dim for part in parts}
    if len(widths) > 1:
        odd = next(part for part in parts if part.dim != parts[0].dim)
        raise ValueError(f"{odd.path} has {odd.dim} columns, {parts[0].path} has {parts[0].dim}; expected the same")
    return Rows(parts)


def matching_files(pattern: str) -> tuple[list[Path], str | None]:
    """The files that ``pattern`` or ``pattern:name`` matches, in the order of their names, and the name."""
    name, pattern = None, os.path.expanduser(pattern)
    paths = sorted(glob.glob(pattern))
    if not paths and ":" in pattern:
        pattern, _, name = pattern.rpartition(":")
        paths = sorted(glob.glob(pattern))
    return [Path(path) for path in paths], name


def _open(path: Path, name: str | None) -> RowFile:
    if path.suffix == ".npy":
        return _open_npy(path)
    if path.suffix == ".safetensors":
        return _open_safetensors(path, name)
    raise ValueError(f"{path} has the suffix {path.suffix!r}; expected .npy or .safetensors")


def _open_npy(path: Path) -> RowFile:
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, is_fortran, dtype = read(file)
        except ValueError as error:
            raise ValueError(f"cannot read {path} as .npy: {error}") from error
        offset = file.tell()
    if len(shape) != 2 or is_fortran or dtype.kind != "f":
        order = "Fortran" if is_fortran else "C"
        raise ValueError(f"{path} holds {dtype} {shape} in {order} order; expected floating point (n, d) in C order")
    _refuse_short(path, offset + shape[0] * shape[1] * dtype.itemsize)
    return RowFile(path, offset, shape[0], shape[1], dtype.str)


def _open_safetensors(path: Path, name: str | None) -> RowFile:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= size - 8:
            raise ValueError(f"cannot read {path} as .safetensors: its header is damaged")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise ValueError(f"cannot read {path} as .safetensors: {error}") from error
    if not isinstance(header, dict):
        raise ValueError(f"cannot read {path} as .safetensors: its header is a {type(header).__name__}")
    tensors = [key for key in header if key != "__metadata__"]
    if name is None and len(tensors) != 1:
        raise ValueError(f"{path} holds {len(tensors)} tensors ({', '.join(tensors[:10])}); pick one with pattern:name")
    name = tensors[0] if name is None else name
    if name not in tensors:
        raise ValueError(f"{path} has no tensor {name!r}; it has {', '.join(tensors[:10])}")
    try:
        kind, shape, (start, end) = (header[name][key] for key in ("dtype", "shape", "data_offsets"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"cannot read {path} as .safetensors: its header is damaged at {name}") from error
    if kind not in SAFETENSORS_KINDS or len(shape) != 2:
        raise ValueError(f"{path}: {name} is {kind} {shape}; expected (n, d) of {', '.join(SAFETENSORS_KINDS)}")
    _refuse_short(path, 8 + length + end)
    return RowFile(path, 8 + length + start, shape[0], shape[1], SAFETENSORS_KINDS[kind], kind == "BF16")


def _refuse_short(path: Path, expected: int) -> None:
    size = path.stat().st_size
    if size < expected:
        raise ValueError(f"{path} ends early: {size} bytes, expected {expected}")
