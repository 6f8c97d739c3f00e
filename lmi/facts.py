"""What it takes to get the same numbers again: seed, command, versions, machine, and the files that a run reads."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lmi
from lmi.sweep.process import program

PACKAGES = ("torch", "lightning", "transformers", "numpy", "scipy", "scikit-learn", "hydra-core")
BLOCK = 2**20  # bytes
BLOCKS = 64


def facts(seed: int, seconds: float) -> dict[str, Any]:
    """The facts of a run of this process that took ``seconds``."""
    import torch

    return {
        "seed": seed,
        "command": " ".join([program(), *sys.argv[1:]]),
        "seconds": round(seconds, 2),
        "device": _device_used(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {"lmi": lmi.__version__, **{name: version(name) for name in PACKAGES}},
    }


def _device_used() -> str:
    """The GPU that this process has held anything on, else the processor."""
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.get_device_name()
    return platform.processor() or platform.machine()


def input_files(settings: Any) -> Iterator[Path]:
    """The files that settings, and settings inside them, say they read: objects with a method ``input_files``."""
    if callable(getattr(settings, "input_files", None)):
        yield from settings.input_files()
    if dataclasses.is_dataclass(settings):
        for field in dataclasses.fields(settings):
            yield from input_files(getattr(settings, field.name, None))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from input_files(value)
    elif isinstance(settings, (list, tuple)):
        for value in settings:
            yield from input_files(value)


def digest(path: Path) -> str:
    """What tells a file from another: its size and a digest of its bytes, of a large one 64 blocks spread over it."""
    size = path.stat().st_size
    value = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        is_large = size > BLOCKS * BLOCK
        starts = (i * (size - BLOCK) // (BLOCKS - 1) for i in range(BLOCKS)) if is_large else range(0, size, BLOCK)
        for start in starts:
            file.seek(start)
            value.update(file.read(BLOCK))
    return value.hexdigest()


def check_inputs(settings: Any, recorded: Mapping[str, Any] | None) -> dict[str, str]:
    """The digests of what ``settings`` read, which have to be those ``recorded`` when the run began.

    Raises:
        FileNotFoundError: for one that is not there.
        ValueError: for a file that has changed since, or was not read then.
    """
    paths = list(input_files(settings))
    for file in paths:
        if not file.is_file():
            raise FileNotFoundError(f"no file at {file}")
    digests = {str(path): digest(path) for path in paths}
    for path, value in digests.items():
        if recorded is not None and recorded.get(path) != value:
            known = "has changed since this run began" if path in recorded else "was not there when this run began"
            raise ValueError(f"{path} {known}, so there is nothing to go on with; start again in another folder")
    return digests
