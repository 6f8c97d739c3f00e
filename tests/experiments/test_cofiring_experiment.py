import json
import sys
import types

import numpy as np
import pandas
import pytest
import torch

from lmi.activations import Activations
from lmi.estimators.network.cofiring import cofiring
from lmi.experiments.cofiring import Cofiring, feature_clusters, in_context
from lmi.experiments.features import FeatureTraining, TopKDictionary, encoded, fit_dictionary, load_dictionary
from lmi.experiments.pretrain_features import PretrainFeatures
from lmi.latent.trainer import TrainerSettings
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
