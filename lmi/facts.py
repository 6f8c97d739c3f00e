"""What it takes to get the same numbers again: seed, command, versions, machine."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import Any

import lmi

PACKAGES = ("torch", "lightning", "transformers", "numpy", "scipy", "scikit-learn", "hydra-core")


def facts(seed: int, seconds: float) -> dict[str, Any]:
    """The facts of a run of this process that took ``seconds``."""
    import torch

    return {
        "seed": seed,
        "command": " ".join(["python", *sys.argv]),
        "seconds": round(seconds, 2),
        "device": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {"lmi": lmi.__version__, **{name: version(name) for name in PACKAGES}},
    }
