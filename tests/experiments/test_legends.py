"""Every column of every report is explained: by the code of each result, and in runs of those that no other test runs."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmi.estimators.neighbors.ksg import KSGEstimator
from lmi.experiments.benchmarks import peers
from lmi.experiments.benchmarks.neighbors_speed import NeighborsSpeed
from lmi.experiments.benchmarks.reference import ReferenceExperiment
from lmi.experiments.benchmarks.sklearn_speed import SklearnSpeed
from lmi.experiments.benchmarks.versus_latentmi import VersusLatentMI
from lmi.report.page import columns_of, write_report
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import Context

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "experiments").rglob("*.py"))


def results_of(path):
    """What is passed by name to each ``Result(...)`` in a file; a fourth argument is its tables."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Result":
            yield {word.arg for word in node.keywords} | ({"tables"} if len(node.args) > 3 else set())


def test_every_result_with_tables_has_a_legend():
    """What an experiment of a test builds is held column by column to it by ``conftest.py``."""
    named = [(path.name, words) for path in FILES for words in results_of(path) if "tables" in words]
    assert len(named) > 25
    assert [name for name, words in named if "legend" not in words] == []


def test_the_reference_is_answered_in_a_sentence(tmp_path):
    source = LowRankGaussian(1, 0.6, x_dim=2, y_dim=2)
    result = ReferenceExperiment({"small": source}, KSGEstimator(permutations=0), 400, 2).run(Context())
    assert result.answer.startswith("small: mean error") and result.answer.endswith(" bits.")
    assert abs(result.metrics["small_mean_error_bits"]) < 0.2
    result.save(tmp_path)
    page = write_report(tmp_path).read_text(encoding="utf-8")
    for column in columns_of(result.tables["reference"]):
        assert f"<b>{column}</b>: " in page


def test_the_peer_is_measured_beside_us(monkeypatch):
    peer = SimpleNamespace(estimate=lambda x, y: ([0.5], None, None))
    monkeypatch.setattr("lmi.experiments.benchmarks.versus_latentmi.latentmi", lambda name: peer)
    result = VersusLatentMI(LowRankGaussian(1, 0.6, x_dim=2, y_dim=2), KSGEstimator(permutations=0), 300, 2).run(
        Context()
    )
    assert [row["seed"] for row in result.tables["versus_latentmi"]] == [0, 1, "mean"]
    assert "times as fast as latentmi; mean errors are" in result.answer
    assert result.metrics["latentmi_mean_absolute_error_bits"] == pytest.approx(0.1, abs=1e-5)


def test_neighbours_and_scikit_learn_are_timed(monkeypatch):
    monkeypatch.setattr("lmi.experiments.benchmarks.neighbors_speed.is_installed", lambda name: False)
    result = NeighborsSpeed((300,), (1, 2), peer_samples=300, large_samples=400).run(Context())
    assert "KSG of the largest sample takes" in result.answer
    (panel,) = result.figures["ways"].axes
    low, high = panel.get_ylim()
    assert [tick for tick in panel.get_yticks() if low < tick < high] != []
    bars = SklearnSpeed(rows=100, repeats=1).run(Context()).tables["bars"]
    assert [row["what"] for row in bars] == ["mutual_info_regression"] * 2 + ["mutual_info_classif"] * 2
    assert peers.INSTALL in str(result.tables["ksg"][1])
