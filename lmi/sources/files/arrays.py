"""The user's own samples, from two files. Nobody knows the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from lmi.inputs import Missing, read_matrices
from lmi.sources.files.tables import read_file, split_name
from lmi.types import Pairs


@dataclass(frozen=True)
class Arrays:
    """Paired arrays from two files, by label where both have row labels, else row by row.

    Args:
        x: path of a ``.npy``, ``.npz``, ``.csv``, ``.tsv``, ``.txt`` (also ``.gz``), ``.parquet``, ``.h5ad`` or
            ``.safetensors`` file; where a file holds several arrays, ``path:name`` picks one. Sequences
            (n, length, channels) and pictures (n, channels, height, width) keep their shape.
        y: the same for the partners.
        missing: "refuse" missing values, or "drop" the rows that have one.
    """

    x: str
    y: str
    missing: Missing = "refuse"

    def input_files(self) -> tuple[Path, ...]:
        """The two files: a run that goes on wants them as they were."""
        return split_name(self.x)[0], split_name(self.y)[0]

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """All rows, or ``num_samples`` of them drawn without replacement; ``notes`` say what was read.

        Raises:
            FileNotFoundError, ValueError: for files that are not there, cannot be read or do not fit each other.
        """
        (left, left_words), (right, right_words) = (read_file(at, is_shaped=True) for at in (self.x, self.y))
        sides, notes = read_matrices(left, right, missing=self.missing)
        x, y = (side.samples for side in sides)
        if num_samples is not None:
            if num_samples > x.shape[0]:
                raise ValueError(f"num_samples={num_samples}, but {self.x} has {x.shape[0]} rows")
            rows = torch.randperm(x.shape[0], generator=generator)[:num_samples]
            x, y = x[rows], y[rows]
        return Pairs(x, y, notes=(left_words, right_words, *notes))
