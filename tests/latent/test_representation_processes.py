"""Two processes with global negatives are one process with the double batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lmi.latent.gathering import gathered

ROOT = Path(__file__).parents[2]
WORDS = [
    "experiment=images", "estimator=representation", "source=bumps", "source.size=8", "logger=none", "progress=false",
    "experiment.num_samples=640", "estimator.permutations=0", "estimator.folds=0", "estimator.train_share=0.5",
    "estimator.stop_share=0.1", "estimator.max_epochs=8", "estimator.latent_dim=4", "estimator.learning_curve=false",
    "estimator.measure=ksg", "trainer.precision=64-true",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cca", "infonce", "mine"])
def test_two_processes_train_as_one_with_the_double_batch(objective, tmp_path):
    settings = {
        "one": ("trainer=cpu", "estimator.batch_size=80"),
        "two": ("trainer=ddp_cpu", "estimator.batch_size=40"),
    }
    curves, estimates = {}, {}
    for name, words in settings.items():
        command = [sys.executable, str(ROOT / "train.py"), *WORDS, f"estimator.objective={objective}", *words]
        done = subprocess.run(
            [*command, f"hydra.run.dir={tmp_path / name}"], capture_output=True, text=True, timeout=300,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        with np.load(tmp_path / name / "arrays.npz") as arrays:
            curves[name] = {key: arrays[key] for key in arrays.files if "loss" in key}
        estimates[name] = json.loads((tmp_path / name / "result.json").read_text())["metrics"]["estimate_nats"]
    assert set(curves["one"]) == {"train_loss_0", "stop_loss_0"}
    for name, curve in curves["one"].items():
        assert curve.size == 8 and np.abs(curve - curves["two"][name]).max() < 1e-5, name
    assert curves["one"]["train_loss_0"][-1] < curves["one"]["train_loss_0"][0] - 0.1
    assert estimates["one"] == pytest.approx(estimates["two"], abs=1e-5)


def test_one_process_gathers_nothing():
    z = torch.ones(3, 2, requires_grad=True)
    assert gathered(z, 1) is z
