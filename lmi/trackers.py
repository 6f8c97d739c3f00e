"""The loggers of a run, opened by the first who asks: Lightning takes seconds to import, and many runs train nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lmi.settings import build

CSV_FOLDER = "csv"


class Trackers(Sequence[Any]):
    """A CSV logger, and the logger of the config if it names one; both are opened when they are first asked for.

    Args:
        values: the whole config of the run; its ``logger`` names another tracker, or none.
        folder: of the run, which all of them write into.
    """

    def __init__(self, values: Mapping[str, Any], folder: Path) -> None:
        self._values, self._folder = values, folder

    @cached_property
    def _open(self) -> tuple[Any, ...]:
        from lightning.pytorch.loggers import CSVLogger

        # Flushed at every epoch: a study that prunes reads along.
        curves = CSVLogger(self._folder, name=CSV_FOLDER, flush_logs_every_n_steps=1)
        if "_target_" not in self._values["logger"]:
            return (curves,)
        # Whatever a config says, and wherever the folder was when it was written: trackers write into it.
        logger = build({**self._values["logger"], "save_dir": str(self._folder)}, "logger")
        # Lightning 2.6 hands W&B a setting that W&B 0.31 warns about in every run.
        getattr(logger, "_wandb_init", {}).pop("anonymous", None)
        logger.log_hyperparams(self._values)
        return curves, logger

    def for_result(self) -> Sequence[Any]:
        """What the result is logged to: the loggers, or a plain CSV file where no curve was logged and no logger is named."""
        if "_open" not in self.__dict__ and "_target_" not in self._values["logger"]:
            return (MetricsFile(self._folder),)
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def __getitem__(self, index: Any) -> Any:
        return self._open[index]


class MetricsFile:
    """One line of metrics where Lightning's CSV logger would write it.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / CSV_FOLDER / "version_0" / "metrics.csv"

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write the line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*metrics, "step"])
            writer.writeheader()
            writer.writerow({**metrics, "step": 0})

    def finalize(self, status: str) -> None:
        """Nothing is left to write."""
