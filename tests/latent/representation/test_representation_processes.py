"""Two processes with global negatives are one process with the double batch."""

import json

import numpy as np
import pytest
import torch

from lmi.latent.representation.gathering import gathered

WORDS = [
    "experiment=images", "estimator=representation", "source=bumps", "source.size=8", "logger=none", "progress=false",
    "experiment.num_samples=640", "estimator.permutations=0", "estimator.folds=0", "estimator.train_share=0.5",
    "estimator.stop_share=0.1", "estimator.max_epochs=8", "estimator.latent_dim=4", "estimator.learning_curve=false",
    "estimator.measure=ksg", "estimator.members=1", "estimator.augmentation=mirror", "trainer.precision=64-true",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cca", "cross", "infonce", "mine"])
def test_two_processes_train_as_one_with_the_double_batch(objective, starter, tmp_path):
    words = [*WORDS, f"estimator.objective={objective}"]
    one = starter.start(*words, "trainer=cpu", "estimator.batch_size=80", f"hydra.run.dir={tmp_path / 'one'}")
    two = starter.ranks(*words, "trainer=ddp_cpu", "estimator.batch_size=40", f"hydra.run.dir={tmp_path / 'two'}")
    curves, estimates = {}, {}
    for number in (one, *two):
        code, said = starter.wait(number)
        assert code == 0, said
    for name in ("one", "two"):
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
