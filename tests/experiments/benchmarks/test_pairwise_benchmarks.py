import numpy as np
import pytest
import torch

from lmi.experiments.benchmarks.pairwise.calibration import PairwiseCalibration, false_share
from lmi.experiments.benchmarks.pairwise.cost import PairwiseCost
from lmi.experiments.benchmarks.pairwise.speed import PairwiseSpeed
from lmi.types import Context


def test_speed_compares_equal_values():
    small = PairwiseSpeed(
        dims=10, layers=2, tokens=40, long_tokens=90, memory_tokens=200, targets=2, loop_pairs=12, repeats=1
    )
    result = small.run(Context())
    assert len(result.tables["speed"]) == 3
    for row in result.tables["speed"]:
        assert row["difference_nats"] < 1e-9
        assert row["ratio"] == pytest.approx(row["peer_seconds"] / row["ours_seconds"])
    bars = {row["what"]: row for row in result.tables["bars"]}
    assert len(bars) == 7
    assert bars["KSG, 40 tokens, largest difference"]["met"]
    fast = bars["KSG, 90 tokens, against scikit-learn"]
    assert fast["met"] == (fast["measured"] >= 50)
    assert 0 < result.metrics["peak_memory_gib"] < 64


def test_calibration_separates_true_from_false():
    small = PairwiseCalibration(
        ("gaussian",), (0.9,), dims=20, lengths=(40, 30, 50, 45, 35, 40, 60), seeds=4, planted=4
    )
    nothing, planted = small.run(Context()).tables["calibration"]
    assert nothing["row_shuffle_ratio"] == 1.0
    assert nothing["false_discovery_ratio"] <= 0.25
    assert planted["found_ratio"] >= 0.5  # covariance sees the linear half of what is planted
    p = small.run(Context()).arrays["p.gaussian, autocorrelation 0.9"]
    assert np.array_equal(p, small.run(Context()).arrays["p.gaussian, autocorrelation 0.9"]), "one seed, one result"


def test_false_share_counts():
    q = torch.tensor([0.01, 0.02, 0.5, 0.03])
    assert false_share(q, torch.tensor([True, False, False, True]), 0.05) == pytest.approx(1 / 3)
    assert false_share(q, torch.ones(4).bool(), 0.001) == 0.0


def test_cost_extrapolates_along_a_power_law():
    small = PairwiseCost(("gaussian",), (8, 16, 32), (20, 40, 80), (1, 2, 3), repeats=1, large=(8, 2, 80))
    row = small._extrapolated("gaussian", 3600.0, {"tokens_exponent": 1.5})
    assert row["this_machine_hours"] == pytest.approx(2.0)
    assert row["eight_gpus_hours"] == pytest.approx(2.0 / 50 / 8)
    result = small.run(Context())
    assert len(result.tables["times"]) == 9
    assert set(result.figures) == set(result.captions)
