"""Where and how training runs: the settings that reach the Lightning Trainer."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler
from pydantic import Field

from lmi.types import Context


@dataclass(frozen=True)
class TrainerSettings:
    """Devices, processes and precision, in Lightning's own words.

    Args:
        accelerator: ``auto`` takes a GPU where there is one.
        devices: how many devices or processes on a node.
        strategy: ``auto`` for one device, ``ddp`` for several.
        num_nodes: machines.
        precision: of the arithmetic in training; estimates are made in float64 whatever it is.
        profiler: writes where training spends its time to ``fit-profile.txt`` in the run folder.
    """

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    strategy: Literal["auto", "ddp"] = "auto"
    num_nodes: Annotated[int, Field(ge=1)] = 1
    precision: Literal["32-true", "64-true", "bf16-mixed", "16-mixed"] = "32-true"
    profiler: Literal["simple", "advanced", "pytorch"] | None = None

    def build(self, context: Context, max_epochs: int, callbacks: list[Callback]) -> Trainer:
        """A Trainer that logs to the context's loggers and nowhere else.

        Raises:
            ValueError: for a device that is not there, or more processes than cores.
        """
        if self.accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
            raise ValueError(
                f"trainer.accelerator={self.accelerator!r} but this machine has no CUDA device; use cpu or auto"
            )
        if self.accelerator != "cpu" and torch.cuda.is_available() and isinstance(self.devices, int):
            present = torch.cuda.device_count()
            if self.devices > present:
                raise ValueError(f"trainer.devices={self.devices} but this machine has {present} CUDA devices")
        cores = max(os.cpu_count() or 1, 2)
        on_cpu = self.accelerator == "cpu" or (self.accelerator == "auto" and not torch.cuda.is_available())
        if on_cpu and isinstance(self.devices, int) and self.devices > cores:
            raise ValueError(f"trainer.devices={self.devices} processes but this machine has {cores} cores")
        return Trainer(
            accelerator=self.accelerator,
            devices=self.devices,
            strategy=self.strategy,
            num_nodes=self.num_nodes,
            precision=self.precision,
            max_epochs=max_epochs,
            callbacks=callbacks,
            logger=list(context.loggers) or False,
            enable_checkpointing=context.folder is not None,
            enable_progress_bar=context.progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            default_root_dir=context.folder,
            profiler=self._profiler(context),
        )

    def _profiler(self, context: Context) -> Profiler | None:
        if self.profiler is None or context.folder is None:
            return None
        kinds = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}
        return kinds[self.profiler](dirpath=context.folder, filename="profile")


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Lightning without its announcements, for as long as the block lasts."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers: list[Any] = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Lightning 2.6 under torch 2.13 announces an internal deprecation of its own at every epoch.
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
        # An installed srun says nothing about whether this run wants SLURM.
        warnings.filterwarnings("ignore", message=".*srun. command is available.*")
        # Batches resume inside an epoch by what the loop has done, not by a state of their own.
        warnings.filterwarnings("ignore", message=".*resuming from a checkpoint that ended before the epoch.*")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
