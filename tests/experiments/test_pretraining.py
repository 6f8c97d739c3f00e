import numpy as np
import pytest
import torch

from lmi.activations import LanguageModel
from lmi.experiments.pretraining import (
    END,
    Architecture,
    Training,
    fit,
    nats_per_token,
    new_network,
    save_model,
    token_stream,
    train_tokenizer,
    windows,
)
from lmi.latent import TrainerSettings
from lmi.types import Context

DOCUMENTS = [
    f"The {a} of {b} is larger than the {b} of {a}." for a in ("sum", "mean", "rank") for b in ("rows", "columns")
]
SMALL = Architecture(width=16, depth=1, heads=2, context=16, vocabulary=300)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(DOCUMENTS, 300)


def trained(tokenizer, seed, passes=1.0):
    examples = windows(token_stream(tokenizer, DOCUMENTS * 20), SMALL.context)
    context = Context(seed=seed)
    network = new_network(SMALL, tokenizer, context)
    fit(network, examples, Training(passes=passes), TrainerSettings(accelerator="cpu"), context)
    return network, examples


def test_windows_predict_each_token_once():
    pieces = windows(np.arange(23), 5)
    assert pieces.shape == (4, 6)
    assert pieces[:, 1:].flatten().tolist() == list(range(1, 21))
    assert torch.equal(pieces[1:, 0], pieces[:-1, -1])


def test_the_tokenizer_gives_back_any_text(tokenizer):
    text = "Sums of rows; naïve — and ünknown λ words\n\ttoo."
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.get_vocab_size() <= 300


def test_each_document_starts_behind_an_end_token(tokenizer):
    end = tokenizer.token_to_id(END)
    stream = token_stream(tokenizer, DOCUMENTS)
    assert (stream == end).sum() == len(DOCUMENTS)
    assert stream[0] == end


@pytest.mark.slow
def test_training_learns_and_the_seed_fixes_it_without_touching_the_global_state(tokenizer):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    (first, examples), (second, _), (other, _) = (trained(tokenizer, seed, 4.0) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    states = [network.state_dict() for network in (first, second, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])
    untrained = nats_per_token(new_network(SMALL, tokenizer, Context(seed=1)), examples)
    assert nats_per_token(first, examples) < untrained - 0.5


def test_fresh_weights_are_spread_as_transformers_spreads_them(tokenizer):
    """Theirs are drawn from the global random state, ours from a generator; each parameter has the same spread."""
    size = Architecture(width=64, depth=2, heads=2, context=64, vocabulary=300)
    ours = new_network(size, tokenizer, Context(seed=1))
    with torch.random.fork_rng():
        torch.manual_seed(2)
        theirs = type(ours)(ours.config)
    assert not list(ours.buffers()) and ours.lm_head.weight is ours.transformer.wte.weight
    expected = {name: (float(p.mean()), float(p.std())) for name, p in theirs.state_dict().items()}
    values = {name: (float(p.mean()), float(p.std())) for name, p in ours.state_dict().items()}
    assert expected.keys() == values.keys()
    for name, (mean, std) in expected.items():
        assert values[name][0] == pytest.approx(mean, abs=1e-3) and values[name][1] == pytest.approx(std, rel=0.05), (
            name
        )


def test_the_loss_is_the_mean_code_length(tokenizer):
    network, examples = new_network(SMALL, tokenizer, Context()), torch.randint(0, 300, (7, 17))
    with torch.no_grad():
        log_p = network(examples[:, :-1]).logits.double().log_softmax(-1)
    expected = -log_p.gather(-1, examples[:, 1:, None]).mean()
    assert nats_per_token(network, examples, batch_size=3) == pytest.approx(float(expected), abs=1e-5)


def test_what_is_saved_loads_as_a_language_model(tokenizer, tmp_path):
    network, examples = trained(tokenizer, 0)
    save_model(network, tokenizer, tmp_path / "model")
    model = LanguageModel(str(tmp_path / "model"), head="causal")
    loaded = model.load_network()
    assert nats_per_token(loaded, examples) == pytest.approx(nats_per_token(network, examples), abs=2e-3)
    assert model.load_tokenizer()(DOCUMENTS[0])["input_ids"] == tokenizer.encode(DOCUMENTS[0]).ids
