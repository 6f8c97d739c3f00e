"""Two processes are one process with twice the batch; a preempted fit is the undisturbed one."""

import json
import os
import signal
import socket
import time

import numpy as np
import pytest
import torch

from lmi.latent import LatentEstimator
from lmi.latent.autoencoder import PairedAutoencoder
from lmi.latent.checkpoints import require_checkpoint
from lmi.types import Context

SMALL = [
    "experiment=latent_gaussian", "source.x_dim=10", "source.y_dim=10", "logger=none", "estimator.permutations=0",
    "estimator.hidden=[16]", "estimator.latent_dim=2", "progress=false",
]  # fmt: skip


def finish(starter, *numbers):
    for number in numbers:
        code, said = starter.wait(number)
        assert code == 0, said


def metrics(folder):
    return json.loads((folder / "result.json").read_text())["metrics"]


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_double_batch(starter, tmp_path):
    words = [
        *SMALL, "experiment.num_samples=256", "estimator.train_share=0.25", "estimator.stop_share=0.25",
        "estimator.cross_dropout=0", "estimator.max_epochs=20", "trainer.precision=64-true",
    ]  # fmt: skip
    one = starter.start(*words, "trainer=cpu", "estimator.batch_size=64", f"hydra.run.dir={tmp_path / 'one'}")
    two = starter.ranks(*words, "trainer=ddp_cpu", "estimator.batch_size=32", f"hydra.run.dir={tmp_path / 'two'}")
    finish(starter, one, *two)
    curves, estimates = {}, {}
    for name in ("one", "two"):
        curves[name] = np.load(tmp_path / name / "arrays.npz")["stop_loss"]
        assert metrics(tmp_path / name)["effective_batch_count"] == 64
        estimates[name] = metrics(tmp_path / name)["estimate_nats"]
    assert curves["one"].size == 20
    assert np.abs(curves["one"] - curves["two"]).max() < 1e-4
    assert curves["one"][-1] < curves["one"][0]
    assert estimates["one"] == pytest.approx(estimates["two"], abs=1e-4)


@pytest.mark.slow
def test_two_nodes_give_the_number_of_two_devices_of_one(starter, tmp_path):
    """Both nodes are this machine; each runs the same command, as a cluster's launcher would start it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        cluster = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    words = [
        *SMALL, "experiment.num_samples=400", "estimator.batch_size=32", "estimator.max_epochs=3", "trainer=ddp_cpu"
    ]  # fmt: skip
    nodes = ["trainer.devices=1", "trainer.num_nodes=2", f"hydra.run.dir={tmp_path / 'nodes'}"]
    started = [starter.start(*words, *nodes, env=cluster | {"NODE_RANK": str(rank)}) for rank in (0, 1)]
    finish(starter, *started, *starter.ranks(*words, f"hydra.run.dir={tmp_path / 'devices'}"))
    one, two = metrics(tmp_path / "devices"), metrics(tmp_path / "nodes")
    assert two["effective_batch_count"] == 64
    assert two["estimate_nats"] == one["estimate_nats"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["devices", "nodes"]
    assert len(list((tmp_path / "nodes" / "csv").iterdir())) == 1


@pytest.mark.slow
def test_a_fit_preempted_inside_an_epoch_ends_like_the_undisturbed_one(starter, tmp_path):
    """SIGUSR1 under SLURM, with a ``scontrol`` that only notes that it was asked."""
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/requeued\n')
    (tmp_path / "scontrol").chmod(0o755)
    words = [*SMALL, "experiment.num_samples=4000", "estimator.batch_size=8", "estimator.max_epochs=3", "trainer=cpu"]
    slurm = {"SLURM_JOB_ID": "7", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    folder = tmp_path / "preempted"
    process = starter.start(*words, f"hydra.run.dir={folder}", env=slurm)
    deadline = time.monotonic() + 120
    while not (folder / "checkpoints" / "last.ckpt").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process, signal.SIGUSR1)
    code, said = starter.wait(process)
    assert code != 0 and "the job is queued again" in said
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    progress = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["loops"]["fit_loop"]
    done = progress["epoch_loop.batch_progress"]["current"]["completed"]
    steps = 4000 * 4 // 10 // 8
    assert progress["epoch_progress"]["current"]["completed"] < 3 and done <= steps
    again = starter.start(*words, f"hydra.run.dir={folder}", env=slurm | {"SLURM_RESTART_COUNT": "1"})
    finish(starter, again, starter.start(*words, f"hydra.run.dir={tmp_path / 'whole'}"))
    assert metrics(folder)["estimate_nats"] == pytest.approx(metrics(tmp_path / "whole")["estimate_nats"], abs=1e-6)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"junk"), "damaged or no checkpoint"),
        (lambda path: path.write_bytes(path.read_bytes()[:-3000]), "damaged or no checkpoint"),
        (lambda path: torch.save({"weights": torch.zeros(2)}, path), "no state_dict"),
        (lambda path: torch.save({"state_dict": {"x_mean": torch.zeros(9)}}, path), "another model"),
    ],
)
def test_a_damaged_or_foreign_checkpoint_is_refused_with_what_to_do(tmp_path, damage, message):
    context = Context(folder=tmp_path)
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(200, 3, generator=g), torch.randn(200, 3, generator=g)
    estimator = LatentEstimator(hidden=(8,), latent_dim=2, max_epochs=1, permutations=0)
    estimator.estimate(x, y, context)
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    require_checkpoint(checkpoint, PairedAutoencoder(3, 3, estimator, context))
    (tmp_path / "checkpoints" / "model.safetensors").unlink()
    damage(checkpoint)
    with pytest.raises(ValueError, match=rf"last.ckpt.*{message}.*remove it"):
        estimator.estimate(x, y, context)


def test_a_damaged_model_is_refused_by_name(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.safetensors").write_bytes(os.urandom(300))
    z = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
        LatentEstimator(hidden=(8,), permutations=0).estimate(z, z, Context(folder=tmp_path))


@pytest.mark.slow
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(starter, tmp_path):
    """No file may grow beyond 30 kB, which the checkpoint needs to: the write fails as on a full disk."""
    folder = tmp_path / "run"
    words = [*SMALL, "experiment.num_samples=200", "estimator.max_epochs=2", "trainer=cpu", f"hydra.run.dir={folder}"]
    code, said = starter.wait(starter.start(*words, file_bytes=30_000))
    assert code != 0
    assert "cannot write" in said and str(folder / "checkpoints" / "last.ckpt") in said
    assert "Traceback" not in said
    assert not list(folder.rglob("*.partial"))
    assert "seed: 0" in (folder / "config.yaml").read_text() and not (folder / "result.json").exists()
    finish(starter, starter.start(*words, f"resume={folder}"))
    assert metrics(folder)["epochs"] == 2
