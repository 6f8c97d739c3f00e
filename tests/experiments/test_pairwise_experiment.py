from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.pairwise import ActivationSource, Pairwise, top_pairs
from lmi.results import Result
from lmi.sources.planted import PlantedColumns
from lmi.types import Context

SMALL = PlantedColumns(dims=12, num_layers=2, num_documents=6, tokens=30, linear_pairs=2, parabola_pairs=2)


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


class Killed(RuntimeError):
    pass


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
    replace(experiment, k=4).run(Context(folder=tmp_path / "killed"))
    assert measured[3:] == ["planted.0", "planted.1"], "other settings must not read the old layers"


def test_two_processes_give_the_result_of_one(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    alone = Pairwise(SMALL, draws=8).run(Context(folder=tmp_path / "one"))
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
    with pytest.raises(ValueError, match=r"h\.1: NaN or infinite values"):
        Pairwise(Broken(), draws=4).run(Context(folder=tmp_path))
    stored = np.load(next((tmp_path / "layers").glob("*.npz")))
    assert stored["dims"].tolist() == [0, 1, 2, 4]


def test_top_pairs_are_above_the_diagonal():
    matrix = torch.tensor([[9.0, 1.0, 5.0], [1.0, 9.0, 2.0], [5.0, 2.0, 9.0]])
    assert top_pairs(matrix, 2).tolist() == [[0, 2], [1, 2]]
