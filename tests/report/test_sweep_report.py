import csv
import json
import subprocess
import sys

import pytest

from lmi.report.sweep import best_config, command_line, write_sweep_report
from lmi.report.trials import read_trials, swept_axes
from lmi.results import Result


def add(folder, name, status="done", error=None, metrics=None, **settings):
    place = folder / name
    place.mkdir(parents=True)
    words = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
    record = {"overrides": ["experiment=x", *words], "status": status, "error": error, "seconds": 1.5}
    (place / "trial.json").write_text(json.dumps(record))
    if metrics is not None:
        Result("x", metrics).save(place)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "sweep"
    for dim in (2, 4, 8):
        for seed in (0, 1):
            metrics = {"best_stop_loss": 5 - dim / 4 + seed / 10, "estimate_bits": 0.3 + dim / 50, "truth_bits": 0.4}
            add(folder, f"d{dim}s{seed}", metrics=metrics, estimator__latent_dim=dim, seed=seed)
    add(folder, "broken", "failed", "error: <no luck>", estimator__latent_dim=16, seed=0)
    (folder / "sweep.json").write_text('{"objective": "best_stop_loss", "direction": "minimize"}')
    return folder


def test_a_sweep_ends_in_a_table_a_figure_an_axis_and_the_best_command(folder):
    said = write_sweep_report(folder)
    assert "6 done, 1 failed of 7 trials" in said and "error: <no luck>" in said
    assert "python train.py experiment=x estimator.latent_dim=8 seed=0" in said
    with (folder / "sweep.csv").open() as file:
        rows = {row["trial"]: row for row in csv.DictReader(file)}
    assert rows["d4s1"]["estimator.latent_dim"] == "4" and float(rows["d4s1"]["best_stop_loss"]) == pytest.approx(4.1)
    assert rows["broken"]["error"] == "error: <no luck>" and rows["broken"]["best_stop_loss"] == ""
    assert [path.name for path in (folder / "figures").iterdir()] == ["estimator_latent_dim.png"]
    page = (folder / "report.html").read_text()
    assert "&lt;no luck&gt;" in page and "estimator.latent_dim=8 seed=0" in page and "data:image/png" in page


def test_python_m_lmi_report_writes_it_again(folder):
    done = subprocess.run([sys.executable, "-m", "lmi.report", str(folder)], capture_output=True, text=True, check=True)
    assert "6 done, 1 failed" in done.stdout and (folder / "report.html").is_file()


def test_the_best_config_is_best_in_the_mean_over_seeds_and_in_full(folder):
    trials = read_trials(folder)
    assert swept_axes(trials) == ["estimator.latent_dim", "seed"]
    assert {t.overrides["estimator.latent_dim"] for t in best_config(trials, "best_stop_loss", "minimize")} == {"8"}
    assert {t.overrides["estimator.latent_dim"] for t in best_config(trials, "best_stop_loss", "maximize")} == {"2"}
    # One lucky seed of a config whose other seeds are missing does not win.
    add(folder, "lucky", metrics={"best_stop_loss": 0.0}, estimator__latent_dim=32, seed=0)
    assert {
        t.overrides["estimator.latent_dim"] for t in best_config(read_trials(folder), "best_stop_loss", "minimize")
    } == {"8"}
    assert best_config(trials, "nothing", "minimize") is None


def test_command_lines_survive_the_shell(folder):
    add(folder, "odd", metrics={"best_stop_loss": 1.0}, estimator__hidden="[8,8]")
    trial = next(t for t in read_trials(folder) if t.name == "odd")
    assert "'estimator.hidden=[8,8]'" in command_line(trial, "lmi")


def test_a_sweep_of_seeds_alone_is_drawn_over_seeds(tmp_path):
    for seed in range(3):
        add(tmp_path, f"s{seed}", metrics={"best_stop_loss": seed}, seed=seed)
    (tmp_path / "sweep.json").write_text('{"objective": "best_stop_loss", "direction": "minimize"}')
    write_sweep_report(tmp_path)
    assert (tmp_path / "figures" / "seed.png").is_file()


def test_a_folder_without_trials_is_refused(tmp_path):
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no trial in"):
        write_sweep_report(tmp_path)
