"""The command line, end to end in processes of its own: run folder, tracker, two processes, kills, imports."""

import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lmi.results import Result

ROOT = Path(__file__).parents[1]
SMALL = (
    "experiment.num_samples=1500",
    "estimator.hidden=[32]",
    "estimator.max_epochs=6",
    "estimator.permutations=5",
    "source.x_dim=20",
    "source.y_dim=20",
)


def command(*overrides):
    return [sys.executable, str(ROOT / "train.py"), *overrides]


def environment():
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "PYTEST"))}
    return {**keep, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}


def wandb_records(path):
    """The records of an offline W&B file: a 7-byte header, then LevelDB's log in blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, position, parts = path.read_bytes(), 7, []
    while position + 7 <= len(data):
        room = 32768 - position % 32768
        if room < 7:
            position += room
            continue
        length, kind = struct.unpack("<HB", data[position + 4 : position + 7])
        if kind == 0:
            position += room
            continue
        parts.append(data[position + 7 : position + 7 + length])
        position += 7 + length
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(b"".join(parts))
            parts = []
            yield record


@pytest.fixture(scope="module")
def finished(starter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    ((code, said),) = starter.run([*SMALL, "hydra.run.dir=run"], cwd=folder)
    assert code == 0, said
    return folder / "run", said


@pytest.mark.slow
def test_a_run_leaves_a_folder_a_person_and_a_program_can_read(finished):
    folder, said = finished
    result = Result.load(folder)
    assert {"estimate_nats", "estimate_bits", "truth_nats", "truth_bits", "error_bits", "interval_low_nats"} <= set(
        result.metrics
    )
    assert result.answer.startswith("X and Y share ")
    assert result.verdict == result.metrics["verdict"] in ("reliable", "doubtful", "abstain")
    assert result.verdict.lower() in said.lower()
    assert result.metrics["truth_bits"] == pytest.approx(0.40368, abs=1e-5)
    assert abs(result.metrics["error_bits"]) < 0.2
    assert set(result.figures) == {"comparison", "pointwise", "latents", "training"}
    assert np.isnan(result.arrays["pointwise_nats"]).sum() == 750
    assert {"seed", "versions", "device", "seconds", "command"} <= set(result.facts)
    for name in ("config.yaml", "result.json", "arrays.npz", "report.html", "checkpoints/model.safetensors"):
        assert (folder / name).is_file(), name
    assert "${" not in (folder / "config.yaml").read_text()
    curves = (folder / "csv" / "version_0" / "metrics.csv").read_text()
    assert "stop_loss" in curves.splitlines()[0]
    for word in (
        "X and Y share ",
        "estimate (latent)",
        "truth",
        "error",
        "KSG on the true variables",
        "shuffled pairs",
        "report:",
    ):
        assert word in said
    assert "Traceback" not in said and "Warning" not in said


def test_wandb_holds_config_curves_metrics_figures_and_table(finished):
    folder, _ = finished
    files = list(folder.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 1
    config, history, summary = set(), set(), set()
    for record in wandb_records(files[0]):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            config |= {item.key for item in record.run.config.update}
        if kind == "config":
            config |= {item.key for item in record.config.update}
        if kind == "history":
            history |= {item.key or ".".join(item.nested_key) for item in record.history.item}
        if kind == "summary":
            summary |= {item.key or ".".join(item.nested_key) for item in record.summary.update}
    assert "estimator" in {key.split("/")[0] for key in config}
    assert {"stop_loss", "train_loss", "estimate_bits", "truth_bits"} <= history
    assert any(key.startswith("figures/comparison") for key in history)
    assert any(key.startswith("tables/estimate") for key in history)
    assert {"answer", "verdict"} <= summary


@pytest.mark.slow
def test_a_finished_folder_is_not_overwritten(starter, finished):
    folder, _ = finished
    before = (folder / "result.json").read_bytes()
    ((code, said),) = starter.run([*SMALL, "hydra.run.dir=run"], cwd=folder.parent)
    assert code == 1 and "holds a finished run" in said
    assert (folder / "result.json").read_bytes() == before


@pytest.mark.slow
def test_two_processes_give_one_folder_one_wandb_run_and_the_same_number(starter, finished, tmp_path):
    folder, _ = finished
    single = Result.load(folder).metrics["estimate_bits"]
    words = [*SMALL, "trainer=ddp_cpu", "estimator.batch_size=128", f"hydra.run.dir={tmp_path / 'run'}"]
    for rank in starter.ranks(*words):
        code, said = starter.wait(rank)
        assert code == 0, said
    double = Result.load(tmp_path / "run").metrics["estimate_bits"]
    assert double == pytest.approx(single, abs=0.03)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert len(list((tmp_path / "run").glob("wandb/offline-run-*"))) == 1
    assert len(list((tmp_path / "run" / "csv").iterdir())) == 1


LONG = (*SMALL, "estimator.max_epochs=60", "logger=none")


def start_and_wait_for_epoch(starter, folder, epoch, *more):
    process = starter.start(*LONG, *more, f"hydra.run.dir={folder}")
    last = folder / "checkpoints" / "last.ckpt"
    seen, deadline = set(), time.monotonic() + 120
    while len(seen) < epoch and time.monotonic() < deadline:
        if last.is_file():
            seen.add(last.stat().st_mtime_ns)
        time.sleep(0.005)
    assert len(seen) >= epoch, "training never wrote its checkpoints"
    return process


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_number(starter, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    process = start_and_wait_for_epoch(starter, broken, 3)
    os.kill(process, signal.SIGKILL)
    assert starter.wait(process)[0] == -signal.SIGKILL
    assert not (broken / "result.json").exists()
    ((code, said),) = starter.run([*LONG, f"hydra.run.dir={broken}"])
    assert code and "holds an unfinished run; go on with resume=" in said
    ends = starter.run([f"resume={broken}"], [*LONG, f"hydra.run.dir={whole}"])
    assert [code for code, _ in ends] == [0, 0], ends
    first, second = (Result.load(folder) for folder in (whole, broken))
    assert second.metrics["estimate_nats"] == first.metrics["estimate_nats"]
    np.testing.assert_array_equal(second.arrays["stop_loss"], first.arrays["stop_loss"])


def test_ctrl_c_leaves_a_readable_folder_and_says_how_to_go_on(starter, tmp_path):
    folder = tmp_path / "run"
    process = start_and_wait_for_epoch(starter, folder, 2, "estimator.max_epochs=3000", "estimator.patience=3000")
    os.kill(process, signal.SIGINT)
    code, said = starter.wait(process)
    assert code == 1
    assert "interrupted; go on with: python train.py resume=" in said
    assert "Traceback" not in said
    assert (folder / "config.yaml").is_file()
    assert (folder / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
def test_own_arrays_have_no_truth_and_the_report_says_so(starter, tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(600, 3))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x[:, :1] + generator.normal(size=(600, 1)))
    words = [
        "experiment=arrays",
        "source.x=x.npy",
        "source.y=y.npy",
        "estimator=ksg",
        "logger=none",
        "hydra.run.dir=run",
    ]
    ((code, said),) = starter.run(words, cwd=tmp_path)
    assert code == 0, said
    result = Result.load(tmp_path / "run")
    assert "truth_bits" not in result.metrics
    assert "Nobody knows the true mutual information" in (tmp_path / "run" / "report.html").read_text()
    assert result.metrics["estimate_bits"] > 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("experiment=arrays source.x=nowhere.npy source.y=nowhere.npy", "no file at nowhere.npy"),
        ("estimator.latnt_dim=3", "no 'latnt_dim' in estimator; did you mean 'latent_dim'?"),
        ("estimator.latent_dim=three", "experiment.estimator.latent_dim: got 'three'"),
        ("resume=no/such/folder", "nothing to resume"),
        ("resume=", "resume=: expected the folder of a run"),
        ("resume=[a,b]", "expected the folder of a run"),
        ("-m seed=range(0,0)", "seed: a sweep over no value"),
        ("-m estimator=ksg,gausian", "estimator=gausian: no such choice; did you mean 'gaussian'?"),
        ("experiment=accuracy experiment.estimators=[]", "experiment.estimators: got"),
        ("experiment=arrays", "error: source.x has no value"),
        ("estimator.latent_dim=0", "experiment.estimator.latent_dim: got 0"),
        ("estimator.learning_rate=1e10", "experiment.estimator.learning_rate: got 10000000000.0"),
        ("seed=abc", "seed: got 'abc' (str): expected a whole number"),
        ("estimator=latnet", "estimator=latnet: no such choice; did you mean 'latent'?"),
        ("--cfg=job estimator=latnet", "estimator=latnet: no such choice; did you mean 'latent'?"),
        ("estimater=ksg", "no 'estimater' in the config; did you mean 'estimator'?"),
        (
            "experiment=pairwise estimator=ksg",
            "experiment=pairwise reads no estimator; its own setting is experiment.est",
        ),
        ("-m experiment=modules estimator=ksg,gaussian", "estimator=ksg: experiment=modules reads no estimator"),
        ("estimator=[ksg,gaussian]", "expected one choice; a sweep has several: -m estimator=a,b"),
        ("estimator={a:1}", "expected one choice"),
        ("~estimator", "Interpolation key 'estimator' not found"),
        ("plugins=os", "plugins=os: expected a list of packages, plugins=[os]"),
        ("--config-dir=/nowhere", "--config-dir: no folder at /nowhere"),
        ("experiment=pairwise activations=arrays activations.files=x.csv", "expected a list, such as [a,b]"),
        ("experiment=pairwise model.name=there.txt", "'there.txt' is a file; expected the folder of a model"),
        ("figures=bmp", "figures=bmp: expected one of png, pdf, svg"),
        ("trainer.devices=-3", "trainer.devices: got -3"),
        ("hydra.run.dir=", "hydra.run.dir is empty; expected a folder"),
        ("seed=${nope}", "Interpolation key 'nope' not found"),
        ("estimator._target_=subprocess.run", "'subprocess.run' is outside lmi"),
        ("'", "override_grammar"),
    ],
)
def test_bad_commands_end_with_a_clear_line(starter, tmp_path, overrides, message):
    (tmp_path / "there.txt").write_text("hello")
    ((code, said),) = starter.run([*overrides.split(), "logger=none"], cwd=tmp_path)
    assert code == 1
    assert message in said
    lines = said.splitlines()
    assert len(lines) == 2 and lines[0].startswith("error: "), said  # the mistake, and how to see where
    assert not list(tmp_path.glob("**/config.yaml"))


def test_help_is_fast():
    def taken():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = taken()
    done = subprocess.run(command("--help"), env=environment(), capture_output=True, text=True, check=True)
    assert taken() - before < 3  # seconds of the processor, whatever else is running
    assert "latent_gaussian" in done.stdout


@pytest.mark.slow
def test_importing_lmi_loads_no_framework():
    code = "import sys, json, lmi; lmi.estimate; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "torch" in loaded
    assert not loaded & {"lightning", "pytorch_lightning", "hydra", "wandb", "transformers", "numba", "matplotlib"}
