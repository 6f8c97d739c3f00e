"""What is saved is what is loaded; nothing is pickled; a report is made from the folder alone."""

import math

import numpy as np
import pytest

from lmi.report.page import text_table, write_report
from lmi.report.style import new_figure
from lmi.results import Result


def test_round_trip(tmp_path):
    result = Result(
        "demo",
        metrics={"estimate_nats": 0.1, "ceiling_nats": math.inf, "count": 3, "missing_nats": math.nan},
        arrays={"pointwise_nats": np.arange(3.0), "names": np.array(["a", "b"])},
        tables={"rows": [{"what": "x", "bits": 1.5}, {"what": "y", "bits": None}]},
        figures={"empty": new_figure()},
        captions={"empty": "nothing"},
        notes=("a note",),
        facts={"seed": 1},
    )
    result.save(tmp_path)
    again = Result.load(tmp_path)
    assert again.metrics["ceiling_nats"] == math.inf
    assert math.isnan(again.metrics["missing_nats"])
    assert again.metrics["count"] == 3
    np.testing.assert_array_equal(again.arrays["names"], result.arrays["names"])
    assert again.tables == result.tables
    assert again.figures["empty"].is_file()
    assert again.notes == result.notes
    page = write_report(tmp_path).read_text()
    assert "data:image/png;base64," in page
    assert "a note" in page
    assert "http" not in page


def test_text_is_escaped_in_the_report(tmp_path):
    Result("demo", notes=("<script>alert(1)</script>",)).save(tmp_path)
    assert "<script>" not in write_report(tmp_path).read_text()


def test_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="array 'bad' holds Python objects"):
        Result("demo", arrays={"bad": np.array([{}, []], dtype=object)}).save(tmp_path)


def test_an_unfinished_folder_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished run in"):
        Result.load(tmp_path)


def test_tables_align():
    lines = text_table([{"a": "x", "b": 1.0}, {"a": "longer", "c": "z"}]).splitlines()
    assert lines == ["a       b  c", "x       1", "longer     z"]
