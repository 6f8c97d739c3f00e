"""Loggers that nobody asked for stay closed; metrics reach the same file all the same."""

import csv
import subprocess
import sys

import pytest

from lmi.trackers import MetricsFile, Trackers


def test_without_curves_and_without_a_logger_metrics_are_one_line(tmp_path):
    (tracker,) = Trackers({"logger": {}}, tmp_path).for_result()
    assert isinstance(tracker, MetricsFile)
    tracker.log_metrics({"estimate_nats": 0.25})
    with (tmp_path / "csv" / "version_0" / "metrics.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"estimate_nats": "0.25", "step": "0"}]


def test_where_curves_were_logged_the_result_goes_to_the_same_logger(tmp_path):
    trackers = Trackers({"logger": {}}, tmp_path)
    trackers[0].log_metrics({"loss": 1.0})
    assert len(trackers) == 1 and trackers.for_result() is trackers
    for tracker in trackers:
        tracker.finalize("success")
    assert (tmp_path / "csv" / "version_0" / "metrics.csv").read_text().splitlines()[0] == "loss,step"


def test_a_logger_that_cannot_be_built_is_named(tmp_path):
    with pytest.raises(ValueError, match="logger"):
        list(Trackers({"logger": {"_target_": "lightning.pytorch.loggers.NoLogger"}}, tmp_path))


@pytest.mark.slow
def test_a_run_that_trains_nothing_and_names_no_logger_imports_no_lightning(tmp_path):
    code = (
        "import sys; from pathlib import Path; from lmi.run import run;"
        "run({'experiment': {'_target_': 'lmi.experiments.estimate.EstimateExperiment', 'num_samples': 100,"
        " 'source': {'_target_': 'lmi.sources.normal.gaussian.LowRankGaussian', 'x_dim': 2, 'y_dim': 2,"
        "  'rank': 1, 'bits': 1.0},"
        " 'estimator': {'_target_': 'lmi.estimators.gaussian.estimator.GaussianEstimator', 'permutations': 0}},"
        " 'seed': 0, 'logger': {}, 'progress': False, 'name': 'small'}, Path(sys.argv[1]));"
        "print('lightning' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["False"], done.stdout + done.stderr
