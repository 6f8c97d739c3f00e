import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lmi.sweep.process import threads_per_trial, trial_environment
from lmi.sweep.trial import own_overrides, quoted, read_trial, run_trial, trial_folder

# A run that notes each start, reads its settings from the words, and leaves a result.
RUN = """
import json, pathlib, sys, time
words = dict(word.split("=", 1) for word in sys.argv[1:])
folder = pathlib.Path(words["hydra.run.dir"].strip("'"))
(folder / "config.yaml").write_text("")
with (folder / "starts").open("a") as starts:
    starts.write(words.get("resume", "fresh") + chr(10))
time.sleep(float(words.get("seconds", 0)))
if words.get("fails") and not (folder / "repaired").exists():
    sys.exit("error: it is broken")
csv = folder / "csv" / "version_0"
csv.mkdir(parents=True, exist_ok=True)
loss = float(words.get("loss", 1))
lines = ["epoch,stop_loss"]
for epoch in range(int(words.get("epochs", 0))):
    lines.append(f"{epoch},{loss}")
    (csv / "metrics.csv").write_text(chr(10).join(lines))
    time.sleep(0.25)
record = dict(experiment="x", metrics={"best_stop_loss": loss}, tables={}, captions={}, notes=[], facts={})
(folder / "result.json").write_text(json.dumps(record))
"""


@pytest.fixture
def command(tmp_path):
    (tmp_path / "run.py").write_text(RUN)
    return [sys.executable, str(tmp_path / "run.py")]


def starts(folder):
    return (folder / "starts").read_text().split()


def test_a_finished_trial_is_left_as_it_is_and_an_unfinished_one_goes_on(tmp_path, command):
    folder = tmp_path / "trial"
    assert run_trial(command, ["seed=1"], folder, os.environ)["status"] == "done"
    assert run_trial(command, ["seed=1"], folder, os.environ)["status"] == "done"
    assert starts(folder) == ["fresh"]
    (folder / "result.json").unlink()
    assert run_trial(command, ["seed=1"], folder, os.environ)["status"] == "done"
    assert starts(folder) == ["fresh", quoted(folder)]


def test_a_failed_trial_says_why_and_is_tried_again(tmp_path, command):
    folder = tmp_path / "trial"
    record = run_trial(command, ["fails=yes"], folder, os.environ)
    assert record["status"] == "failed" and record["error"] == "error: it is broken"
    assert read_trial(folder) == record
    (folder / "repaired").touch()
    assert run_trial(command, ["fails=yes"], folder, os.environ) | {"error": None} == read_trial(folder)
    assert read_trial(folder)["status"] == "done"


def test_a_trial_that_is_running_elsewhere_is_waited_for_and_not_started_twice(tmp_path, command):
    folder = tmp_path / "trial"
    threads = [
        threading.Thread(target=run_trial, args=(command, ["seconds=0.5"], folder, os.environ)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert starts(folder) == ["fresh"]


def test_a_killed_trial_names_the_signal(tmp_path, command):
    words = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    assert "SIGKILL" in run_trial(words, [], tmp_path / "trial", os.environ)["error"]


def test_nothing_outlives_a_killed_parent(tmp_path):
    child = (
        "import os, time; from lmi.sweep.process import die_with_parent; die_with_parent(); "
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    )
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    wait_for_the_end_of(pid)


@pytest.mark.slow
def test_no_worker_of_the_suites_outlives_a_killed_run(tmp_path):
    """A run with ``experiment.processes=2`` spawns its workers with multiprocessing, not as trials."""
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import multiprocessing, os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from lmi.experiments.benchmarks.accuracy.experiment import start_worker\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    with ProcessPoolExecutor(1, spawn, initializer=start_worker, initargs=(1,)) as workers:\n"
        "        print(workers.submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(60)\n"
    )
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, str(parent)], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": root}
    )
    pid = int(process.stdout.readline())
    process.terminate()
    process.wait()
    wait_for_the_end_of(pid)


def wait_for_the_end_of(pid):
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_names_of_folders_depend_on_the_overrides_alone():
    words = ["estimator.hidden=[8,8]", "source.x='a b/c'", "seed=0"]
    assert trial_folder(words)[-6:] == trial_folder(words[::-1])[-6:]
    assert trial_folder(words) != trial_folder([*words[:2], "seed=1"])
    assert not set(trial_folder(words)) & set("[],/' =")
    assert own_overrides(["sweep=optuna", "+sweep.x=1", "sweep.trial=4", "a=1"], with_trial=False) == ["a=1"]


def test_trials_share_the_cores_and_inherit_no_rank(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("SLURM_NTASKS", "2")
    cores = len(os.sched_getaffinity(0))
    environment = trial_environment("sweep", threads_per_trial(2, 1))
    assert environment["OMP_NUM_THREADS"] == str(max(1, cores // 2))
    assert "LOCAL_RANK" not in environment and "SLURM_NTASKS" not in environment
    assert environment["WANDB_RUN_GROUP"] == "sweep"
    assert threads_per_trial(-1, 1) == (1 if cores > 1 else None)


@pytest.mark.slow
def test_a_study_proposes_prunes_goes_on_and_refuses_another_space(tmp_path, command):
    pytest.importorskip("optuna")
    from lmi.sweep.study import Interval, Study

    study = Study({"loss": Interval(1.0, 2.0), "epochs": (1,)}, startup_trials=2, warmup_epochs=0)
    arguments = (command, ["seed=0"], "best_stop_loss", "minimize")

    def run(number, study=study, extra=()):
        command, overrides, objective, direction = arguments
        folder = tmp_path / "sweep" / f"trial-{number}"
        return study.run(number, command, [*overrides, *extra], folder, os.environ, objective, direction)

    records = [run(number) for number in range(3)]
    assert all(record["status"] == "done" for record in records)
    assert len({record["proposed"]["loss"] for record in records}) == 3
    again = [run(number) for number in range(3)]
    assert [record["proposed"] for record in again] == [record["proposed"] for record in records]
    stored = study.open(tmp_path / "sweep", "minimize")
    assert [trial.state.name for trial in stored.trials] == ["COMPLETE"] * 3
    assert stored.trials[1].value == pytest.approx(records[1]["proposed"]["loss"])

    with pytest.raises(ValueError, match="another search space"):
        Study({"loss": Interval(1.0, 3.0)}).open(tmp_path / "sweep", "minimize")
    with pytest.raises(ValueError, match="to minimize"):
        study.open(tmp_path / "sweep", "maximize")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "study.db").write_bytes(b"no database" * 100)
    with pytest.raises(ValueError, match="not an Optuna study"):
        study.open(tmp_path / "junk", "minimize")


@pytest.mark.slow
def test_a_hopeless_trial_is_pruned_by_its_stopping_loss(tmp_path, command):
    pytest.importorskip("optuna")
    from lmi.sweep.study import Study

    # The grid of trial numbers is the loss here: three good ones, then one far worse that would take 15 s.
    study = Study({"nothing": (0,)}, startup_trials=3, warmup_epochs=0)
    for number, words in enumerate([["loss=1", "epochs=2"]] * 3 + [["loss=9", "epochs=60"]]):
        folder = tmp_path / "sweep" / f"trial-{number}"
        record = study.run(number, command, words, folder, os.environ, "best_stop_loss", "minimize")
    assert record["status"] == "pruned" and record["seconds"] < 8
    assert [t.state.name for t in study.open(tmp_path / "sweep", "minimize").trials] == ["COMPLETE"] * 3 + ["PRUNED"]
    assert study.run(3, command, words, folder, os.environ, "best_stop_loss", "minimize")["status"] == "pruned"
