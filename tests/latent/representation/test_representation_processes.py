"""Two processes with global negatives are one process with the double batch."""

import json

import numpy as np
import pytest
import torch

from lmi.latent.representation.encoders.step_dropout import StepDropout
from lmi.latent.representation.gathering import gathered

WORDS = [
    "experiment=images", "estimator=representation", "logger=none", "progress=false",
    "experiment.num_samples=640", "estimator.permutations=0", "estimator.folds=0", "estimator.train_share=0.5",
    "estimator.stop_share=0.1", "estimator.max_epochs=8", "estimator.latent_dim=4", "estimator.learning_curve=false",
    "estimator.measure=ksg", "estimator.members=1", "estimator.augmentation=mirror", "trainer.precision=64-true",
]  # fmt: skip


PICTURES = ["source=bumps", "source.size=8"]
SEQUENCES = [
    "source=hidden_chain", "source.length=6", "estimator.objective=infonce", "estimator.dropout=0.3",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cca", "cross", "infonce", "mine", "infonce of sequences with dropout"])
def test_two_processes_train_as_one_with_the_double_batch(objective, starter, tmp_path):
    case = SEQUENCES if "sequences" in objective else [*PICTURES, f"estimator.objective={objective}"]
    words = [*WORDS, *case]
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


def test_a_process_draws_the_dropout_masks_of_its_samples():
    z = torch.ones(6, 5)

    def masked(part: torch.Tensor, rank: int, world: int) -> torch.Tensor:
        layer = StepDropout()
        layer.share, layer.rank, layer.world = 0.5, rank, world
        layer.generator = torch.Generator().manual_seed(0)
        return layer(part)

    one = masked(z, 0, 1)
    for rank in range(2):
        torch.testing.assert_close(masked(z[rank::2], rank, 2), one[rank::2])
