import json

import pytest

from lmi.activations import Activations, LanguageModel
from lmi.experiments.pretrain_tiny import PretrainTiny
from lmi.experiments.pretraining import Architecture, Training
from lmi.types import Context


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = PretrainTiny(
        architecture=Architecture(width=16, depth=1, heads=2, context=32, vocabulary=400),
        training=Training(batch_size=4),
        packages=("jinja2",),
        held_out_share=0.2,
    )
    return folder, settings.run(Context(seed=1, folder=folder))


@pytest.mark.slow
def test_the_losses_stand_beside_the_baselines(run):
    _, result = run
    rows = {row["model"]: row for row in result.tables["held_out_loss"]}
    assert list(rows) == ["unigram counts", "bigram counts (Kneser-Ney)", "tiny GPT-2"]
    assert rows["bigram counts (Kneser-Ney)"]["perplexity"] < rows["unigram counts"]["perplexity"] < 400
    assert result.metrics["held_out_nats"] == rows["tiny GPT-2"]["held_out_nats_per_token"]
    assert set(result.figures) == set(result.captions)


def test_the_model_of_the_run_can_be_measured(run):
    folder, result = run
    record = json.loads((folder / "tiny" / "training.json").read_text())
    assert record["losses"] == result.tables["held_out_loss"]
    names = [
        name for name, _, _ in Activations(LanguageModel(str(folder / "tiny")), cache=None, overlap=4).layers(Context())
    ]
    assert names == ["hidden.0", "hidden.1"]
