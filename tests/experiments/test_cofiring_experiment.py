import json
import sys
import types

import numpy as np
import pandas
import pytest
import scipy.sparse
import torch
from safetensors.numpy import save_file

from lmi.activations import Activations
from lmi.estimators.network.cofiring import cofiring
from lmi.experiments.cofiring import Cofiring, feature_clusters, in_context
from lmi.experiments.features import FeatureTraining, TopKDictionary, encoded, fit_dictionary, load_dictionary
from lmi.experiments.pretrain_features import PretrainFeatures
from lmi.latent.trainer import TrainerSettings
from lmi.sources.files.array_layers import ArrayLayers
from lmi.types import Context

TRAINING = FeatureTraining(features=48, active=6, passes=6.0, batch_size=64)
TRAINER = TrainerSettings(accelerator="cpu")


def planted(n=2000, width=16, features=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(features, width, generator=generator), dim=1)
    fires = torch.rand(n, features, generator=generator) < 0.08
    return (fires * (1 + torch.rand(n, features, generator=generator))) @ directions


@pytest.mark.slow
def test_a_dictionary_explains_what_is_sparse():
    h = planted()
    dictionary = fit_dictionary(h, FeatureTraining(48, 4, 20.0, 64), TRAINER, Context())
    missed = (dictionary(h) - h).square().sum() / (h - h.mean(0)).square().sum()
    assert missed < 0.15
    assert (dictionary.encode(h) > 0).sum(1).max() <= 4
    torch.testing.assert_close(torch.linalg.vector_norm(dictionary.decoder, dim=1), torch.ones(48))
    again = fit_dictionary(h, FeatureTraining(48, 4, 20.0, 64), TRAINER, Context())
    assert torch.equal(dictionary.encoder, again.encoder)


def test_features_are_trained_kept_and_read(tmp_path):
    activations = Activations(depths=(2,), cache=None)
    made = PretrainFeatures(activations, TRAINING, TRAINER, packages=()).run(Context(folder=tmp_path))
    assert made.metrics["explained_ratio"] > 0.3
    result = Cofiring(activations, str(tmp_path / "dictionary"), packages=(), rate=0.2).run(Context(folder=tmp_path))
    assert result.metrics["features_count"] == 48
    pairs = pandas.read_csv(tmp_path / "pairs.csv")
    assert len(pairs) == result.metrics["together_pairs_count"] >= 2
    assert all("[" in row["tokens"] for row in result.tables["clusters"])
    assert set(result.figures) == set(result.captions) == {"firing", "pairs", "clusters"}


def test_clusters_are_the_features_that_fire_together():
    generator = np.random.default_rng(0)
    causes = generator.random((3000, 3)) < 0.1
    table = np.repeat(causes, 4, axis=1) & (generator.random((3000, 12)) < 0.7)
    groups = feature_clusters(cofiring(table), 12, 3, 0)
    assert sorted(sorted(group.tolist()) for group in groups) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_saelens_is_read_where_it_is_installed(tmp_path, monkeypatch):
    for name in ("cfg.json", "sae_weights.safetensors"):
        (tmp_path / name).write_text(json.dumps({}))
    monkeypatch.setitem(sys.modules, "sae_lens", None)
    with pytest.raises(ValueError, match="pip install sae-lens"):
        load_dictionary(tmp_path)
    dictionary = TopKDictionary(4, 8, 2)

    class SAE:
        @staticmethod
        def load_from_disk(path):
            assert path == str(tmp_path)
            return dictionary

    monkeypatch.setitem(sys.modules, "sae_lens", types.SimpleNamespace(SAE=SAE))
    assert encoded(load_dictionary(tmp_path), torch.randn(5, 4)).shape == (5, 8)


def test_what_is_no_dictionary_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected features.safetensors"):
        load_dictionary(tmp_path)
    (tmp_path / "features.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot read the dictionary"):
        load_dictionary(tmp_path)
    with pytest.raises(ValueError, match="active=9 of features=4"):
        fit_dictionary(torch.randn(100, 3), FeatureTraining(4, 9), TRAINER, Context())


