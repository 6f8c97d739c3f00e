"""One CSV or text file as a frame, and in words what was taken for what: its separator, its header, its index."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOOKED_AT = 100  # lines from which header and separator are told
WHOLE = re.compile(r"[+-]?\d+$")
SPACES = r"\s+"


def read_csv(path: Path) -> tuple[Any, str]:
    """The frame and a sentence about it. A path that ends in ``.gz`` is unpacked.

    Separators are comma, semicolon, tab, or spaces (as ``numpy.savetxt`` writes them); beside a semicolon commas may be
    decimal. A first column without a name is the index, as ``DataFrame.to_csv`` writes it.

    Raises:
        ValueError: for lines of different length, or a header that may as well be a row.
    """
    import pandas

    lines = [line for _, line in zip(range(LOOKED_AT), (line for line in _lines(path) if line.strip()))]
    lines = [line for line in lines if not line.startswith("#")]
    if not lines:
        raise ValueError("it is empty")
    separator = max(",;\t", key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=separator))
    words_of_lines = {len(line.split()) for line in lines}
    has_spaces = {len(row) for row in rows} == {1} and len(words_of_lines) == 1 and words_of_lines != {1}
    if has_spaces:
        separator, rows = SPACES, [line.split() for line in lines]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"line 1 has {len(rows[0])} fields and line {number} has {len(row)}; expected as many in each"
            )
    _refuse_short_lines(path, separator, len(rows[0]))
    decimal = "," if separator == ";" and _has_decimal_commas(rows) else "."
    has_header = _has_header(rows, decimal)
    has_index = has_header and rows[0][0].strip() in ("", "Unnamed: 0")
    frame = pandas.read_csv(
        path,
        sep=separator,
        decimal=decimal,
        header=0 if has_header else None,
        index_col=0 if has_index else False,
        comment="#",
        encoding="utf-8-sig",
        float_precision="round_trip",
    )
    names = ", ".join(str(column) for column in frame.columns[:8]) + (", ..." if frame.shape[1] > 8 else "")
    words = [f"{frame.shape[1]} columns ({names})" if has_header else f"{frame.shape[1]} columns without names"]
    words += ["its first column as labels of the rows"] if has_index else []
    words += ["commas as decimal points"] if decimal == "," else []
    words += [
        f"column {str(column)!r}, which counts the rows: leave it out if it is an index"
        for column in frame
        if len(frame) > 2 and frame[column].dtype.kind in "iu" and (frame[column].diff().iloc[1:] == 1).all()
    ]
    return frame, "; ".join(words)


def refuse_text(frame: Any) -> None:
    """Refuse columns that hold text, with a cell that is no number.

    Raises:
        ValueError: which names the column.
    """
    for column in frame:
        texts = [] if frame[column].dtype.kind in "fiub" else [v for v in frame[column] if isinstance(v, str)]
        if texts:
            odd = [[text for text in texts if not _is_number(text, decimal)] for decimal in ",."]
            example = next((text for some in (*odd, texts) for text in some), "")
            hint = ": decimal commas want a semicolon between columns" if re.match(r"[+-]?\d+,\d+$", example) else ""
            raise ValueError(
                f"column {str(column)!r} does not hold numbers (such as {example!r}){hint}; drop it or pick one with path:name"
            )


def _refuse_short_lines(path: Path, separator: str, fields: int) -> None:
    """Lines with fewer fields, such as the last one of a file that was cut off, which pandas would fill up with NaN."""
    for number, line in enumerate(_lines(path), 1):
        here = len(line.split()) if separator == SPACES else line.count(separator) + 1
        if here < fields and line.strip() and not line.startswith("#") and '"' not in line:
            raise ValueError(f"line 1 has {fields} fields and line {number} has {here}; expected as many in each")


def _lines(path: Path) -> Iterator[str]:
    open_text = gzip.open if path.suffix.lower() == ".gz" else open
    with open_text(path, "rt", newline="", encoding="utf-8-sig") as file:
        yield from file


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return True


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    return any(re.match(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*$", cell) for row in rows for cell in row)


def _has_header(rows: list[list[str]], decimal: str) -> bool:
    """Whether the first line names the columns; whole numbers above columns that never hold any are names, too."""
    first = rows[0][1:] if rows[0][0].strip() == "" and len(rows[0]) > 1 else rows[0]
    if len(first) < len(rows[0]) or not all(_is_number(cell, decimal) for cell in first):
        return True
    if len(rows) < 3 or not all(WHOLE.match(cell.strip()) for cell in first):
        return False
    below = [any(WHOLE.match(row[j].strip()) for row in rows[1:]) for j in range(len(first))]
    if not any(below):
        return True
    counts = len(first) > 1 and [int(cell) for cell in first] == list(range(len(first)))
    if counts or not all(below):
        raise ValueError(
            f"line 1 ({', '.join(first[:8])}) may be names or a row; expected names that are no numbers, or a .npy file"
        )
    return False
