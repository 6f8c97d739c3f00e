"""The user's own matrices in place of a model's activations: every file, or every array in it, is a layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmi.inputs import Matrix, Missing, read_matrices
from lmi.sources.files.tables import is_sparse_npz, read_file, read_label_file, split_name, stored_names
from lmi.types import Context


@dataclass(frozen=True)
class ArrayLayers:
    """Matrices (n, d) from files, one a layer.

    Args:
        files: paths of ``.npy``, ``.npz``, ``.csv``, ``.tsv``, ``.txt`` (also ``.gz``), ``.parquet``, ``.h5ad`` or
            ``.safetensors`` files; ``path:name`` picks an array, and without a name each array of an npz or safetensors
            file is a layer (a matrix of ``scipy.sparse.save_npz`` is one).
        documents: ``path:name`` of one column of labels (n,), numbers or text, that says which rows belong together
            (document, subject, recording), in their order; ``None`` takes the rows as one sequence.
        missing: "refuse" missing values, or "drop" the rows that have one.
    """

    files: tuple[str, ...]
    documents: str | None = None
    missing: Missing = "refuse"

    def input_files(self) -> tuple[Path, ...]:
        """The files: a run that goes on wants them as they were."""
        return tuple(split_name(file)[0] for file in (*self.files, *filter(None, [self.documents])))

    def layers(self, context: Context) -> Iterator[tuple[str, Tensor, Tensor]]:
        """(name, values (n, d), documents (n,)) of each layer.

        Raises:
            FileNotFoundError, ValueError: for files that are not there, cannot be read or do not fit the documents.
        """
        for location in self._locations():
            sides, _ = self._read(location)
            groups = sides[1].values[:, 0] if len(sides) > 1 else torch.zeros(len(sides[0].values))
            yield layer_name(location), sides[0].values, groups.unique(return_inverse=True)[1]

    def columns(self) -> dict[str, list[str]]:
        """The names of the columns of each layer that has them."""
        read = {layer_name(location): self._read(location)[0][0].columns for location in self._locations()}
        return {name: [str(column) for column in columns] for name, columns in read.items() if columns is not None}

    def describe(self) -> dict[str, Any]:
        """What was read from what, for the record."""
        words = [word for location in self._locations() for word in self._read(location)[1]]
        return {"read": "; ".join(dict.fromkeys(words))}

    def _locations(self) -> list[str]:
        if not self.files:
            raise ValueError("activations.files is empty; expected paths: activations.files=[x.csv]")
        locations = []
        for file in self.files:
            several = Path(file).suffix in (".npz", ".safetensors") and Path(file).is_file()
            names = stored_names(Path(file)) if several else []
            locations += [f"{file}:{name}" for name in names] if names and not is_sparse_npz(names) else [file]
        return locations

    def _read(self, location: str) -> tuple[tuple[Matrix, ...], list[str]]:
        read = [read_file(location)] + ([read_label_file(self.documents)] if self.documents else [])
        sides, notes = read_matrices(*(matrix for matrix, _ in read), missing=self.missing)
        return sides, [*(words for _, words in read), *notes]


def layer_name(location: str) -> str:
    """What a layer is called: its file without folder and suffix, and the array in it.

    >>> layer_name("data/run.npz:h.3"), layer_name("data/genes.csv")
    ('run.h.3', 'genes')
    """
    file, _, name = location.rpartition(":") if ":" in Path(location).name else (location, "", "")
    return ".".join(filter(None, (Path(file).stem, name)))
