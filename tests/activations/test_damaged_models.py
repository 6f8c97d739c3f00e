"""A local model that is cut off, broken or put together from two is refused in words."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from lmi.activations import Activations, LanguageModel
from lmi.activations.model import TINY_FOLDER, ModelError
from lmi.types import Context


def cut(name, kept):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:kept])


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def config(**changes):
    def change(folder):
        settings = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(settings | changes))

    return change


def of_another_tokenizer(folder):
    config(vocab_size=100, bos_token_id=99, eos_token_id=99)(folder)
    state = load_file(folder / "model.safetensors")
    state["transformer.wte.weight"] = state["transformer.wte.weight"][:100].clone()
    save_file(state, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut("model.safetensors", 10**6), "cannot be loaded.*not fully covered"),
        (cut("model.safetensors", 0), "cannot be loaded.*header too small"),
        (cut("config.json", 100), "not a valid JSON"),
        (write("config.json", "[1]"), "no tokenizer that can be loaded"),
        (cut("tokenizer.json", 5000), "no tokenizer that can be loaded"),
        (config(vocab_size=100), "no trained weights for wte.weight"),
        (config(n_layer=9), "no trained weights for h.4"),
        (config(n_embd=0), "cannot be loaded"),
        (of_another_tokenizer, r"tokenizer gives token \d+ and the network has 100 embeddings"),
    ],
)
def test_what_is_no_model_is_refused_before_anything_runs(tmp_path, capfd, damage, message):
    folder = tmp_path / "model"
    shutil.copytree(TINY_FOLDER, folder)
    damage(folder)
    with pytest.raises(ModelError, match=message) as caught:
        next(iter(Activations(LanguageModel(str(folder)), max_tokens=300, cache=None).layers(Context())))
    assert "\n" not in str(caught.value)
    assert "LOAD REPORT" not in capfd.readouterr().err
