from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import false_discovery_control

from lmi.experiments.pairwise import ActivationSource, Pairwise, top_pairs
from lmi.results import Result
from lmi.sources.planted.planted_columns import PlantedColumns
from lmi.types import Context

SMALL = PlantedColumns(dims=12, num_layers=2, num_documents=6, tokens=30, linear_pairs=2, parabola_pairs=2)


@pytest.mark.slow
def test_planted_pairs_come_out_on_top(tmp_path):
    assert isinstance(SMALL, ActivationSource)
    result = Pairwise(SMALL, draws=16, top=4).run(Context(folder=tmp_path))
    result.save(tmp_path)
    strongest = result.tables["strongest"]
    assert {(row["dim_a"], row["dim_b"]) for row in strongest} <= {(0, 1), (2, 3), (4, 5), (6, 7)}
    assert all(row["q_value"] < 0.05 for row in strongest)
    assert set(result.figures) == set(result.captions)
    assert {"pair", "matrices", "distributions", "depth", "significance", "atlas"} == set(result.figures)
    matrix = Result.load(tmp_path).arrays["planted.1.nats"]
    assert matrix.shape == (12, 12)
    assert np.array_equal(matrix, matrix.T)
    atlas = result.arrays["planted.1.atlas"]
    assert atlas[4, 5] > 0.3 > abs(atlas[0, 1])


@pytest.mark.slow
def test_discoveries_are_counted_over_all_pairs_of_all_layers(tmp_path):
    result = Pairwise(SMALL, draws=16).run(Context(folder=tmp_path))
    stored = [np.load(path) for path in sorted((tmp_path / "layers").glob("*.npz"))]
    p = np.concatenate([layer["p"] for layer in stored])
    assert len(p) == 2 * 66
    upper = np.triu_indices(12, 1)
    q = np.concatenate([result.arrays[f"planted.{layer}.q"][upper] for layer in range(2)])
    assert np.allclose(q, false_discovery_control(p, method="bh"), rtol=1e-6)
    *layers, total = result.tables["layers"]
    assert [row["layer"] for row in layers] == ["planted.0", "planted.1"]
    assert total["surviving"] == sum(row["surviving"] for row in layers) == int((q <= 0.05).sum())
    assert f"{total['surviving']} of 132 pairs survive" in result.notes[0]
    strict = Pairwise(SMALL, draws=16, rate=1e-9).run(Context(folder=tmp_path))
    assert strict.metrics["surviving_pairs_count"] == 0, "another rate reads the same layers"


def test_histogram_has_the_g_test_beside_the_null(tmp_path):
    corrected = Pairwise(SMALL, "histogram", bins=5, correction="miller_madow", draws=8).run(Context(folder=tmp_path))
    plain = Pairwise(SMALL, "histogram", bins=5, draws=8).run(Context(folder=tmp_path))
    assert any(note.startswith("G-test at the effective number") for note in plain.notes)
    for result in (corrected, plain):
        first = result.tables["strongest"][0]
        assert (first["dim_a"], first["dim_b"]) in {(0, 1), (2, 3)}
        assert first["g_test_q_value"] < 1e-6
        assert 40 < first["effective_tokens"] <= 180
        assert result.metrics["g_test_surviving_pairs_count"] >= 2
    by_pair = [
        {(r["layer"], r["dim_a"], r["dim_b"]): r["g_test_q_value"] for r in result.tables["strongest"][:3]}
        for result in (corrected, plain)
    ]
    for pair in by_pair[0].keys() & by_pair[1].keys():
        assert by_pair[0][pair] == by_pair[1][pair], "the G-test takes the plug-in value"


class Tied:
    def layers(self, context):
        h = torch.randn(60, 6, generator=context.generator("h"))
        h[:, 2] = h[:, 2].relu()
        h[:, 4] = 0.0
        yield "mlp.0", h, torch.arange(6).repeat_interleave(10)

    def describe(self):
        return {}


def test_tied_and_constant_columns_are_named():
    notes = Pairwise(Tied(), draws=4).run(Context()).notes
    assert any(note == "mlp.0: 1 constant columns left out: 4" for note in notes)
    assert any(note.startswith("mlp.0: 1 columns are full of ties") and ": 2; where" in note for note in notes)


class Still(Tied):
    def layers(self, context):
        for name, h, documents in super().layers(context):
            yield name, h[:, 3:5], documents


def test_a_layer_without_pairs_is_refused_by_name():
    with pytest.raises(ValueError, match=r"mlp\.0: 1 of 2 columns vary"):
        Pairwise(Still(), draws=4).run(Context())


class Killed(RuntimeError):
    pass


@pytest.mark.slow
def test_a_killed_run_continues_at_its_layer(tmp_path, monkeypatch):
    experiment = Pairwise(SMALL, draws=8)
    whole = experiment.run(Context(folder=tmp_path / "whole"))
    measured = []
    original = Pairwise._measure_layer

    def dies_in_the_second(self, name, *rest):
        measured.append(name)
        if len(measured) == 2:
            raise Killed
        return original(self, name, *rest)

    monkeypatch.setattr(Pairwise, "_measure_layer", dies_in_the_second)
    with pytest.raises(Killed):
        experiment.run(Context(folder=tmp_path / "killed"))
    resumed = experiment.run(Context(folder=tmp_path / "killed"))
    assert measured == ["planted.0", "planted.1", "planted.1"]
    for name, array in whole.arrays.items():
        assert np.array_equal(resumed.arrays[name], array)
    replace(experiment, k=7).run(Context(folder=tmp_path / "killed"))
    assert measured[3:] == ["planted.0", "planted.1"], "other settings must not read the old layers"


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path, monkeypatch):
    alone = Pairwise(SMALL, draws=8).run(Context(folder=tmp_path / "one"))
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")  # of the processes; numba here has its threads already
    both = Pairwise(SMALL, draws=8, devices=2).run(Context(folder=tmp_path / "two"))
    for name, array in alone.arrays.items():
        assert np.array_equal(both.arrays[name], array)


class Broken:
    def layers(self, context):
        h = torch.randn(20, 5, generator=context.generator("h"))
        h[:, 3] = 1.0
        yield "h.0", h, torch.zeros(20, dtype=torch.long)
        yield "h.1", h.masked_fill(h > 1, torch.nan), torch.zeros(20, dtype=torch.long)

    def describe(self):
        return {}


def test_constant_columns_are_left_out_and_nan_names_its_layer(tmp_path):
    with pytest.raises(ValueError, match=r"h\.1 has .* NaN or infinite"):
        Pairwise(Broken(), draws=4).run(Context(folder=tmp_path))
    stored = np.load(next((tmp_path / "layers").glob("*.npz")))
    assert stored["dims"].tolist() == [0, 1, 2, 4]


def test_top_pairs_are_above_the_diagonal():
    matrix = torch.tensor([[9.0, 1.0, 5.0], [1.0, 9.0, 2.0], [5.0, 2.0, 9.0]])
    assert top_pairs(matrix, 2).tolist() == [[0, 2], [1, 2]]
