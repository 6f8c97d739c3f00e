"""The door of every public function: what people bring becomes checked matrices that know the names of rows and columns."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lmi.containers import Kind, open_container

Missing = Literal["refuse", "drop"]
LARGEST = 1e150  # magnitude of a value, above which sums of squares are no floats
SMALLEST = 1e-13  # range of a column, below which libraries take it for constant: it is multiplied
SINGLE = 1e15  # magnitude of a float32, above which its square may be none: it becomes float64
STEPS = 500  # neighbouring numbers that a column has to span, to have its digits


@dataclass(frozen=True, eq=False)
class Matrix:
    """Samples as every estimator wants them, and what they were called.

    Args:
        name: of the argument.
        values: (n, d) floating point.
        kind: what to answer in.
        rows: the labels of the rows as a pandas Index, or ``None``.
        columns: the labels of the columns, or ``None``.
        doubts: why not to trust its numbers, in words: columns that have lost their digits to an offset.
        shape: of one sample, where that is more than a row of columns: (length, channels) or (channels, height, width),
            whose product is d.
    """

    name: str
    values: Tensor
    kind: Kind
    rows: Any = None
    columns: tuple[Any, ...] | None = None
    doubts: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None

    @property
    def samples(self) -> Tensor:
        """(n, d), or (n, *shape) of what came as sequences or pictures."""
        return self.values if self.shape is None else self.values.reshape(-1, *self.shape)

    def column(self, index: int) -> str:
        """What to call a column in a message: its label, or its number."""
        return f"column {index if self.columns is None else repr(self.columns[index])}"

    def row(self, index: int) -> str:
        """What to call a row in a message: its label, or its number."""
        return f"row {index if self.rows is None else repr(self.rows[index])}"

    def taken(self, rows: Tensor) -> Matrix:
        """The rows that a mask or (m,) row numbers choose."""
        labels = None if self.rows is None else self.rows[rows.numpy()]
        return replace(self, values=self.values[rows.to(self.values.device)], rows=labels)


def read_matrix(
    data: Any, name: str, layer: str | None = None, is_sample: bool = True, is_shaped: bool = False
) -> Matrix:
    """One container as a matrix, NaN where values are missing; ``read_matrices`` checks it, too.

    Args:
        data: NumPy (masked as well), torch, pandas, polars, SciPy sparse, AnnData or lists: (n, d) or (n,).
        name: of the argument, for messages.
        layer: of an AnnData.
        is_sample: whether rows are samples, whose offset means nothing, or a table of numbers.
        is_shaped: whether sequences (n, length, channels) and pictures (n, channels, height, width) are taken, too; their
            values are flattened and their shape is kept beside them.

    Raises:
        ValueError: for anything else, another shape, or no values at all.
    """
    values, kind, rows, columns = open_container(data, name, layer, is_sample)
    if values.ndim == 1:
        values = values[:, None]
    shape = None
    if is_shaped and values.ndim in (3, 4) and values.shape[0] != 1:
        shape = tuple(values.shape[1:])
    elif values.ndim != 2:
        more = "; sequences are (n, length, channels), pictures (n, channels, height, width)" if is_shaped else ""
        raise ValueError(f"{name} has shape {tuple(values.shape)}; expected (n,) or (n, d){more}")
    if values.numel() == 0:
        raise ValueError(f"{name} is empty: shape {tuple(values.shape)}")
    return Matrix(name, values.flatten(1), kind, rows, columns, shape=shape)


def read_matrices(
    *sides: Matrix, missing: Missing = "refuse", least: int = 2, why: str = ""
) -> tuple[tuple[Matrix, ...], list[str]]:
    """Matrices paired row by row (by label where they have labels), finite, and what a reader has to know of them.

    Args:
        sides: each from ``read_matrix`` or ``read_labels``.
        missing: "refuse" says where the first missing value is, "drop" leaves out every row that has one.
        least: the fewest rows that will do.
        why: so many are needed, for the message.

    Returns:
        The matrices, and sentences: rows dropped or put in another order.

    Raises:
        ValueError: naming what came and what was expected.
    """
    if missing not in ("refuse", "drop"):
        raise ValueError(f"missing is {missing!r}; expected 'refuse' or 'drop'")
    sides, notes = aligned(*sides)
    if missing == "drop":
        absent = torch.stack([side.values.isnan().any(1).cpu() for side in sides]).any(0)
        if absent.any():
            notes.append(f"{int(absent.sum())} of {absent.numel()} rows were dropped: they have missing values")
            sides = tuple(side.taken(~absent) for side in sides)
    rows = sides[0].values.shape[0]
    if rows < least:
        left = " are left" if notes else ""
        raise ValueError(f"got {rows} sample(s){left}; expected at least {least}{why}")
    return tuple(_checked(side) for side in sides), notes


def aligned(*sides: Matrix) -> tuple[tuple[Matrix, ...], list[str]]:
    """The same rows in the same order: by label where two have labels, else by position.

    Raises:
        ValueError: for different numbers of rows, or labels that differ.
    """
    first = next((side for side in sides if side.rows is not None), sides[0])
    ordered, notes = [], []
    for side in sides:
        if len(side.values) != len(sides[0].values):
            counts = f"{len(sides[0].values)} and {len(side.values)}"
            raise ValueError(f"{sides[0].name} and {side.name} must be paired row by row: got {counts} samples")
        if side.rows is None or side.rows.equals(first.rows):
            ordered.append(side)
            continue
        unique = side.rows.is_unique and first.rows.is_unique
        places = side.rows.get_indexer(first.rows) if unique else np.array([-1])
        if (places < 0).any():
            raise ValueError(
                f"the rows of {first.name} and {side.name} have different labels ({_few(first.rows)} and "
                f"{_few(side.rows)}{'' if unique else ', some of them twice'}); expected the same: "
                "reset_index(drop=True) pairs by position"
            )
        ordered.append(side.taken(torch.from_numpy(places.astype(np.int64))))
        notes.append(f"the rows of {side.name} were put in the order of {first.name}'s labels")
    return tuple(ordered), notes


def _few(labels: Any) -> str:
    return ", ".join(repr(label) for label in labels[:3].tolist()) + (", ..." if len(labels) > 3 else "")


def _checked(side: Matrix) -> Matrix:
    """Finite values whose squares are floats: large float32 becomes float64, narrow columns are multiplied by powers of two.

    It doubts columns whose digits an offset has eaten: their numbers are steps that the range shows.
    """
    low, high = side.values.aminmax(dim=0)
    if not bool((low.isfinite() & high.isfinite()).all()):
        _refuse_not_finite(side)
    largest, width = torch.maximum(-low, high), high - low
    if float(largest.max()) > LARGEST:
        j = int(largest.argmax())
        raise ValueError(
            f"{side.name} reaches {float(largest[j]):.1e}, whose square is no float, in {side.column(j)}; "
            f"expected at most {LARGEST:.0e}: take logarithms or divide"
        )
    narrow = width.where(width > 0, torch.inf)
    step = largest.double() * torch.finfo(side.values.dtype).eps
    coarse = (step * STEPS > narrow).nonzero().flatten().tolist()
    if coarse:
        j, more = coarse[0], f" (and {len(coarse) - 1} more)" if len(coarse) > 1 else ""
        kind = str(side.values.dtype).removeprefix("torch.")
        doubt = (
            f"{side.name} {side.column(j)}{more} has lost its digits to an offset: {kind} numbers of that size are "
            f"{float(step[j]):.1e} apart and the column spans {float(width[j]):.1e}; take the offset off beforehand"
        )
        side = replace(side, doubts=(doubt,))
    if side.values.dtype == torch.float32 and float(largest.max()) > SINGLE:
        side = replace(side, values=side.values.double())
    if float(narrow.min()) < SMALLEST:
        power = torch.where(narrow < SMALLEST, -narrow.double().log2().floor(), 0.0).clamp(max=1000.0)
        side = replace(side, values=side.values.double() * 2.0**power)  # exact
    return side


def _refuse_not_finite(side: Matrix) -> None:
    z = side.values
    bad = ~torch.isfinite(z)
    row, column = (int(i) for i in bad.nonzero()[0])
    drop = "; leave such rows out: missing='drop', in a run source.missing=drop or activations.missing=drop"
    hint = drop if bool(z.isnan().any()) else ""
    raise ValueError(
        f"{side.name} has {int(bad.sum())} value(s) that are NaN or infinite, the first {z[row, column].item()} "
        f"at {side.row(row)}, {side.column(column)}; expected finite numbers{hint}"
    )


def read_columns(
    *brought: tuple[str, Any], missing: Missing = "refuse", least: int = 2, why: str = ""
) -> tuple[Matrix, ...]:
    """Matrices for functions that give a bare number or table: constant columns are refused, notes are Python warnings.

    Args:
        brought: (name, data) of each side.
        missing: see ``read_matrices``.
        least: see ``read_matrices``.
        why: see ``read_matrices``.

    Raises:
        ValueError: naming what came and what was expected.
    """
    read = (read_matrix(data, name) for name, data in brought)
    sides, notes = read_matrices(*read, missing=missing, least=least, why=why)
    for side in sides:
        refuse_constant(side)
    for note in (*notes, *(doubt for side in sides for doubt in side.doubts)):
        warnings.warn(note, stacklevel=3)
    return sides


def refuse_constant(side: Matrix) -> None:
    """Raise ``ValueError`` where a column never varies."""
    constant = (side.values == side.values[:1]).all(0).nonzero().flatten().tolist()
    if constant:
        names = ", ".join(side.column(j).removeprefix("column ") for j in constant[:5])
        raise ValueError(
            f"{side.name} has {len(constant)} constant column(s), the first of them {names}: "
            "a constant shares nothing with anything; leave such columns out"
        )


def like(values: Tensor, x: Matrix, y: Matrix | None = None) -> Any:
    """A (dx, dy) result in what the caller brought: a labelled DataFrame, a tensor or an array."""
    y = x if y is None else y
    if "frame" in (x.kind, y.kind):
        import pandas

        return pandas.DataFrame(values.cpu().numpy(), index=_labels(x), columns=_labels(y))
    return values if "tensor" in (x.kind, y.kind) else values.cpu().numpy()


def _labels(side: Matrix) -> list[Any] | None:
    return None if side.columns is None else list(side.columns)