def test_two_layers_have_no_dictionary():
    with pytest.raises(ValueError, match="features are those of one layer, got 2"):
        PretrainFeatures(Activations(depths=(0, 1), cache=None), TRAINING, TRAINER, packages=()).run(Context())


def test_context_stays_in_the_document():
    assert in_context(["one", "two", "three"], torch.tensor([0, 1, 1]), 1) == "[two] three"


def fires_in_pairs(rows=800):
    table = np.random.default_rng(0).random((rows, 12)) < 0.08
    table[:, 5] |= table[:, 3]
    table[:, 7] |= table[:, 6]
    return table


def indices_of(table):
    held = [np.flatnonzero(row) for row in table]
    return np.stack([np.pad(row, (0, 12 - len(row)), constant_values=-1) for row in held])


def test_features_of_ones_own_are_read_from_any_file(tmp_path):
    table, documents = fires_in_pairs(), np.arange(800) // 40
    scipy.sparse.save_npz(tmp_path / "sparse.npz", scipy.sparse.csc_matrix(table.astype(float)))
    pandas.DataFrame(table.astype(int), columns=[f"f{i}" for i in range(12)]).to_csv(
        tmp_path / "named.csv", index=False
    )
    save_file({"indices": indices_of(table)}, tmp_path / "rows.safetensors", metadata={"features": "12"})
    np.save(tmp_path / "dense.npy", table.astype(float))
    np.save(tmp_path / "documents.npy", documents)
    expected = cofiring(table, documents=documents)
    for name in ("sparse.npz", "named.csv", "rows.safetensors", "dense.npy"):
        result = Cofiring(ArrayLayers((str(tmp_path / name),), str(tmp_path / "documents.npy"))).run(Context())
        np.testing.assert_array_equal(result.arrays["nats"], expected.nats)
        np.testing.assert_array_equal(result.arrays["q"], expected.q)
        assert {(row["a"].strip("f"), row["b"].strip("f")) for row in result.tables["strongest"]} == {
            ("3", "5"),
            ("6", "7"),
        }
        assert result.tables["strongest"][0]["a"].startswith("f") == (name == "named.csv")
        assert [row["size"] for row in result.tables["clusters"]] == [2, 2]
        place = int(result.tables["clusters"][0]["rows"].split(",")[0])
        assert table[place, [int(f.strip("f")) for f in result.tables["clusters"][0]["features"].split()]].all()


def test_files_that_are_no_features_are_refused_with_what_to_do(tmp_path):
    np.save(tmp_path / "h.npy", np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32))
    np.savez(tmp_path / "two.npz", a=np.eye(3), b=np.eye(3))
    np.savez(tmp_path / "broken.npz", format=np.array("csr"), shape=np.array([3, 3]), data=np.ones(2))
    for name, message in {
        "h.npy": "h: 0 of 8 features fire in some rows and not in others.*experiment.dictionary=<folder> makes features",
        "two.npz": r"features are those of one table, got 2 \(two.a, two.b\): activations.files=\[path:name\]",
        "broken.npz": "cannot read .*broken.npz as a sparse matrix",
        "none.npz": "no file at .*none.npz",
    }.items():
        with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
            Cofiring(ArrayLayers((str(tmp_path / name),))).run(Context())
        assert "\n" not in str(error.value)
    layers = ArrayLayers((str(tmp_path / "h.npy"),))
    PretrainFeatures(layers, TRAINING, TRAINER).run(Context(folder=tmp_path))
    result = Cofiring(layers, str(tmp_path / "dictionary"), rate=1.0).run(Context())
    assert result.metrics["features_count"] == 48 and "rows" in result.tables["clusters"][0]
    np.save(tmp_path / "narrow.npy", np.eye(9))
    with pytest.raises(ValueError, match="the dictionary does not read activations of 9 dimensions"):
        Cofiring(ArrayLayers((str(tmp_path / "narrow.npy"),)), str(tmp_path / "dictionary")).run(Context())
