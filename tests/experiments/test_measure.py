"""Bars, memory, and cases that are measured once."""

import pytest

from lmi.experiments.measure import bar_row, bars_met, measured_once


def test_bars():
    bars = [bar_row("seconds", 4.0, "s", "<=", 5.0), bar_row("speed", 4.0, "times faster", ">=", 5.0)]
    assert [row["met"] for row in bars] == [True, False]
    assert bars_met(bars) == {"bars_met_count": 1, "bars_count": 2}


def test_a_case_is_measured_once_and_never_taken_for_another(tmp_path):
    path = tmp_path / "cases" / "a.json"
    assert measured_once(path, "seed 1", lambda: {"nats": 0.5}) == {"nats": 0.5}
    assert measured_once(path, "seed 1", lambda: 1 / 0) == {"nats": 0.5}
    with pytest.raises(ValueError, match="another seed or other settings"):
        measured_once(path, "seed 2", lambda: {"nats": 0.6})
    assert measured_once(None, "seed 2", lambda: {"nats": 0.6}) == {"nats": 0.6}
