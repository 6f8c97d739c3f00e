"""Names of the files in a run folder, and writing a file all at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ARRAYS_FILE = "arrays.npz"
CONFIG_FILE = "config.yaml"
FIGURES_FOLDER = "figures"
LOCK_FILE = "trial.lock"
REPORT_FILE = "report.html"
RESULT_FILE = "result.json"
STUDY_FILE = "study.db"
SWEEP_FILE = "sweep.json"
SWEEP_TABLE_FILE = "sweep.csv"
TRIAL_FILE = "trial.json"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its name when the block ends well: all of a file or none of it.

    Raises:
        OSError: which names the path, for instance when the disk is full.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with whole_file(path) as partial:
    ...     _ = partial.write_text("all of it")
    >>> path.read_text(), partial.exists()
    ('all of it', False)
    """
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(f"cannot write {path}: {error}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 text, all of it or none of it.

    Raises:
        OSError: see ``whole_file``.
    """
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
