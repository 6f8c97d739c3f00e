"""The user's own samples, read from files without executing anything in them. Nobody knows the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lmi.types import Pairs

SUFFIXES = (".npy", ".npz", ".csv", ".parquet", ".safetensors")


@dataclass(frozen=True)
class Arrays:
    """Paired arrays from two files.

    Args:
        x: path of a ``.npy``, ``.npz``, ``.csv``, ``.parquet`` or ``.safetensors`` file; where a file holds several arrays,
            ``path:name`` picks one.
        y: the same for the partners, row by row.
    """

    x: str
    y: str

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """All rows, or ``num_samples`` of them drawn without replacement.

        Raises:
            FileNotFoundError, ValueError: for files that are not there or cannot be read.
        """
        x, y = read_array(self.x), read_array(self.y)
        if x.shape[0] != y.shape[0]:
            raise ValueError(f"{self.x} has {x.shape[0]} rows and {self.y} has {y.shape[0]}; expected pairs")
        if num_samples is not None:
            if num_samples > x.shape[0]:
                raise ValueError(f"num_samples={num_samples}, but {self.x} has {x.shape[0]} rows")
            rows = torch.randperm(x.shape[0], generator=generator)[:num_samples]
            x, y = x[rows], y[rows]
        return Pairs(x, y)


def read_array(location: str) -> Tensor:
    """One array from ``path`` or ``path:name``.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a format that is not known, a file that is not of its format, or a name that is missing.
    """
    path, name = Path(location), None
    if not path.is_file() and ":" in location:
        head, _, name = location.rpartition(":")
        path = Path(head)
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}; expected one of {', '.join(SUFFIXES)}")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path} has the suffix {suffix!r}; expected one of {', '.join(SUFFIXES)}")
    try:
        return _READERS[suffix](path, name)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"cannot read {path} as {suffix}: {error}") from error


def _from_numpy(array: np.ndarray) -> Tensor:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"it holds {array.dtype}; expected real numbers")
    return torch.from_numpy(np.array(array, dtype=None if array.dtype.kind == "f" else np.float64))


def _read_npy(path: Path, name: str | None) -> Tensor:
    return _from_numpy(np.load(path, allow_pickle=False))


def _read_npz(path: Path, name: str | None) -> Tensor:
    with np.load(path, allow_pickle=False) as stored:
        return _from_numpy(stored[_pick(stored.files, name)])


def _read_csv(path: Path, name: str | None) -> Tensor:
    import pandas

    # Numbers in the first line are a first row; anything else is a header.
    first = pandas.read_csv(path, nrows=1, header=None)
    header = None if all(kind.kind in "fiub" for kind in first.dtypes) else 0
    return _from_frame(pandas.read_csv(path, header=header), name)


def _read_parquet(path: Path, name: str | None) -> Tensor:
    import pandas

    return _from_frame(pandas.read_parquet(path), name)


def _from_frame(frame: object, name: str | None) -> Tensor:
    import pandas

    assert isinstance(frame, pandas.DataFrame)
    if name is not None:
        frame = frame[[_pick([str(column) for column in frame.columns], name)]]
    words = [str(column) for column, kind in frame.dtypes.items() if kind.kind not in "fiub"]
    if words:
        raise ValueError(f"columns {words[:5]} do not hold numbers; drop them or pick one with path:name")
    return _from_numpy(frame.to_numpy(dtype=np.float64))


def _read_safetensors(path: Path, name: str | None) -> Tensor:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    tensor = stored[_pick(list(stored), name)]
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.to(torch.float64)


def _pick(names: list[str], name: str | None) -> str:
    if name is None:
        if len(names) != 1:
            raise ValueError(f"it holds {len(names)} arrays ({', '.join(names[:10])}); pick one with path:name")
        return names[0]
    if name not in names:
        raise ValueError(f"it has no array {name!r}; it has {', '.join(names[:10])}")
    return name


_READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
}
