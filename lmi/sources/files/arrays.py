"""The user's own samples, from two files. Nobody knows the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from lmi.inputs import Missing, read_matrices
from lmi.sources.files.tables import read_file, read_label_file, split_name
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
        groups: ``path`` or ``path:name`` of one column of labels, numbers or text, that says which document, subject or
            recording a row belongs to: folds, interval and null respect it (``groups`` of ``lmi.estimate``).
    """

    x: str
    y: str
    missing: Missing = "refuse"
    groups: str | None = None

    def input_files(self) -> tuple[Path, ...]:
        """The files: a run that goes on wants them as they were."""
        return tuple(split_name(file)[0] for file in (self.x, self.y, *filter(None, [self.groups])))

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """All rows, or ``num_samples`` of them drawn without replacement; ``notes`` say what was read.

        Raises:
            FileNotFoundError, ValueError: for files that are not there, cannot be read or do not fit each other.
        """
        read = [read_file(at, is_shaped=True) for at in (self.x, self.y)]
        if self.groups is not None:
            read.append(read_label_file(self.groups))
        sides, notes = read_matrices(*(matrix for matrix, _ in read), missing=self.missing)
        x, y, *groups = (side.samples for side in sides)
        if num_samples is not None:
            if num_samples > x.shape[0]:
                raise ValueError(f"num_samples={num_samples}, but {self.x} has {x.shape[0]} rows")
            rows = torch.randperm(x.shape[0], generator=generator)[:num_samples]
            x, y, *groups = (side[rows] for side in (x, y, *groups))
        return Pairs(x, y, groups=groups[0][:, 0] if groups else None, notes=(*(words for _, words in read), *notes))
