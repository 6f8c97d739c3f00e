"""Hand a result to experiment trackers: metrics to all; words, figures and tables to those that take them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lmi.files import FIGURES_FOLDER
from lmi.report.page import columns_of
from lmi.results import Result


def track(result: Result, folder: Path, loggers: Iterable[Any]) -> None:
    """Log the result to Lightning loggers and close them.

    Args:
        result: what to log; its figures are read from ``folder``, where it was saved.
        folder: the run folder.
        loggers: each with ``log_metrics``; ``log_image`` and ``log_table`` are used where a logger has them.
    """
    numbers = {
        name: value
        for name, value in result.metrics.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    words = {name: value for name, value in result.metrics.items() if isinstance(value, str) and value}
    words |= {"answer": result.answer} if result.answer else {}
    for logger in loggers:
        logger.log_metrics(numbers)
        summary: Any = getattr(getattr(logger, "experiment", None), "summary", None)
        if hasattr(summary, "update"):  # W&B keeps words, such as the verdict, beside the numbers
            summary.update(words)
        if hasattr(logger, "log_image"):
            for name, caption in result.captions.items():
                path = str(folder / FIGURES_FOLDER / f"{name}.png")
                logger.log_image(key=f"figures/{name}", images=[path], caption=[caption])
        if hasattr(logger, "log_table"):
            for name, rows in result.tables.items():
                columns = columns_of(rows)
                data = [[row.get(column) for column in columns] for row in rows]
                logger.log_table(key=f"tables/{name}", columns=columns, data=[[_word(c) for c in row] for row in data])
        logger.finalize("success")


def _word(cell: Any) -> Any:
    """Trackers want one type in a column; text is the one that every cell has."""
    return "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)
