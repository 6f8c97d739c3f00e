import shutil

import pytest

from lmi.experiments.benchmarks.pairwise.many import PairwiseMany
from lmi.experiments.benchmarks.pairwise.parmigene import PairwiseParmigene
from lmi.types import Context


def test_every_task_is_measured_and_held_against_its_bar():
    small = PairwiseMany(
        columns=80, rows=60, targets=10, target_rows=40, features=64, feature_rows=600, active=8,
        layer_rows=0, checked=20,
    )  # fmt: skip
    result = small.run(Context(1))
    assert len(result.tables["tasks"]) == 3
    assert {row["what"] for row in result.tables["bars"] if not row["met"] and "GiB" not in row["unit"]} == set()
    assert result.tables["tasks"][0]["pairs"] == 10 * 79 - 45


def test_parmigene_has_the_same_edges():
    if shutil.which("Rscript") is None:
        with pytest.raises(ValueError, match="r-cran-parmigene"):
            PairwiseParmigene().run(Context())
        return
    try:
        result = PairwiseParmigene(columns=20, rows=80).run(Context())
    except ValueError as error:
        pytest.skip(str(error))
    assert result.metrics["edges_differ_count"] == 0
    assert result.metrics["second_ksg_difference_nats"] < 1e-9
