from dataclasses import dataclass, replace

import numpy as np
import pytest

from lmi.experiments.benchmarks.teaching_bars import TeachingBars
from lmi.experiments.probe_strengths import extremes
from lmi.experiments.probes import Probe, drop_constant
from lmi.results import Result
from lmi.sources.planted.labelled import Labelled, PlantedNeurons, ShiftedClasses
from lmi.types import Context

SMALL = Probe(
    source=PlantedNeurons(500, 60, 4, 0.9, num_copies=1),
    path_points=15,
    path_ratio=100.0,
    num_folds=3,
    stability_pairs=5,
    most_kept=30,
    saga_iterations=20,
    null_shuffles=1,
    stand_in_rows=200,
)
FIGURES = {"activations", "strengths", "effects", "extremes", "kept_dropped", "bits", "stability", "stand_ins"}


@dataclass(frozen=True)
class Fixed:
    data: Labelled

    def labelled(self, context: Context) -> Labelled:
        return self.data


@pytest.fixture(scope="module")
def planted() -> Result:
    return SMALL.run(Context(seed=0))


def test_every_figure_has_its_caption(planted: Result) -> None:
    assert set(planted.figures) == set(planted.captions) == FIGURES


def test_planted_neurons_are_found_and_their_bits_counted(planted: Result) -> None:
    assert planted.metrics["planted_stable_count"] == 4
    assert abs(planted.metrics["sparse_minus_truth_bits"]) < 3 * planted.metrics["sparse_error_bits"]
    for row in planted.tables["neurons"][:4]:
        assert row["lost_by_swap_bits"] < row["lost_without_bits"]


def test_the_path_is_not_above_saga(planted: Result) -> None:
    ours, saga = planted.tables["solvers"]
    assert ours["objective"] <= saga["objective"]


@pytest.mark.slow
def test_perfect_separation_is_said() -> None:
    result = replace(SMALL, source=ShiftedClasses(60, 40), stability_pairs=2).run(Context())
    assert any("separates the classes perfectly" in note for note in result.notes)
    assert result.metrics["shown_held_out_accuracy_ratio"] == 1.0
    assert 0.9 < result.metrics["sparse_bits"] <= result.metrics["label_bits"] == 1.0


def test_more_classes_are_told_from_the_rest_by_name() -> None:
    generator = np.random.default_rng(0)
    labels = np.array(["cat", "dog", "owl"])[generator.integers(0, 3, 300)]
    h = generator.standard_normal((300, 20))
    h[labels == "owl", 3] += 2.0
    source = Fixed(Labelled(h, labels, np.arange(300), "animals"))
    result = replace(SMALL, source=source, positive="owl", stability_pairs=0).run(Context())
    rows = {row["class"]: row for row in result.tables["classes"]}
    assert set(rows) == {"cat", "dog", "owl"}
    assert rows["owl"]["sparse_bits"] == pytest.approx(result.metrics["sparse_bits"])
    assert rows["owl"]["sparse_bits"] > rows["cat"]["sparse_bits"]
    assert any("'owl'" in note for note in result.notes)
    with pytest.raises(ValueError, match="no rows are labelled 'fox'; classes are cat, dog, owl"):
        replace(SMALL, source=source, positive="fox").run(Context())


def test_constant_neurons_are_left_out_and_said() -> None:
    data = PlantedNeurons(50, 10, 2).labelled(Context())
    h = data.h.copy()
    gap = [j for j in range(10) if j not in data.informative][:2]
    h[:, gap] = 1.0
    kept, notes = drop_constant(replace(data, h=h))
    assert kept.h.shape == (50, 8)
    assert "2 constant neurons" in notes[0]
    np.testing.assert_array_equal(kept.h[:, kept.informative], data.h[:, data.informative])
    with pytest.raises(ValueError, match="all 10 neurons are constant"):
        drop_constant(replace(data, h=np.ones((50, 10))))


def test_extremes_are_two_neurons() -> None:
    assert extremes(np.array([0.0, 2.0, -1.0, 0.5])) == (2, 1)
    assert extremes(np.array([0.0, 2.0, 0.0])) == (0, 1)


def test_bars_line_up_small() -> None:
    bars = TeachingBars(repeats=1, saga_iterations=1, probe=replace(SMALL, num_strengths=2), planted=SMALL.source)
    result = bars.run(Context())
    assert [row["met"] for row in result.tables["bars"]][1] is True
    assert set(result.tables) == {"bars", "path", "sweep", "planted"}
