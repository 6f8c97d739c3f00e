"""Checkpoints of a fit: the best weights, the point to go on from (also when SLURM preempts the job), the fitted model."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import threading
import zipfile
from abc import ABC
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from lmi.files import whole_file


class CurvedModule(LightningModule, ABC):
    """A module whose training curves are kept and stored with its weights: a value per epoch, ``stop_loss`` among them."""

    curves: dict[str, list[float]]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["curves"] = {name: list(curve) for name, curve in self.curves.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.curves = checkpoint["curves"]


class BestWeights(Callback):
    """Keeps the weights of the lowest stopping loss and puts them back when training ends."""

    def __init__(self) -> None:
        self.loss = float("inf")
        self.weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loss = float(trainer.callback_metrics["stop_loss"])
        if loss < self.loss:
            self.loss = loss
            self.weights = {name: value.detach().cpu().clone() for name, value in pl_module.state_dict().items()}

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.weights:
            raise RuntimeError("training never reached a finite stopping loss: lower the learning rate")
        pl_module.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"loss": self.loss, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.loss, self.weights = state_dict["loss"], state_dict["weights"]


class Preempted(SystemExit):
    """Training left because SLURM wants the machine; the job goes on later."""


class ResumePoint(Checkpoint):
    """Writes ``last.ckpt`` after every epoch, all of it or none of it; under SLURM also when the job is preempted.

    SIGUSR1, which SLURM sends ahead of the end (``#SBATCH --signal=USR1@120``), is answered between groups of batches, where
    nothing is half done: the processes agree, write ``last.ckpt``, ask for the job to be queued again, and leave.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.preempted = False
        self.on_slurm = "SLURM_JOB_ID" in os.environ and threading.current_thread() is threading.main_thread()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.on_slurm:
            signal.signal(signal.SIGUSR1, self._notice)

    def _notice(self, number: int, frame: object) -> None:
        self.preempted = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # After the last group of an epoch comes its validation, and then the checkpoint that is written anyway.
        if self.on_slurm and batch_idx + 1 < trainer.num_training_batches and self._agreed(trainer):
            self._write(trainer)
            self._requeue(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer)
        if self.on_slurm and self._agreed(trainer):
            self._requeue(trainer)

    def _agreed(self, trainer: Trainer) -> bool:
        return bool(trainer.strategy.reduce_boolean_decision(self.preempted, all=False))

    def _write(self, trainer: Trainer) -> None:
        partial = self.folder / "last.ckpt.partial"
        try:
            trainer.save_checkpoint(partial)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            raise OSError(f"cannot write {partial}: {error}; {self.folder / 'last.ckpt'} is as it was") from error
        if trainer.is_global_zero:
            os.replace(partial, self.folder / "last.ckpt")

    def _requeue(self, trainer: Trainer) -> None:
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            job = os.environ["SLURM_JOB_ID"]
            subprocess.run(["scontrol", "requeue", job], check=True)
        raise Preempted(f"preempted: {self.folder / 'last.ckpt'} is written and the job is queued again")


def require_checkpoint(path: Path, model: CurvedModule) -> None:
    """Refuse a checkpoint that is damaged or of another model.

    Raises:
        ValueError: which says what is wrong and what to do.
    """
    advice = "remove it to train from the start"
    # Training's checkpoints are zip archives; what is none could make torch's unpickler raise anything.
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is damaged or no checkpoint (not a whole zip archive); {advice}")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, KeyError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"{path} is damaged or no checkpoint ({reason}); {advice}") from error
    state = stored.get("state_dict") if isinstance(stored, dict) else None
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds no state_dict, so it is no checkpoint of training; {advice}")
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    for name in expected.keys() | shapes.keys():
        if expected.get(name) != shapes.get(name):
            raise ValueError(
                f"{path} is of another model: {name} has shape {shapes.get(name)}, expected {expected.get(name)}; {advice}"
            )


def save_model(model: CurvedModule, path: Path) -> None:
    """Weights, scaling and training curves as safetensors, all of it or none of it."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state: dict[str, Tensor] = {name: value.contiguous() for name, value in model.state_dict().items()}
    curves = {f"curves.{name}": torch.tensor(values, dtype=torch.float64) for name, values in model.curves.items()}
    with whole_file(path) as partial:
        try:
            save_file({**state, **curves}, partial)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def load_model(model: CurvedModule, path: Path) -> None:
    """Fill ``model`` from what ``save_model`` wrote.

    Raises:
        ValueError: if the file is damaged or of another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
        curves = {name: state.pop(f"curves.{name}").tolist() for name in model.curves}
    except (SafetensorError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged or not a fitted model ({error}); remove it to go on from last.ckpt"
        ) from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} is not a model of these settings: {error}") from error
    model.curves = curves
