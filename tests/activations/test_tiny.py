"""The model that comes with lmi: its size, its class, its record, and that it has learnt its language."""

import json

import torch

from lmi.activations import LanguageModel
from lmi.activations.model import TINY_FOLDER
from lmi.activations.text import read_documents


def test_it_is_a_small_gpt2_in_safetensors():
    config = json.loads((TINY_FOLDER / "config.json").read_text())
    assert config["architectures"] == ["GPT2LMHeadModel"]
    assert (TINY_FOLDER / "model.safetensors").stat().st_size <= 6e6
    assert not [path for path in TINY_FOLDER.iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


def test_its_record_has_its_loss_beside_the_baselines():
    record = json.loads((TINY_FOLDER / "training.json").read_text())
    losses = {row["model"]: row["held_out_nats_per_token"] for row in record["losses"]}
    model, bigram, unigram = (losses[name] for name in ("tiny GPT-2", "bigram counts (Kneser-Ney)", "unigram counts"))
    assert model < bigram - 0.3
    assert bigram < unigram


def test_word_order_matters_to_it_on_text_it_never_saw():
    model = LanguageModel("tiny", head="causal")
    network, tokenizer = model.load_network(), model.load_tokenizer()
    generator = torch.Generator().manual_seed(0)
    ordered, shuffled = 0.0, 0.0
    for document in read_documents():
        ids = torch.tensor([tokenizer(document.text)["input_ids"]])
        mixed = ids[:, torch.randperm(ids.shape[1], generator=generator)]
        with torch.no_grad():
            ordered += float(network(ids, labels=ids).loss)
            shuffled += float(network(mixed, labels=mixed).loss)
    assert ordered < 0.8 * shuffled
