"""One trial: a single run in a process of its own, so that its ranks share one config and one folder, and only it can fail.

Its folder holds, beside what any run leaves, ``trial.json`` (overrides, status, error, seconds) and ``log.txt``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lmi.files import CONFIG_FILE, LOCK_FILE, RESULT_FILE, TRIAL_FILE, read_mapping, write_whole

LOG_FILE = "log.txt"
POLL_SECONDS = 0.2
HYDRA_LAST_WORDS = ("Set the environment variable HYDRA_FULL_ERROR", "full_key:", "object_type=")


def own_overrides(overrides: Sequence[str], with_trial: bool = True) -> list[str]:
    """Those that are about the trial and not about the sweep; the trial's number, if it has one, stays where asked.

    >>> own_overrides(["sweep=optuna", "sweep.trial=3", "seed=0"])
    ['sweep.trial=3', 'seed=0']
    """
    keys = [override.partition("=")[0].lstrip("+~") for override in overrides]
    return [
        override
        for key, override in zip(keys, overrides, strict=True)
        if (key == "sweep.trial" and with_trial) or not (key == "sweep" or key.startswith("sweep."))
    ]


def trial_folder(overrides: Sequence[str]) -> str:
    """A folder name for a trial that depends on its overrides alone, never on their order or on when it runs.

    >>> trial_folder(["experiment=arrays", "estimator.latent_dim=4", "seed=0"])
    'arrays.latent_dim-4.seed-0.34cc61'
    """
    words = []
    for override in overrides:
        key, _, value = override.partition("=")
        name = key.lstrip("+~").rpartition(".")[2]
        words.append(value if name == "experiment" else f"{name}-{value}")
    readable = re.sub(r"[^\w.-]+", "_", ".".join(words))[:80].strip("._")
    digest = hashlib.blake2b("\0".join(sorted(overrides)).encode(), digest_size=3).hexdigest()
    return f"{readable}.{digest}" if readable else digest


def with_sweep_folder(words: Sequence[str]) -> list[str]:
    """The words of a ``-m`` command with its folder, ``multirun/<experiment>/<digest of the words>``, unless they name one.

    The same command finds its own sweep again.

    >>> with_sweep_folder(["-m", "experiment=arrays", "seed=0,1"])[-1]
    "hydra.sweep.dir='multirun/arrays/cc8f536f'"
    """
    settings = sorted(word for word in words if not word.startswith("-"))
    if any(word.startswith("hydra.sweep.dir=") for word in settings):
        return list(words)
    name = next((word.partition("=")[2] for word in settings if word.startswith("experiment=")), "sweep")
    digest = hashlib.blake2b("\0".join(settings).encode(), digest_size=4).hexdigest()
    folder = Path("multirun") / re.sub(r"[^\w.-]+", "_", name) / digest
    return [*words, f"hydra.sweep.dir={quoted(folder)}"]


def quoted(value: object) -> str:
    r"""A value as one word of a Hydra override, whatever commas, signs or blanks are in it.

    >>> print(quoted("runs/a=1,b='2'"))
    'runs/a=1,b=\'2\''
    """
    text = str(value).replace("\\", "\\\\") if str(value).endswith("\\") else str(value)
    return "'" + text.replace("'", "\\'") + "'"


def run_trial(
    command: Sequence[str],
    overrides: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    watch: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Run ``command overrides`` in ``folder`` and wait for it; a finished or pruned trial is left as it is.

    An unfinished one goes on from its last checkpoint, a failed one is tried again. While another process runs the same
    trial (a sweep that was killed but has not died yet) this one waits for it.

    Args:
        command: starts a single run.
        overrides: the trial's own.
        folder: where it runs.
        environment: of its process.
        watch: asked every now and then; where it says true the trial is stopped and counts as pruned.

    Returns:
        What ``trial.json`` says: ``overrides``, ``status`` (done, failed, pruned), ``error``, ``seconds``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = read_trial(folder)
        if record.get("status") == "pruned":
            return record
        record |= {"overrides": list(overrides), "error": None}
        if not (folder / RESULT_FILE).is_file():
            record |= {"status": "running"}
            write_trial(folder, record)
            started = time.perf_counter()
            resumes = (folder / CONFIG_FILE).is_file()
            place = [f"hydra.run.dir={quoted(folder)}", *([f"resume={quoted(folder)}"] if resumes else [])]
            # The lock's descriptor goes along: it stays locked for as long as either of the two processes lives.
            with (folder / LOG_FILE).open("ab") as log, subprocess.Popen(
                [*command, *overrides, *place], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=dict(environment), pass_fds=(lock.fileno(),),
            ) as process:  # fmt: skip
                try:
                    pruned = _wait(process, watch)
                except BaseException:
                    process.kill()
                    raise
            record["seconds"] = round(time.perf_counter() - started, 2)
            if pruned:
                record["status"] = "pruned"
                write_trial(folder, record)
                return record
            if process.returncode != 0 or not (folder / RESULT_FILE).is_file():
                record |= {"status": "failed", "error": what_went_wrong(folder, process.returncode)}
                write_trial(folder, record)
                return record
        record["status"] = "done"
        write_trial(folder, record)
        return record


def _wait(process: subprocess.Popen[bytes], watch: Callable[[], bool] | None) -> bool:
    """Wait for the end of the process, or end it when ``watch`` says so."""
    if watch is None:
        process.wait()
        return False
    while process.poll() is None:
        time.sleep(POLL_SECONDS)
        if watch() and process.poll() is None:
            process.kill()
            process.wait()
            return True
    return False


def what_went_wrong(folder: Path, code: int) -> str:
    """The last error line of the trial's log, or the signal that killed it."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}; see {LOG_FILE}"
    text = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(HYDRA_LAST_WORDS)
    ]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or [f"exit code {code} and not a word"])[-1][:500]


def read_trial(folder: Path, name: str = TRIAL_FILE) -> dict[str, Any]:
    """What is known of the trial in ``folder``; nothing, if it has never been started."""
    path = folder / name
    return read_mapping(path) if path.is_file() else {}


def write_trial(folder: Path, record: Mapping[str, Any], name: str = TRIAL_FILE) -> None:
    """Write ``record`` as JSON, all of it or none of it."""
    write_whole(folder / name, json.dumps(dict(record), indent=2) + "\n")
