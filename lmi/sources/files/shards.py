"""Paired rows that need not fit into memory: your own files, or a Gaussian of known information written to disk."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from lmi.sources.files.rows import Rows, matching_files, open_rows
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import NATS_PER_BIT, Pairs

MANIFEST = "shards.json"


@dataclass(frozen=True)
class StreamedPairs:
    """Rows of X and of Y, partners row by row, and the true I(X; Y) in nats where somebody knows it."""

    x: Rows
    y: Rows
    truth: float | None = None


@dataclass(frozen=True)
class Shards:
    """Paired rows in files of any size.

    Args:
        x: files of the X side: a path, or a pattern whose matches are read in the order of their names
            (``data/x-*.safetensors``); ``pattern:name`` picks one tensor where safetensors hold several.
        y: the same for Y; the two sides need not be cut at the same rows.
    """

    x: str
    y: str

    def input_files(self) -> list[Path]:
        """The files of both sides: a run that goes on wants them as they were."""
        return [*matching_files(self.x)[0], *matching_files(self.y)[0]]

    def open(self) -> StreamedPairs:
        """Headers are read, rows are not.

        Raises:
            FileNotFoundError, ValueError: for patterns without files, unknown formats, and sides that do not pair.
        """
        x, y = open_rows(self.x), open_rows(self.y)
        if x.shape[0] != y.shape[0]:
            raise ValueError(f"{self.x} has {x.shape[0]} rows and {self.y} has {y.shape[0]}; expected pairs")
        return StreamedPairs(x, y)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """All rows in memory, or ``num_samples`` of them without replacement."""
        return read_pairs(self.open(), num_samples, generator)


@dataclass(frozen=True)
class GaussianShards:
    """A low-rank Gaussian of known information, written to disk shard by shard, and there to be read again.

    Args:
        folder: where the shards are; they are written if it has none.
        num_samples: pairs in all.
        x_dim: columns of X.
        y_dim: columns of Y.
        rank: dimensions of the shared core.
        bits: I(X; Y).
        nuisance_dims: independent dimensions mixed into each side, as loud as the core.
        shard_rows: rows in a file.
        precision: on disk.
        seed: of the numbers.
    """

    folder: str
    num_samples: Annotated[int, Field(ge=2)]
    x_dim: Annotated[int, Field(ge=1)] = 512
    y_dim: Annotated[int, Field(ge=1)] = 512
    rank: Annotated[int, Field(ge=1)] = 1
    bits: Annotated[float, Field(ge=0)] = 1.0
    nuisance_dims: Annotated[int, Field(ge=0)] = 4
    shard_rows: Annotated[int, Field(ge=1)] = 100_000
    precision: Literal["float32", "float16"] = "float32"
    seed: int = 0

    def input_files(self) -> list[Path]:
        """The shards, written first where they are not there: a run that goes on wants them as they were."""
        self.open()
        return sorted(Path(self.folder).glob("[xy]-*.safetensors"))

    def open(self) -> StreamedPairs:
        """The shards, written first where they are not there.

        Raises:
            ValueError: where the folder holds shards of other settings.
        """
        folder = Path(self.folder)
        manifest = folder / MANIFEST
        described = json.dumps({name: value for name, value in vars(self).items() if name != "folder"}, sort_keys=True)
        if not manifest.is_file():
            self._write(folder)
            manifest.write_text(described, encoding="utf-8")
        elif manifest.read_text(encoding="utf-8") != described:
            raise ValueError(
                f"{manifest} is of other shards: {manifest.read_text(encoding='utf-8')}; choose another folder"
            )
        pairs = Shards(str(folder / "x-*.safetensors"), str(folder / "y-*.safetensors")).open()
        return StreamedPairs(pairs.x, pairs.y, self.bits * NATS_PER_BIT)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """All rows in memory, or ``num_samples`` of them without replacement."""
        return read_pairs(self.open(), num_samples, generator)

    def _write(self, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        generator = torch.Generator().manual_seed(self.seed)
        covariance = LowRankGaussian(rank=self.rank, bits=self.bits).core_covariance()
        root = torch.linalg.cholesky(covariance).float()
        signals = self.rank + self.nuisance_dims
        mixing = [
            torch.randn(signals, dim, generator=generator) / math.sqrt(signals) for dim in (self.x_dim, self.y_dim)
        ]
        for shard, first in enumerate(range(0, self.num_samples, self.shard_rows)):
            n = min(self.shard_rows, self.num_samples - first)
            core = torch.randn(n, 2 * self.rank, generator=generator) @ root.T
            for side, part, mix in zip("xy", core.split(self.rank, 1), mixing, strict=True):
                signal = torch.cat((part, torch.randn(n, self.nuisance_dims, generator=generator)), 1)
                rows = (signal @ mix).to(getattr(torch, self.precision))
                save_file({"rows": rows}, folder / f"{side}-{shard:05d}.safetensors")


def read_pairs(pairs: StreamedPairs, num_samples: int | None, generator: torch.Generator) -> Pairs:
    """Rows in memory: all of them, or some without replacement, in the order of the files."""
    n = pairs.x.shape[0]
    if num_samples is not None and num_samples > n:
        raise ValueError(f"num_samples={num_samples}, but there are {n} rows")
    x, y = torch.from_numpy(pairs.x.read(0, n)), torch.from_numpy(pairs.y.read(0, n))
    if num_samples is not None:
        rows = torch.randperm(n, generator=generator)[:num_samples].sort().values
        x, y = x[rows], y[rows]
    return Pairs(x, y, pairs.truth)
