"""The trials of a sweep, as their folders tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmi.files import RESULT_FILE, SWEEP_FILE, TRIAL_FILE, read_mapping
from lmi.results import Result, Scalar

SEED = "seed"


@dataclass(frozen=True)
class Trial:
    """One trial of a sweep, as its folder tells it.

    Args:
        name: of its folder.
        overrides: setting -> value, both as on the command line.
        status: done, failed, pruned or running.
        error: what a failed one said.
        seconds: it took.
        metrics: of a finished one.
    """

    name: str
    overrides: Mapping[str, str]
    status: str
    error: str
    seconds: float | None
    metrics: Mapping[str, Scalar]

    def metric(self, name: str) -> float | None:
        """A finite number among the metrics, or ``None``."""
        value = self.metrics.get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if is_number and value is not None else None


def is_sweep(folder: Path) -> bool:
    """Whether ``folder`` holds a sweep."""
    return (folder / SWEEP_FILE).is_file()


def read_trials(folder: Path) -> list[Trial]:
    """All trials in the folder of a sweep, in the order of their names."""
    trials = []
    for path in sorted(folder.glob(f"*/{TRIAL_FILE}")):
        record = read_mapping(path)
        place = path.parent
        words = [*record.get("overrides", []), *(f"{k}={v}" for k, v in record.get("proposed", {}).items())]
        pairs = (word.lstrip("+").partition("=") for word in words)
        done = (place / RESULT_FILE).is_file()
        trials.append(
            Trial(
                place.name,
                {key: value for key, _, value in pairs},
                "done" if done else record.get("status", "running"),
                record.get("error") or "",
                record.get("seconds"),
                Result.load(place).metrics if done else {},
            )
        )
    return trials


def swept_axes(trials: Sequence[Trial]) -> list[str]:
    """Settings that are not the same in all trials, seeds last."""
    keys = dict.fromkeys(key for trial in trials for key in trial.overrides)
    axes = [key for key in keys if len({trial.overrides.get(key) for trial in trials}) > 1]
    return sorted(axes, key=lambda key: key == SEED)
