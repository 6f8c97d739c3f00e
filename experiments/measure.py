"""What every benchmark measures alike: a bar and whether it is held, and the memory of the process."""

from __future__ import annotations

import resource
import sys
from typing import Any, Literal

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


def peak_memory_gib(children: int = 0) -> float:
    """Most memory that this process has held, GiB (2^30 bytes); with ``children``, each at the largest of theirs."""
    scale = 1024**3 if sys.platform == "darwin" else 1024**2
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if children else 0
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + children * largest) / scale
