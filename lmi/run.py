"""One run: the folder it takes or goes on with, the experiment built from its config, and what it leaves behind."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lmi.facts import check_inputs, facts
from lmi.files import (
    CONFIG_FILE,
    FIGURE_KINDS,
    FIGURES_FOLDER,
    INPUTS_FILE,
    RESULT_FILE,
    locked,
    read_mapping,
    write_whole,
)
from lmi.settings import build, check_logger
from lmi.sweep.process import program, was_requeued
from lmi.trackers import Trackers

KINDS = {"experiment": dict, "logger": dict, "progress": bool, "name": str}  # of a config, which may come from anywhere


def is_main_process() -> bool:
    """Whether this is the process that writes: the launcher's variables say so before anything is imported."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


def checked_seed(value: Any) -> int:
    """A seed, or a ``ValueError`` that says what came.

    >>> checked_seed("abc")
    Traceback (most recent call last):
    ValueError: seed: got 'abc' (str): expected a whole number
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"seed: got {value!r} ({type(value).__name__}): expected a whole number")
    return value


def stored_config(folder: Path, resume: str | None) -> dict[str, Any] | None:
    """The config that ``folder`` holds, where this run is to go on with it; ``None`` for a fresh folder.

    Raises:
        ValueError: for a folder that holds a run already, or none to go on with.
    """
    if (folder / RESULT_FILE).is_file():
        raise ValueError(f"{folder} holds a finished run; choose another hydra.run.dir")
    is_there = (folder / CONFIG_FILE).is_file()
    if resume and not is_there:
        raise ValueError(f"resume={resume}: no {CONFIG_FILE} there, so nothing to resume")
    if resume or (was_requeued() and is_there):
        return read_mapping(folder / CONFIG_FILE)
    if is_main_process() and is_there:
        raise ValueError(
            f"{folder} holds an unfinished run; go on with resume={folder}, or choose another hydra.run.dir"
        )
    return None


def refuse_overrides(stored: Any, given: Any, keys: Sequence[str]) -> None:
    """Beside ``resume=`` nothing may say otherwise than the stored config: it would be ignored.

    Args:
        stored: the config in the folder.
        given: the config that the command line describes.
        keys: what the command line sets, dotted.

    Raises:
        ValueError: naming what is stored and what was given.

    >>> refuse_overrides({"seed": 0}, {"seed": 1}, ["seed"])
    Traceback (most recent call last):
    ValueError: seed is 0 in the run to resume; got 1: a run goes on as it began, so leave it out
    """
    for key in keys:
        was, now = stored, given
        name = (key.partition("@")[2] or key).lstrip("+~").replace("/", ".")
        for part in name.split("."):
            was, now = (z.get(part) if isinstance(z, Mapping) else None for z in (was, now))
        place, was, now = _first_difference(name, was, now)
        if was != now:
            raise ValueError(
                f"{place} is {was!r} in the run to resume; got {now!r}: a run goes on as it began, so leave it out"
            )


def _first_difference(place: str, was: Any, now: Any) -> tuple[str, Any, Any]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for name in was:
            difference = _first_difference(f"{place}.{name}", was[name], now.get(name, was[name]))
            if difference[1] != difference[2]:
                return difference
        return place, None, None
    return place, was, now


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have ``folder`` to this run while the block lasts; further processes of a run follow their main process."""
    if is_main_process():
        with locked(folder):
            yield
    else:
        yield


NO_MEMORY = ("can't allocate memory", "out of memory")  # what torch says


@contextmanager
def one_line_errors(folder: Path | None, *mistakes: type[Exception]) -> Iterator[None]:
    """End the process with one line for what a user can mend, and with the command that goes on after Ctrl-C.

    Args:
        folder: of the run, if there is one.
        mistakes: what is a user's to mend beside ``ValueError``, ``OSError`` and missing packages.
    """
    mendable: tuple[type[Exception], ...] = (ValueError, OSError, ImportError, *mistakes)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("\ninterrupted" + (f"; go on with: {program()} resume={folder}" if folder else ""))
    except mendable as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            raise
        if folder is not None and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        said = _line(error)
        cause = f" ({_line(error.__cause__)})" if isinstance(error, mistakes) and error.__cause__ else ""
        is_placed = not isinstance(error, OSError) or error.errno is None or error.filename or str(folder) in said
        place = "" if folder is None or is_placed else f" (writing into {folder})"
        sys.exit(f"error: {said}{cause}{place}\n(HYDRA_FULL_ERROR=1 shows where)")
    except (MemoryError, RuntimeError) as error:
        is_memory = isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)
        if "HYDRA_FULL_ERROR" in os.environ or not is_memory:
            raise
        sys.exit(f"error: this needs more memory than there is: {_line(error)[:200]}\n(HYDRA_FULL_ERROR=1 shows where)")


def _line(error: BaseException) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def run(values: dict[str, Any], folder: Path, resumes: bool = False, packages: Sequence[str] = ()) -> None:
    """Build and run the experiment of a config; the main process saves, tracks and prints what it found.

    Args:
        values: the whole config, resolved.
        folder: of the run.
        resumes: whether it goes on with what ``folder`` holds, for which the files that it reads have to be the same.
        packages: whose settings classes the config may name, beside this one's; never taken from a stored config.

    Raises:
        ValueError: for a config that describes no run, or files that have changed.
    """
    for key, kind in KINDS.items():
        if not isinstance(values.get(key), kind):
            held = type(values[key]).__name__ if key in values else "missing"
            raise ValueError(
                f"{key} is {'a ' * (key in values)}{held}; expected a {kind.__name__}, so this is no config of a run"
            )
    seed, figures = checked_seed(values["seed"]), values.get("figures", "png")  # configs before 1.0 have no figures
    if figures not in FIGURE_KINDS:
        raise ValueError(f"figures={figures}: expected one of {', '.join(FIGURE_KINDS)}")
    if isinstance(packages, str):
        raise ValueError(f"plugins={packages}: expected a list of packages, plugins=[{packages}]")
    check_logger(values["logger"])
    experiment = build(values["experiment"], "experiment", packages)
    if not callable(getattr(experiment, "run", None)):
        raise ValueError(f"experiment is a {type(experiment).__name__}; expected one with run(context)")
    if is_main_process():
        recorded = folder / INPUTS_FILE
        inputs = check_inputs(experiment, (read_mapping(recorded) if recorded.is_file() else {}) if resumes else None)
        if not resumes:
            write_whole(recorded, json.dumps(inputs, indent=2) + "\n")
            write_whole(folder / CONFIG_FILE, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))

    from lmi.report.page import text_result, write_report
    from lmi.report.style import save_vectors
    from lmi.report.tracking import track
    from lmi.types import Context

    trackers = Trackers(values, folder)
    context = Context(seed, folder, trackers, values["progress"] and is_main_process())
    started = time.perf_counter()
    result = experiment.run(context)
    if not is_main_process():
        return
    collected = facts(seed, time.perf_counter() - started)
    result = dataclasses.replace(result, experiment=values["name"], facts=collected)
    result.save(folder)
    save_vectors(result.figures, folder / FIGURES_FOLDER, figures)
    report = write_report(folder)
    track(result, folder, trackers.for_result())
    print(f"\n{text_result(result)}\n\nreport: {report}")  # noqa: T201
