"""One run: the folder it takes or goes on with, the experiment built from its config, and what it leaves behind."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lmi.files import CONFIG_FILE, RESULT_FILE, write_whole
from lmi.settings import build
from lmi.sweep.process import was_requeued


def is_main_process() -> bool:
    """Whether this is the process that writes: the launcher's variables say so before anything is imported."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


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
        stored: dict[str, Any] = yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        return stored
    if is_main_process() and is_there:
        raise ValueError(
            f"{folder} holds an unfinished run; go on with resume={folder}, or choose another hydra.run.dir"
        )
    return None


@contextmanager
def one_line_errors(folder: Path | None, *mistakes: type[Exception]) -> Iterator[None]:
    """End the process with one line for what a user can mend, and with the command that goes on after Ctrl-C.

    Args:
        folder: of the run, if there is one.
        mistakes: what is a user's to mend beside ``ValueError`` and ``OSError``.
    """
    mendable: tuple[type[Exception], ...] = (ValueError, OSError, *mistakes)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("\ninterrupted" + (f"; go on with: python train.py resume={folder}" if folder else ""))
    except mendable as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            raise
        cause = f" ({error.__cause__})" if isinstance(error, mistakes) and error.__cause__ else ""
        is_placed = not isinstance(error, OSError) or error.filename or str(folder) in str(error)
        place = "" if folder is None or is_placed else f" (writing into {folder})"
        sys.exit(f"error: {error}{cause}{place}\n(HYDRA_FULL_ERROR=1 shows where)")


def run(values: dict[str, Any], folder: Path) -> None:
    """Build and run the experiment of a config; the main process saves, tracks and prints what it found.

    Args:
        values: the whole config, resolved.
        folder: of the run.
    """
    experiment = build(values["experiment"], "experiment")
    if is_main_process():
        write_whole(folder / CONFIG_FILE, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))

    from lightning.pytorch.loggers import CSVLogger

    from lmi.facts import facts
    from lmi.report.page import text_result, write_report
    from lmi.report.tracking import track
    from lmi.types import Context

    # Flushed at every epoch: a study that prunes reads along.
    loggers = [CSVLogger(folder, name="csv", flush_logs_every_n_steps=1)]
    if "_target_" in values["logger"]:
        loggers.append(build(values["logger"], "logger"))
        # Lightning 2.6 hands W&B a setting that W&B 0.31 warns about in every run.
        getattr(loggers[-1], "_wandb_init", {}).pop("anonymous", None)
        loggers[-1].log_hyperparams(values)
    context = Context(values["seed"], folder, tuple(loggers), values["progress"] and is_main_process())
    started = time.perf_counter()
    result = experiment.run(context)
    if not is_main_process():
        return
    found = facts(values["seed"], time.perf_counter() - started)
    result = dataclasses.replace(result, experiment=values["name"], facts=found)
    result.save(folder)
    report = write_report(folder)
    track(result, folder, loggers)
    print(f"\n{text_result(result)}\n\nreport: {report}")  # noqa: T201
