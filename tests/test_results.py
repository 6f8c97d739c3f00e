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
        answer="X and Y share <1> bit.",
        verdict="doubtful",
        reasons=("few samples",),
        legend={"bits": "how much"},
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
    assert (again.answer, again.verdict, again.reasons) == (result.answer, result.verdict, result.reasons)
    page = write_report(tmp_path).read_text()
    assert "data:image/png;base64," in page
    assert "a note" in page
    assert "http" not in page
    assert page.index("share &lt;1&gt; bit") < page.index("few samples") < page.index("<table>") < page.index("a note")
    assert 'class="verdict doubtful"' in page
    assert "<b>bits</b>: how much" in page


def test_long_tables_stand_below_the_figures(tmp_path):
    tables = {"short": [{"bits": 1.0}], "long": [{"bits": float(i)} for i in range(60)]}
    Result("demo", tables=tables, figures={"empty": new_figure()}, captions={"empty": "nothing"}).save(tmp_path)
    page = write_report(tmp_path).read_text()
    assert page.index("<h2>short") < page.index("<figure>") < page.index("<h2>long")


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
