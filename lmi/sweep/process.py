"""Processes that a sweep starts: what they inherit, how many threads they take, and that none outlives its parent."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import sys
from datetime import datetime
from functools import cache
from pathlib import Path

# Set by a launcher for one process of one job; a trial is a job of its own and must not think that it is a rank of another.
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
SWEEP_VARIABLE = "LMI_SWEEP"
PR_SET_PDEATHSIG = 1


def trial_environment(group: str, threads: int | None) -> dict[str, str]:
    """The environment of a trial: without ranks and SLURM steps, with the trackers' group and the number of threads.

    Args:
        group: what trackers file the trials of one sweep under.
        threads: for OpenMP and numba; ``None`` leaves them as they are.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in RANK_VARIABLES and not name.startswith(("SLURM_", "PMI_", "PMIX_"))
    }
    kept |= {SWEEP_VARIABLE: group, "WANDB_RUN_GROUP": group}
    if threads is not None:
        kept |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    return kept


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def trials_at_a_time(jobs: int) -> int:
    """How many trials run at a time; ``jobs`` below zero is joblib's way of saying as many as there are cores.

    >>> trials_at_a_time(3)
    3
    """
    return max(1, _cores() + 1 + jobs) if jobs < 0 else jobs


def threads_per_trial(jobs: int, processes: int) -> int | None:
    """Threads for each process of each of ``jobs`` trials at a time, so that together they take the cores there are.

    >>> threads_per_trial(1, 1) is None
    True
    """
    together = trials_at_a_time(jobs) * processes
    return None if together == 1 else max(1, _cores() // together)


def program() -> str:
    """How this program was called, for commands that a user is to type: ``lmi``, or ``python train.py``."""
    script = Path(sys.argv[0])
    return "lmi" if script.stem == "lmi" or script.parent.name == "lmi" else f"python {script.name}"


def is_child() -> bool:
    """Whether a sweep or the first rank of a run started this process."""
    return SWEEP_VARIABLE in os.environ or os.environ.get("LOCAL_RANK", "0") != "0"


def die_with_parent() -> None:
    """Ask Linux to kill this process with the one that started it, however that ends: nothing is left running."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def slurm_run_name() -> str | None:
    """A name for the run folder on which all ranks of a SLURM step agree, and the step itself after it was requeued."""
    if os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive") or "SLURM_STEP_ID" not in os.environ:
        return None
    return f"slurm-{os.environ['SLURM_JOB_ID']}-{os.environ['SLURM_STEP_ID']}"


@cache
def _own_name() -> str:
    """The time to the second, and an ending that no other run has; the same however often this process asks."""
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S}-{secrets.token_hex(4)}"


def run_name() -> str:
    """A name for the folder of a run that no other run has, or that all ranks of this one agree on.

    Raises:
        ValueError: where several nodes would have to agree and nothing tells them on what.
    """
    if name := slurm_run_name():
        return name
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun: the agent that started this process started the others, too
        job = os.environ["TORCHELASTIC_RUN_ID"]
        if job != "none":
            return f"torchrun-{job}"
        if os.environ.get("LOCAL_WORLD_SIZE") != os.environ.get("WORLD_SIZE"):
            raise ValueError(
                "torchrun over several nodes needs one folder for all: hydra.run.dir=..., or --rdzv-id=..."
            )
        return f"torchrun-{socket.gethostname()}-{os.getppid()}-{os.environ.get('MASTER_PORT')}"
    return _own_name()


def was_requeued() -> bool:
    """Whether SLURM has started this job before."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"
