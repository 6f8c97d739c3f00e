import numpy as np
import pytest

from lmi.estimators.modules.closed_form import gaussian_mi
from lmi.experiments.benchmarks.modules.bars import ModulesBars
from lmi.experiments.benchmarks.modules.coverage import ModulesCoverage
from lmi.experiments.modules import Modules
from lmi.experiments.modules_mlp import ModulesMLP
from lmi.latent import LatentEstimator
from lmi.sources.normal.linear import LinearModules
from lmi.types import Context


@pytest.mark.slow
def test_modules_hold_the_closed_form_against_all_others() -> None:
    experiment = Modules(
        reference=LinearModules(8, (2, 2)),
        wide=LinearModules(12, (2, 2, 2)),
        num_samples=(400, 2000),
        bins=(8, 16),
        repeats=1,
        latent=LatentEstimator(max_epochs=2, permutations=0),
    )
    result = experiment.run(Context(seed=1))
    layer, labels = experiment.reference.build()
    assert result.metrics["truth_nats"] == pytest.approx(gaussian_mi(layer.cov, labels))
    assert result.metrics["jacobian_nats"] == pytest.approx(result.metrics["truth_nats"], rel=1e-8)
    rows = result.tables["two modules"]
    assert {row["estimator"] for row in rows} >= {"closed form", "Jacobian", "quantised", "KSG", "latent"}
    gaussian = next(row for row in rows if row["estimator"] == "Gaussian, debiased" and row["samples"] == 2000)
    assert abs(gaussian["error_nats"]) < 0.1
    assert len(result.tables["wide layer, pairs of modules"]) == 3
    for row in result.tables["wide layer, pairs of modules"]:
        assert row["Jacobian_nats"] == pytest.approx(row["closed form_nats"], rel=1e-8)
    assert set(result.figures) == set(result.captions)


@pytest.mark.slow
def test_bars_that_do_not_depend_on_the_machine_are_met() -> None:
    result = ModulesBars(ranks=(1, 3), batch=4, repeats=1, tokens=0, planted_seeds=1, planted_samples=1000).run(
        Context(seed=0)
    )
    bars = result.tables["bars"]
    exact = [row for row in bars if row["unit"] not in ("s", "GiB", "times faster")]
    assert len(exact) == 5
    assert all(row["met"] for row in exact)
    assert len(bars) == 6


def test_coverage_counts_seeds() -> None:
    result = ModulesCoverage(sides=(1,), num_samples=4000, bins=16, seeds=2).run(Context(seed=0))
    intervals, truths = result.arrays["intervals_nats"], result.arrays["truths_nats"]
    inside = ((intervals[0, 0, :, 0] <= truths[0]) & (truths[0] <= intervals[0, 0, :, 1])).sum()
    assert result.tables["coverage"][0]["truth inside"] == f"{inside} of 2"


def test_mlp_learns_and_its_modules_beat_chance() -> None:
    result = ModulesMLP(width=24, depth=1, num_modules=3, splits=20, max_epochs=8).run(Context(seed=0))
    assert result.metrics["accuracy_before_ratio"] < 0.4 < 0.85 < result.metrics["accuracy_after_ratio"]
    after = result.tables["modules of each layer"][-1]
    assert after["p"] < 0.1
    assert 0 < after["cut"] < after["random cut"] < 1
    labels = result.arrays["layer 1, after training labels"]
    assert np.bincount(labels).sum() == 24
    assert set(result.figures) == set(result.captions)
