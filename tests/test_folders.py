"""Run folders: no two runs in one, what a run may go on with, and what a damaged or foreign folder can do."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lmi.facts import check_inputs, digest, input_files
from lmi.files import locked, read_mapping
from lmi.report.page import write_report
from lmi.results import Result
from lmi.run import one_line_errors, refuse_overrides, run
from lmi.sources.files.array_layers import ArrayLayers
from lmi.sources.files.arrays import Arrays
from lmi.sources.files.shards import GaussianShards
from lmi.sources.files.tables import read_file
from lmi.sweep.process import run_name

ROOT = Path(__file__).parents[1]
QUICK = [
    "estimator=gaussian",
    "estimator.permutations=0",
    "experiment.num_samples=100",
    "logger=none",
    "progress=false",
]
HOLD = (
    "import sys, time; from pathlib import Path; from lmi.files import locked\n"
    "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


@pytest.fixture(scope="module")
def runs(starter, tmp_path_factory):
    """A function that starts commands side by side in one folder and gives the exit code and the words of each."""
    place = tmp_path_factory.mktemp("runs")
    return place, lambda *commands: starter.run(*([*words, *QUICK] for words in commands), cwd=place)


@pytest.mark.slow
def test_runs_started_at_once_have_a_folder_each_and_the_numbers_of_their_undisturbed_twins(runs):
    """Four here; twenty were tried by hand."""
    place, start = runs
    ends = start(*([f"seed={seed}"] for seed in range(4)))
    assert [code for code, _ in ends] == [0] * 4, ends
    folders = [path.parent for path in place.glob("runs/*/*/result.json")]
    result = {Result.load(folder).facts["seed"]: Result.load(folder).metrics["estimate_nats"] for folder in folders}
    assert len(folders) == 4 and sorted(result) == list(range(4)) and len(set(result.values())) == 4
    assert not list(place.glob("**/run.lock"))
    ends = start(["seed=1", "hydra.run.dir=same"], ["seed=2", "hydra.run.dir=same"], ["seed=3", "hydra.run.dir=same"])
    assert sorted(code for code, _ in ends) == [0, 1, 1]
    assert all("a run is alive in" in said or "holds a finished run" in said for code, said in ends if code)
    kept = Result.load(place / "same")
    assert kept.metrics["estimate_nats"] == result[kept.facts["seed"]]


def test_a_name_is_one_process_s_own_or_shared_by_all_ranks(monkeypatch):
    assert run_name() == run_name()
    code = "from lmi.sweep.process import run_name; print(run_name())"
    names = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        for _ in range(2)
    ]
    fresh = {done.stdout for done in names}
    assert len(fresh) == 2
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert run_name().startswith("torchrun-")
    monkeypatch.setenv("WORLD_SIZE", "8")
    with pytest.raises(ValueError, match="one folder for all"):
        run_name()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "7")
    assert run_name() == "torchrun-7"
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    monkeypatch.delenv("SLURM_JOB_NAME", raising=False)
    assert run_name() == "slurm-5-0"


def test_the_lock_of_a_living_process_holds_and_that_of_a_dead_one_is_taken_over(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match=rf"a run is alive in .*process {holder.pid} on"), locked(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run.lock").is_file()
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / "run.lock").read_text()
    assert not list(tmp_path.iterdir())


def test_many_at_once_take_the_lock_one_after_the_other(tmp_path):
    code = (
        "import sys, os; from pathlib import Path; from lmi.files import locked\n"
        "folder, taken = Path(sys.argv[1]), 0\n"
        "while taken < 30:\n"
        "    try:\n"
        "        with locked(folder):\n"
        "            os.close(os.open(folder / 'alone', os.O_CREAT | os.O_EXCL)); os.unlink(folder / 'alone'); taken += 1\n"
        "    except ValueError: pass\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=os.environ | {"PYTHONPATH": str(ROOT)})
        for _ in range(3)
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]


@pytest.mark.slow
def test_a_run_goes_on_only_as_it_began(runs):
    place, start = runs
    rng = np.random.default_rng(0)
    for name in ("x", "y"):
        np.save(place / f"{name}.npy", rng.normal(size=(200, 2)))
    words = ["experiment=arrays", "source.x=x.npy", "source.y=y.npy"]

    def end(*more):
        (place / "run" / "result.json").unlink(missing_ok=True)
        return start([*words, *more])[0]

    assert end("hydra.run.dir=run")[0] == 0
    code, said = end("hydra.run.dir=run")
    assert code and "holds an unfinished run; go on with resume=" in said
    code, said = end("resume=run", "seed=3")
    assert code and "seed is 0 in the run to resume; got 3" in said
    code, said = end("resume=run")
    assert code == 0, said
    code, said = start(["estimate", "x.npy", "y.npy"])[0]
    assert code == 0 and said.lstrip().startswith("X and Y share "), said
    np.save(place / "y.npy", rng.normal(size=(200, 2)))
    code, said = end("resume=run")
    assert code and "error: y.npy has changed since this run began" in said
    (place / "run" / "config.yaml").write_text("a: [1")
    code, said = end("resume=run")
    assert code and "config.yaml is damaged" in said and "Traceback" not in said
    (place / "run" / "config.yaml").write_text("seed: 0")
    code, said = end("resume=run", "seed=0")
    assert code and "Traceback" not in said


@pytest.mark.parametrize("folder", ["/proc/nowhere/run", "/dev/null/run"])
def test_a_folder_that_cannot_be_written_is_named(runs, folder):
    code, said = runs[1]([f"hydra.run.dir={folder}"])[0]
    assert code and said.startswith("error: ") and folder.rpartition("/")[0] in said and "Traceback" not in said


def test_overrides_beside_resume_have_to_say_what_is_stored():
    stored = {"seed": 0, "estimator": {"_target_": "a", "k": 3}, "name": "x"}
    refuse_overrides(stored, stored, ["seed", "estimator", "+estimator.k", "hydra"])
    with pytest.raises(ValueError, match=r"estimator.k is 3 in the run to resume; got 5"):
        refuse_overrides(stored, stored | {"estimator": {"_target_": "a", "k": 5}}, ["estimator"])
    with pytest.raises(ValueError, match=r"extra is None in the run to resume; got 1"):
        refuse_overrides(stored, stored | {"extra": 1}, ["+extra"])


def test_files_are_told_apart_by_their_bytes(tmp_path):
    large = tmp_path / "large.npy"
    with large.open("wb") as file:
        file.truncate(100 * 2**20)
    before = digest(large)
    with large.open("r+b") as file:
        file.seek(100 * 2**20 - 1)
        file.write(b"\1")
    assert digest(large) != before
    np.savez(tmp_path / "a.npz", x=np.zeros(3), y=np.ones(3))
    settings = [{"s": Arrays(f"{tmp_path}/a.npz:x", f"{tmp_path}/a.npz:y")}, ArrayLayers((str(large),))]
    assert {path.name for path in input_files(settings)} == {"a.npz", "large.npy"}
    recorded = check_inputs(settings, None)
    assert check_inputs(settings, recorded) == recorded
    with pytest.raises(ValueError, match="was not there when this run began"):
        check_inputs(settings, {})


def test_shards_made_here_are_inputs_like_any_other(tmp_path):
    made = GaussianShards(str(tmp_path / "shards"), 50, x_dim=3, y_dim=3, shard_rows=30)
    recorded = check_inputs(made, None)
    assert {Path(path).name for path in recorded} == {f"{s}-{i:05d}.safetensors" for s in "xy" for i in range(2)}
    assert check_inputs(made, recorded) == recorded
    shard = tmp_path / "shards" / "x-00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match=r"x-00001.safetensors has changed since this run began"):
        check_inputs(made, recorded)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet", ".h5ad", ".csv"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_refused_in_words(tmp_path, suffix, kept):
    path = tmp_path / f"x{suffix}"
    values = np.random.default_rng(0).normal(size=(200, 3))
    write(path, values)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    if suffix == ".csv" and kept:  # cut inside a row, which has fewer fields then; whole rows that lack nobody can miss
        path.write_bytes(path.read_bytes().rpartition(b",")[0])
    with pytest.raises(ValueError, match=rf"cannot read .*x\{suffix}"):
        read_file(str(path))


def write(path, values):
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".npz":
        np.savez_compressed(path, x=values)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({"x": values}, path)
    elif path.suffix == ".h5ad":
        pytest.importorskip("anndata").AnnData(values).write_h5ad(path)
    else:
        import pandas

        frame = pandas.DataFrame(values, columns=list("abc"))
        frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False, lineterminator="\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is damaged"), ("[1]", "holds a list"), ("\xff", "is damaged"), ('{"tables": 3}', "tables is a int"),
     ('{"tables": {"a": [1]}}', "something else than rows"), ("[" * 100000, "is damaged")],
)  # fmt: skip
def test_a_broken_result_is_named(tmp_path, text, message):
    (tmp_path / "result.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"result.json.*{message}"):
        Result.load(tmp_path)


def test_a_yaml_builds_nothing(tmp_path):
    (tmp_path / "config.yaml").write_text("a: !!python/object/apply:os.system ['touch ran']")
    with pytest.raises(ValueError, match="is damaged"):
        read_mapping(tmp_path / "config.yaml")


def test_a_foreign_result_puts_no_file_of_this_machine_into_its_report(tmp_path):
    secret, folder = tmp_path / "secret.png", tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    secret.write_bytes(b"secret bytes")
    (tmp_path / "id_rsa").write_text("secret key")
    (folder / "figures" / "linked.png").symlink_to(secret)
    (folder / "config.yaml").symlink_to(tmp_path / "id_rsa")
    (folder / "figures" / "fine.png").write_bytes(b"fine")
    names = ["../../secret", str(tmp_path / "secret"), "linked", "fine", "<script>alert(1)</script>"]
    record = {
        "experiment": "<b>x</b>",
        "metrics": {},
        "tables": {},
        "captions": {name: "<i>c</i>" for name in names},
        "notes": [],
        "facts": {},
    }
    (folder / "result.json").write_text(json.dumps(record))
    html = write_report(folder).read_text()
    assert set(Result.load(folder).figures) == {"fine"}
    assert "c2VjcmV0" not in html and "secret key" not in html
    assert "<b>x</b>" not in html and "<i>c</i>" not in html and "<script>" not in html


class Ran:
    """Says that it was unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"experiment": {"_target_": "lightning.fabric.utilities.cloud_io._load", "path_or_url": "evil.pt"}}, "is outside lmi"),
        ({"experiment": {"_target_": "os.system", "command": "touch ran"}}, "is outside lmi"),
        ({"experiment": {"_target_": "evil.Run"}, "plugins": ["evil"]}, "is outside lmi"),
        ({"experiment": {"_target_": "lmi.run.yaml.unsafe_load", "stream": "x"}}, "nothing importable"),
        ({"experiment": {"_target_": "lmi.settings.importlib.import_module", "name": "evil"}}, "nothing importable"),
        ({"experiment": {"_target_": "lmi.types.Context"}}, "expected one with run"),
        ({"logger": {"_target_": "lightning.pytorch.loggers.MLFlowLogger"}}, "is none of light"),
        ({"logger": {"_target_": "lightning.pytorch.loggers.TensorBoardLogger", "name": "../../x"}}, "no path out of the run"),
        ({"logger": {"_target_": "lightning.pytorch.loggers.WandbLogger", "settings": {"base_url": 1}}}, "some of"),
        ({"source": 0, "experiment": {"source": {"x": "../secret.npy"}}}, "was not there when this run began"),
        ({"logger": 3}, "logger is a int"),
        ({"experiment": [1]}, "experiment is a list"),
        ({"progress": {"_target_": "evil.Run"}}, "progress"),
        ({"name": ["x"]}, "name"),
    ],
)  # fmt: skip
def test_a_hostile_folder_executes_nothing_and_reads_nothing_outside(tmp_path, monkeypatch, change, message):
    rng = np.random.default_rng(0)
    for name in ("x.npy", "y.npy", "secret.npy"):
        np.save(tmp_path / name, rng.normal(size=(100, 2)))
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "evil.py").write_text("import pathlib; pathlib.Path('ran').touch()")
    torch.save(Ran(folder / "ran"), folder / "evil.pt")
    experiment = {
        "_target_": "lmi.experiments.estimate.EstimateExperiment",
        "source": {"_target_": "lmi.sources.files.arrays.Arrays", "x": "../x.npy", "y": "../y.npy"},
        "estimator": {"_target_": "lmi.estimators.gaussian.estimator.GaussianEstimator"},
    }
    change = dict(change)
    if change.pop("source", None) is not None:
        change["experiment"] = {**experiment, "source": experiment["source"] | change["experiment"]["source"]}
    (folder / "inputs.json").write_text(
        json.dumps({f"../{name}.npy": digest(tmp_path / f"{name}.npy") for name in "xy"})
    )
    values = {"experiment": experiment, "seed": 0, "logger": {}, "progress": False, "name": "x"} | change
    with pytest.raises(ValueError, match=message):
        run(values, folder, resumes=True)
    assert not (folder / "ran").exists() and not (folder / "result.json").exists()


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 8 TiB"), RuntimeError("can't allocate memory:\n8 TB")]
)
def test_too_little_memory_is_one_line(error, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    said = r"^error: this needs more memory than there is: .*\n\(HYDRA_FULL"
    with pytest.raises(SystemExit, match=said), one_line_errors(None):
        raise error
    with pytest.raises(RuntimeError, match="shapes"), one_line_errors(None):
        raise RuntimeError("shapes do not fit")
