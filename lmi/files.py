"""Files of a run folder: their names, writing one all at once, reading one back, and the lock of a run that is alive."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import yaml

ARRAYS_FILE = "arrays.npz"
CONFIG_FILE = "config.yaml"
FIGURES_FOLDER = "figures"
FIGURE_KINDS = ("png", "pdf", "svg")  # png always, the others beside it
INPUTS_FILE = "inputs.json"
LOCK_FILE = "trial.lock"
REPORT_FILE = "report.html"
RESULT_FILE = "result.json"
RUN_LOCK_FILE = "run.lock"
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


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a ``.json`` or ``.yaml`` file holds; nothing in a yaml is executed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: which names the file, where it is broken or holds something else.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> write_whole(path, '{"a": 1}')
    >>> read_mapping(path)
    {'a': 1}
    """
    try:
        text = path.read_text(encoding="utf-8")
        held = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is damaged ({reason}); expected whole {path.suffix[1:]}") from error
    if not isinstance(held, dict):
        raise ValueError(f"{path} holds a {type(held).__name__}; expected a mapping of names to values")
    return held


def inside(folder: Path, *parts: str) -> Path | None:
    """The file at ``parts`` in ``folder``, or ``None`` where there is none or where names or links lead out of it.

    >>> inside(Path("/etc"), "figures", "../../etc/passwd") is None
    True
    """
    path = folder.joinpath(*parts)
    is_within = all(part not in ("", ".", "..") and Path(part).name == part for part in parts)
    return path if is_within and path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep ``folder`` for this process for as long as the block lasts.

    The lock is the kernel's on the file ``run.lock``, which says who holds it: it ends with the process that has it, however
    that ends, and the next one takes it over. The file goes when the block ends.

    Raises:
        ValueError: where another process has it.
        OSError: where the folder cannot be written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with locked(folder), locked(folder):
    ...     pass  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: a run is alive in /...: process ... on ...; wait for its end, or choose another hydra.run.dir
    """
    path = folder / RUN_LOCK_FILE
    file = _lock_file(path, folder)
    try:
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _is_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock_file(path: Path, folder: Path) -> TextIO:
    """The file at ``path``, open and locked; one that its holder removes in the meantime is not the one at ``path``."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8", errors="replace")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError as error:
            holder = file.read(200) or "another process"
            file.close()
            raise ValueError(
                f"a run is alive in {folder}: {holder}; wait for its end, or choose another hydra.run.dir"
            ) from error
        except BaseException:
            file.close()
            raise
        file.close()
