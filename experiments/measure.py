"""What every benchmark does alike: a bar and whether it is held, the memory of the process, a case that is measured once."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from lmi.files import write_whole
from lmi.results import Scalar

Relation = Literal["<=", ">="]


def bar_row(what: str, measured: float, unit: str, relation: Relation, wanted: float) -> dict[str, Scalar]:
    """One line of a table of bars.

    Args:
        what: is promised.
        measured: the figure of this run.
        unit: of the figure, in words; "" for a plain ratio.
        relation: of the figure to the bar.
        wanted: the bar.

    >>> bar_row("the slowest of three", 4.0, "s", "<=", 5.0)["met"]
    True
    """
    met = measured >= wanted if relation == ">=" else measured <= wanted
    return {"what": what, "measured": float(measured), "unit": unit, "bar": f"{relation} {wanted:g}", "met": bool(met)}


def bars_met(bars: list[dict[str, Any]]) -> dict[str, Scalar]:
    """How many of the bars are held, for the metrics of a run."""
    return {"bars_met_count": sum(bool(row["met"]) for row in bars), "bars_count": len(bars)}


def bars_answer(bars: list[dict[str, Any]]) -> str:
    """The same in a sentence, with those that are missed.

    >>> bars_answer([bar_row("seconds", 4.0, "s", "<=", 5.0), bar_row("bits off", 0.2, "bits", "<=", 0.1)])
    '1 of 2 bars are met; missed: bits off.'
    """
    missed = "; ".join(str(row["what"]) for row in bars if not row["met"])
    return f"{sum(bool(row['met']) for row in bars)} of {len(bars)} bars are met" + (
        f"; missed: {missed}." if missed else "."
    )


def peak_memory_gib(children: int = 0) -> float:
    """Most memory that this process has held, GiB (2^30 bytes); with ``children``, each at the largest of theirs."""
    scale = 1024**3 if sys.platform == "darwin" else 1024**2
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if children else 0
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + children * largest) / scale


def measured_once(path: Path | None, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The record of a case: from its file where it has been measured, else from ``work``, and written at once.

    Args:
        path: of the file; ``None`` keeps nothing.
        key: seed and settings in words; they stand in the file, and a file of others is refused.
        work: measures the case.

    Raises:
        ValueError: for a file that was measured with another seed or other settings.
    """
    if path is not None and path.is_file():
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] != key:
            raise ValueError(
                f"{path} was measured with another seed or other settings ({stored['key'][:120]}); choose another run folder"
            )
        return dict(stored["record"])
    record = work()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"key": key, "record": record}))
    return record
