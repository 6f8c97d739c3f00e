"""Whole sweeps through train.py: ranks that agree, failures that stay local, kills that cost only what was running."""

import csv
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

SMALL = [
    "experiment=latent_gaussian", "experiment.num_samples=200", "source.x_dim=6", "source.y_dim=6", "logger=none",
    "estimator.max_epochs=2", "estimator.permutations=0", "estimator.hidden=[8]", "progress=false",
]  # fmt: skip
KSG = [
    "experiment=latent_gaussian",
    "estimator=gaussian",
    "experiment.num_samples=100",
    "logger=none",
    "progress=false",
]
RECORDER = """
import atexit, json, os, sys, pathlib
def record():
    place = os.environ["RECORD"]
    line = {"argv": sys.argv[1:], "rank": os.environ.get("LOCAL_RANK", "0"), "pid": os.getpid()}
    line["trains"] = "lightning.pytorch" in sys.modules
    pathlib.Path(place, f"{os.getpid()}.json").write_text(json.dumps(line))
if sys.argv and "RECORD" in os.environ:
    atexit.register(record)
"""


def sweep(starter, folder, *words, env=None, fails=False):
    ((code, said),) = starter.run(["-m", *words, f"hydra.sweep.dir={folder}"], cwd=folder.parent, env=env)
    assert (code != 0) == fails, said
    return said


def trials(folder):
    return {path.parent: json.loads(path.read_text()) for path in sorted(folder.glob("*/trial.json"))}


@pytest.mark.slow
def test_the_ranks_of_a_trial_share_one_config_and_one_folder(starter, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(RECORDER)
    records = tmp_path / "records"
    records.mkdir()
    folder = tmp_path / "sweep"
    words = ["estimator.learning_rate=2e-3", "trainer=ddp_cpu"]
    sweep(starter, folder, *SMALL, *words, env={"PYTHONPATH": str(tmp_path), "RECORD": str(records)})
    by_place = trials(folder)
    assert len(by_place) == 1
    processes = [json.loads(path.read_text()) for path in records.glob("*.json")]
    places = set()
    for place, record in by_place.items():
        assert record["status"] == "done", record
        ranks = {p["rank"]: p["argv"] for p in processes if any(str(place) in word for word in p["argv"])}
        assert set(ranks) == {"0", "1"}
        shared = [word for word in ranks["1"] if not word.startswith(("hydra.job.name=", "hydra.output_subdir="))]
        assert shared[: len(ranks["0"])] == ranks["0"]
        extra = shared[len(ranks["0"]) :]
        assert [word.replace('"', "'") for word in extra] == [f"hydra.run.dir='{place}'"]
        places.add(place)
        result = json.loads((place / "result.json").read_text())
        batch = re.search(r"batch_size: (\d+)", (place / "config.yaml").read_text())
        assert result["metrics"]["effective_batch_count"] == 2 * int(batch[1])
        assert len(list(place.glob("csv/version_*"))) == 1
    # Nothing ran anywhere else, and no process of the sweep trained outside its trial.
    assert not (tmp_path / "runs").exists() and not (tmp_path / "multirun").exists()
    assert {path for path in folder.iterdir() if path.is_dir() and path.name not in ("figures",)} == places


@pytest.mark.slow
def test_a_failed_trial_is_listed_the_rest_goes_on_and_the_tracker_groups_them(starter, tmp_path):
    folder = tmp_path / "my-sweep"
    words = [word for word in KSG if word != "logger=none"]
    out = sweep(starter, folder, *words, "experiment.num_samples=1,120", env={"WANDB_SILENT": "true"}, fails=True)
    done = next(place for place, record in trials(folder).items() if record["status"] == "done")
    (run,) = done.glob("wandb/offline-run-*/run-*.wandb")
    assert b"my-sweep" in run.read_bytes()
    statuses = {record["overrides"][2]: record for record in trials(folder).values()}
    assert [r["status"] for r in statuses.values()].count("done") == 1
    failed = next(r for r in statuses.values() if r["status"] == "failed")
    assert "experiment.num_samples=1" in failed["overrides"] and "greater than or equal to 2" in failed["error"]
    assert out.rstrip().endswith("error: 1 of 2 trials failed")
    assert "1 failed" in out and "greater than or equal to 2" in out
    with (folder / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and sum(bool(row["error"]) for row in rows) == 1
    assert "greater than or equal to 2" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_a_killed_sweep_reruns_only_what_is_missing(starter, tmp_path):
    folder = tmp_path / "sweep"
    words = [*KSG, "seed=0,1", f"hydra.sweep.dir={folder}"]
    number = starter.start("-m", *words, cwd=tmp_path)
    while not list(folder.glob("*/result.json")):
        assert Path(f"/proc/{number}").exists()
        time.sleep(0.05)
    os.kill(number, signal.SIGKILL)
    assert starter.wait(number)[0] == -signal.SIGKILL
    first = {path: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}
    assert len(first) == 1
    ((code, said),) = starter.run(["-m", *words], cwd=tmp_path)
    assert code == 0 and "2 done of 2 trials" in said
    assert len(list(folder.glob("*/result.json"))) == 2
    for path, written in first.items():
        assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["estimator.latnt_dim=2,4"], "did you mean 'latent_dim'?"),
        (["estimater=latent,ksg"], "did you mean 'estimator'?"),
        (["sweep.objectve=error_bits", "seed=0,1"], "did you mean 'objective'?"),
        (["sweep=optuna", "+sweep.study.space={estimator.latnt_dim:[2,4]}"], "did you mean 'latent_dim'?"),
    ],
)
def test_an_axis_that_is_not_in_the_config_is_refused_with_near_names(starter, tmp_path, words, message):
    ((code, said),) = starter.run(["-m", *words], cwd=tmp_path)
    assert code and message in said
    assert not list(tmp_path.glob("multirun/*/*"))


def test_the_same_command_finds_its_sweep_again_and_another_does_not():
    from lmi.sweep.trial import with_sweep_folder

    def folder(*words):
        return with_sweep_folder(words)[-1]

    assert folder("-m", "seed=0,1", "experiment=arrays") == folder("experiment=arrays", "seed=0,1", "-m")
    assert folder("-m", "seed=0,1") != folder("-m", "seed=0,2")
    assert folder("-m", "hydra.sweep.dir=here", "seed=0,1") == "seed=0,1"


@pytest.mark.parametrize("words", [["sweep=joblib"], ["sweep=optuna", "sweep.trials=3"]], ids=["joblib", "optuna"])
@pytest.mark.slow
def test_an_objective_that_is_no_metric_ends_the_sweep_after_its_first_result(starter, tmp_path, words):
    folder = tmp_path / "sweep"
    axes = [] if "sweep.trials=3" in words else ["seed=range(3)"]
    study = ["~sweep.study.space", "+sweep.study.space={experiment.num_samples:[100,120]}"] if not axes else []
    said = sweep(starter, folder, *words, *KSG, *axes, *study, "sweep.objective=estimate_bit", fails=True)
    assert "Traceback" not in said, said
    assert "no metric 'estimate_bit'" in said and "did you mean 'estimate_bits'?" in said
    assert 1 <= len(trials(folder)) <= 2
