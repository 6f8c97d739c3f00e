"""The measured tables of the manual: what each was measured with and when, and whether its code has changed since."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```\{measured\}\n(.*?)^```$", re.M | re.S)
KEYS = ("name", "command", "date", "commit", "machine", "code")


@dataclass(frozen=True)
class Table:
    """One measured table.

    Args:
        name: of the table, the same in no other.
        command: that prints it; "" where several or none do.
        date: it was measured, as YYYY-MM-DD.
        commit: of the code that was measured.
        machine: in words.
        code: files and folders whose change makes the table old.
        page: of the manual that shows it.
    """

    name: str
    command: str
    date: str
    commit: str
    machine: str
    code: tuple[str, ...]
    page: str = ""


def read_table(text: str, page: str = "") -> Table:
    """The table that a ``{measured}`` block describes.

    Args:
        text: of the block, YAML.
        page: that it stands on, for messages.

    Raises:
        ValueError: for a block that lacks a key or has another.

    >>> block = "name: a\\ncommand: python train.py\\ndate: 2026-11-21\\ncommit: 0a8d877\\nmachine: 2 cores\\ncode: lmi/api.py"
    >>> read_table(block).code
    ('lmi/api.py',)
    """
    # Everything is text: a commit of digits only, or 1e10, is no number.
    values: Mapping[str, Any] = yaml.load(text, yaml.BaseLoader)
    if not isinstance(values, Mapping) or sorted(values) != sorted(KEYS):
        raise ValueError(f"{page}: a measured block has {', '.join(KEYS)}; got {text!r}")
    rest = {key: str(values[key]) for key in KEYS if key != "code"}
    return Table(**rest, code=tuple(values["code"].split()), page=page)


def tables(root: Path = ROOT) -> list[Table]:
    """All tables of the manual, page by page.

    Raises:
        ValueError: for two of one name.
    """
    tables = [
        read_table(text, str(page.relative_to(root)))
        for page in sorted((root / "docs").rglob("*.md"))
        if "_build" not in page.parts
        for text in FENCE.findall(page.read_text(encoding="utf-8"))
    ]
    names = [table.name for table in tables]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two tables are called {', '.join(twice)}")
    return tables


def changes_since(table: Table, root: Path = ROOT) -> tuple[str, ...] | None:
    """The commits that have changed the code of a table since it was measured, newest first; ``None`` where git cannot tell."""
    try:
        done = subprocess.run(
            ["git", "log", "--oneline", f"{table.commit}..HEAD", "--", *table.code],
            cwd=root,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:  # no git on this machine
        return None
    return tuple(done.stdout.splitlines()) if done.returncode == 0 else None


def age(changes: tuple[str, ...] | None) -> str:
    """The age of a table in words.

    >>> age(()), age(("0a8d877 Faster",))
    ('as the code is', 'older than its code: 1 commit since')
    """
    if changes is None:
        return "age unknown: the commit is not in this checkout"
    count = len(changes)
    return f"older than its code: {count} commit{'s' if count > 1 else ''} since" if count else "as the code is"
