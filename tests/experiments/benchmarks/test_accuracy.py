"""The accuracy experiment: truths in, errors out; what is measured once is not measured again."""

import csv
import json

import numpy as np
import pytest
import torch

from lmi.experiments.benchmarks.accuracy import AccuracyExperiment
from lmi.experiments.benchmarks.accuracy import experiment as accuracy
from lmi.experiments.benchmarks.accuracy.families import family_rows, off_rows, worse_than_ksg
from lmi.experiments.benchmarks.accuracy.suites import SUITES, cases_of
from lmi.experiments.benchmarks.accuracy.tables import is_covered, is_reliable_but_wrong, row_of
from lmi.types import Context


@pytest.mark.slow
@pytest.mark.parametrize("suite", list(SUITES))
def test_every_suite_has_unique_cases_that_sample(suite):
    cases = cases_of(suite)
    assert len({case.name for case in cases}) == len(cases) >= 10
    for case in cases[:: max(1, len(cases) // 3)]:  # of ``field`` see tests/sources/test_field_sources.py
        pairs = case.source.sample(20, torch.Generator().manual_seed(0))
        assert pairs.x.shape[0] == pairs.y.shape[0] == 20 and pairs.truth >= 0


@pytest.mark.parametrize("suite", list(SUITES))
def test_a_minute_of_a_suite_is_a_few_cases_of_every_kind(suite):
    whole, chosen = cases_of(suite), cases_of(suite, 0)
    assert 4 <= len(chosen) <= 14
    assert {case.group.rpartition(" ")[2] for case in chosen} == {case.group.rpartition(" ")[2] for case in whole}


def test_linear_and_nonlinear_twins_share_their_truth():
    names = {case.name: case for case in cases_of("gaussian_grid")}
    for dim, bits in ((10, 1.5), (100, 0.5)):
        twins = [names[f"d{dim}-r3-{bits:g}bits-{kind}"] for kind in ("linear", "nonlinear")]
        truths = [twin.source.sample(5, torch.Generator().manual_seed(0)).truth for twin in twins]
        assert truths[0] == truths[1]


def record(nats, truth, low, high, verdict="reliable"):
    return {
        "truth_nats": truth, "nats": nats, "low_nats": low, "high_nats": high, "verdict": verdict, "seconds": 1.0,
        "failed": "", "case": "a",
    }  # fmt: skip


def test_reliable_but_wrong_is_counted():
    assert is_reliable_but_wrong(record(1.0, 0.0, 0.9, 1.1))
    assert not is_reliable_but_wrong(record(1.0, 0.0, 0.9, 1.1, "doubtful"))
    assert not is_reliable_but_wrong(record(1.0, 0.5, 0.9, 1.1))
    assert is_covered(record(1.0, 1.05, 0.9, 1.1)) and not is_covered(record(1.0, 0.5, 0.9, 1.1))
    row = row_of([record(1.0, 0.0, 0.9, 1.1), record(0.0, 0.0, -0.1, 0.1)])
    assert row["reliable_but_wrong_count"] == 1 and row["coverage_ratio"] == 0.5
    assert row["null_within_0.03_bits_ratio"] == 0.5
    assert row["spread_bits"] == pytest.approx(1 / np.log(2) / 2**0.5, abs=1e-4)
    alone = row_of([record(1.0, 0.0, 0.9, 1.1), {**record(0.0, 0.0, -0.1, 0.1), "case": "b"}])
    assert alone["spread_bits"] is None  # different cases are no repeats


def test_a_run_and_its_resumption(tmp_path, monkeypatch):
    experiment = AccuracyExperiment("high_mi", ("ksg", "gaussian", "scikit-learn"), every=24)
    small = [type(case)(case.name, case.group, case.source, 300) for case in cases_of("high_mi")]
    monkeypatch.setattr(accuracy, "cases_of", lambda suite, every: small[::every])
    first = experiment.run(Context(3, tmp_path))
    assert len(list((tmp_path / "cases").glob("*.json"))) == 6
    assert set(first.figures) == {"errors", "truth"} and set(first.captions) == set(first.figures)
    with (tmp_path / "accuracy.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 6
    monkeypatch.setattr(accuracy, "estimate", None)  # nothing is measured again
    again = experiment.run(Context(3, tmp_path))
    assert again.tables == first.tables
    stored = json.loads(next((tmp_path / "cases").glob("*gaussian*")).read_text())
    assert {"truth_nats", "nats", "seconds", "verdict"} <= set(stored["record"])
    with pytest.raises(ValueError, match="another seed"):
        experiment.run(Context(4, tmp_path))


def test_an_estimator_that_refuses_is_a_row_and_not_the_end(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(accuracy, "estimator_class", lambda name: None)
    result = AccuracyExperiment("real", ("scikit-learn", "latentmi"), every=12).run(Context(0))
    reasons = {row["estimator"]: row["why"] for row in result.tables["cases"]}
    assert "one column" in reasons["scikit-learn"] and "not installed" in reasons["latentmi"]
    assert result.metrics["records_count"] == 2


def test_unknown_estimators_are_refused_before_anything_runs():
    with pytest.raises(ValueError, match=r"no estimator is called 'kgs'.*did you mean 'ksg'"):
        AccuracyExperiment(estimators=("kgs",)).run(Context())


@pytest.mark.slow
def test_processes_give_the_same_numbers():
    one, two = (
        AccuracyExperiment("high_mi", ("gaussian",), every=40, processes=processes).run(Context(5))
        for processes in (1, 2)
    )
    for a, b in zip(one.tables["cases"], two.tables["cases"], strict=True):
        assert a["estimate_bits"] == b["estimate_bits"]


def test_the_field_says_what_is_off_and_where_ksg_is_better():
    def one(case, estimator, nats, low, high, truth=0.5, verdict="reliable", group="1 linear"):
        return {
            "case": case, "estimator": estimator, "group": group, "repeat": 0, "nats": nats, "low_nats": low,
            "high_nats": high, "truth_nats": truth, "verdict": verdict, "columns": 2, "seconds": 1.0, "p_value": 0.04,
        }  # fmt: skip

    records = [
        one("a", "auto", 0.4, 0.38, 0.42), one("b", "auto", 0.5, 0.4, 0.6), one("n", "auto", 0.1, 0.05, 0.15, 0.0),
        one("c", "auto", 0.1, 0.09, 0.11, verdict="doubtful"), one("a", "ksg", 0.49, 0.4, 0.6),
    ]  # fmt: skip
    rows = {(row["estimator"], row["family"]): row for row in family_rows(records)}
    auto = rows["auto", "all"]
    assert auto["reliable_off_3_half_widths_count"] == 1 and auto["reliable_ratio"] == 0.75
    assert auto["in_interval_all_ratio"] == 0.25 and auto["in_interval_reliable_ratio"] == 0.333
    assert auto["null_interval_above_0_ratio"] == 1.0 and auto["null_p_below_0.05_ratio"] == 1.0
    assert [row["case"] for row in off_rows(records)] == ["a", "n"] and off_rows(records)[0]["half_widths"] == -5.0
    assert [row["case"] for row in worse_than_ksg(records)] == ["a"]


def test_a_field_run_has_its_table(monkeypatch):
    chosen = [case for case in cases_of("field") if case.name in ("null-normal", "null-uniform")]
    monkeypatch.setattr(accuracy, "cases_of", lambda suite, every: chosen)
    result = AccuracyExperiment("field", ("gaussian", "ksg")).run(Context(1))
    assert [row["family"] for row in result.tables["families"]] == ["nulls", "all"] * 2
    assert result.tables["families"][0]["cases"] == 2


def test_only_the_named_cases_are_measured():
    cases = cases_of("unstructured")
    names = ("bumps16-2nats-n2000", "digits-0.5bits")
    assert {case.name for case in accuracy.named_cases(cases, names)} == set(names)
    assert accuracy.named_cases(cases, ()) == cases
    with pytest.raises(
        ValueError, match=r"no case 'bumps16-2nat' among the [0-9]+ of the suite; close to it: bumps16-2nats"
    ):
        accuracy.named_cases(cases, ("bumps16-2nat",))


def test_settings_stand_after_the_name_of_an_estimator():
    case = cases_of("gaussian_grid")[0]
    default, smooth = (accuracy.measure_case(case, name, 0, 3) for name in ("ksg", "ksg k=50 permutations=0"))
    assert default["nats"] != smooth["nats"] and default["p_value"] is not None and smooth["p_value"] is None
    with pytest.raises(ValueError, match=r"expected setting=value after the name 'ksg', got 'k'"):
        AccuracyExperiment("gaussian_grid", ("ksg k",)).run(Context(1))
