"""The table that pairs are taken of: checked columns, and the documents that their rows belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from lmi.estimators.pairwise.matrix import PairEstimator, rows_needed
from lmi.estimators.significance.document_nulls import FEWEST_DOCUMENTS, Null, Scheme, chosen_scheme
from lmi.inputs import Matrix, Missing, read_matrices, read_matrix, refuse_constant
from lmi.labels import read_labels


@dataclass(frozen=True, eq=False)
class Table:
    """Samples of at least two columns, none of them constant.

    Args:
        side: x as it was read.
        documents: (n,) the document of each row, all 0 where none were given.
        scheme: how the null moves rows; "none" leaves it out.
        is_grouped: whether documents were given.
        warnings: what a reader has to know.
    """

    side: Matrix
    documents: Tensor
    scheme: Scheme | Literal["none"]
    is_grouped: bool
    warnings: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, or their numbers."""
        columns = self.side.columns
        return tuple(map(str, range(self.side.values.shape[1]) if columns is None else columns))


def read_table(
    x: Any,
    documents: Any,
    null: Null | Literal["none"],
    estimator: PairEstimator,
    k: int,
    layer: str | None = None,
    missing: Missing = "refuse",
) -> Table:
    """Read and check what ``lmi.pairwise`` and ``lmi.pairwise_edges`` are given.

    Args:
        x: (n, d) samples.
        documents: (n,) labels, or ``None``.
        null: which null is wanted.
        estimator: that measures the pairs.
        k: neighbours of KSG.
        layer: of an AnnData.
        missing: "refuse" or "drop" rows with missing values.

    Raises:
        ValueError: for samples that cannot be measured, constant columns, or fewer than two columns.
    """
    brought = [read_matrix(x, "x", layer)]
    if documents is not None:
        brought.append(read_labels(documents, "documents"))
    least, why = rows_needed(estimator, k, 3)
    (side, *labels), warnings = read_matrices(*brought, missing=missing, least=least, why=why)
    refuse_constant(side)
    n, d = side.values.shape
    if d < 2:
        raise ValueError(f"x has {d} column; pairs need two")
    groups = labels[0].values[:, 0].long() if labels else torch.zeros(n, dtype=torch.long)
    scheme = "none" if null == "none" else chosen_scheme(groups, null)
    if scheme == "shift" and labels and len(groups.unique()) < FEWEST_DOCUMENTS:
        warnings.append(
            "fewer than 6 documents: each is turned by a random offset, a null that is too narrow for columns that stay "
            "correlated over most of a document"
        )
    return Table(side, groups, scheme, bool(labels), (*warnings, *side.doubts))
