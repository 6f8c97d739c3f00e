"""``python -m lmi.experiments.benchmarks``: which measured tables are older than their code; ``--run`` measures again.

A run prints each table of its result as Markdown with the ``{measured}`` block that belongs above it, and writes the raw
numbers as csv into ``docs/benchmarks/data``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lmi.experiments.benchmarks.tables import ROOT, Table, age, changes_since, tables
from lmi.facts import facts
from lmi.report.page import columns_of, shown
from lmi.results import Result, Scalar
from lmi.settings import near

DATA = Path("docs/benchmarks/data")


def listed(tables: Sequence[Table], root: Path = ROOT) -> str:
    """One line a table: its name, when and at which commit it was measured, whether it is older than its code."""
    lines = [(t.name, t.date, t.commit, age(changes_since(t, root)), t.page) for t in tables]
    widths = [max(len(line[i]) for line in lines) for i in range(5)] if lines else []
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def measure(table: Table, root: Path = ROOT) -> str:
    """Run a table's command; its block and its tables as Markdown. The csv files lie in ``docs/benchmarks/data``.

    Args:
        table: to measure again.
        root: of the checkout.

    Raises:
        ValueError: for a table that no single command prints.
        subprocess.CalledProcessError: if the command fails.
    """
    words = shlex.split(table.command)
    if "train.py" not in words:
        raise ValueError(f"{table.name}: no single command prints it ({table.command or 'none given'})")
    with tempfile.TemporaryDirectory() as folder:
        arguments = [*words[words.index("train.py") + 1 :], f"hydra.run.dir={folder}/run", "logger=none"]
        subprocess.run([sys.executable, "train.py", *arguments], cwd=root, check=True)
        result = Result.load(f"{folder}/run")
    (root / DATA).mkdir(parents=True, exist_ok=True)
    parts = [block(replace(table, date=f"{datetime.date.today()}", commit=commit(root), machine=machine()))]
    for name, rows in result.tables.items():
        pd.DataFrame(rows).to_csv(root / DATA / f"{table.name}-{file_name(name)}.csv", index=False)
        parts.append(f"**{name}**\n\n{markdown(rows)}")
    return "\n\n".join(parts)


def file_name(name: str) -> str:
    """A table's name as a part of a file's, which a link can hold.

    >>> file_name("I(sigma) of each block")
    'I-sigma-of-each-block'
    """
    return re.sub(r"\W+", "-", name).strip("-")


def commit(root: Path) -> str:
    """The short hash of the checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    """Cores and device, in words."""
    return f"{os.cpu_count()} cores, {facts(0, 0.0)['device']}"


def markdown(rows: list[dict[str, Scalar]]) -> str:
    """Rows as a Markdown table.

    >>> print(markdown([{"a": 1, "b": "x"}]))
    | a | b |
    | --- | --- |
    | 1 | x |
    >>> "I(X; Y \\\\| Z)" in markdown([{"I(X; Y | Z)": 0.5}])
    True
    """
    columns = columns_of(rows)
    cells = [columns, *([shown(row.get(name)) for name in columns] for row in rows)]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in cells]
    return "\n".join(f"| {line} |" for line in [lines[0], " | ".join(["---"] * len(columns)), *lines[1:]])


def block(table: Table) -> str:
    """The ``{measured}`` block of a table."""
    lines = [f"{key}: {getattr(table, key)}" for key in ("name", "command", "date", "commit", "machine")]
    return "\n".join(["```{measured}", *lines, f"code: {' '.join(table.code)}", "```"])


def main(words: Sequence[str] | None = None) -> None:
    """List the tables, or measure those named."""
    parser = argparse.ArgumentParser(prog="python -m lmi.experiments.benchmarks", description=__doc__)
    parser.add_argument("--run", nargs="+", metavar="NAME", default=[], help="tables to measure again")
    parser.add_argument("--older", action="store_true", help="list only those that are older than their code")
    given = parser.parse_args(words)
    every = {table.name: table for table in tables()}
    for name in given.run:
        if name not in every:
            parser.error(f"no table is called {name!r}; {near(name, every)}")
    for name in given.run:
        print(measure(every[name]), flush=True)  # noqa: T201
    if not given.run:
        kept = [table for table in every.values() if not given.older or changes_since(table) != ()]
        print(listed(kept))  # noqa: T201


if __name__ == "__main__":
    main()
