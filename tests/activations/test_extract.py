import json
import logging
import shutil
import time
import warnings

import pytest
import torch

import lmi.activations.extract as extract
from lmi.activations import Activations, LanguageModel, ModelError, capture
from lmi.activations.model import TINY_FOLDER
from lmi.types import Context

TEXTS = (
    "Entropy is a measure of disorder.",
    "A longer text about the sum of two matrices, and their product too.",
    "Short.",
)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test of this file may reach a network."""
    import socket

    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # else it tries for half a minute

    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def tiny():
    model = LanguageModel("tiny")
    return model.load_network(), model.load_tokenizer()


def rows(activations):
    return {name: layer for name, layer, _ in activations.layers(Context())}


def direct(tiny, text):
    network, tokenizer = tiny
    with torch.no_grad():
        return network(torch.tensor([tokenizer(text)["input_ids"]]), output_hidden_states=True).hidden_states


def copy_of_tiny(folder):
    return LanguageModel(str(shutil.copytree(TINY_FOLDER, folder)))


def test_hidden_states_are_those_of_a_direct_forward_pass_without_any_padding(tiny):
    extracted = rows(Activations(texts=TEXTS, cache=None, batch_size=3))
    expected = [torch.cat(layer, dim=1)[0] for layer in zip(*(direct(tiny, text) for text in TEXTS))]
    assert list(extracted) == [f"hidden.{depth}" for depth in range(len(expected))]
    for name, layer in zip(extracted, expected):
        torch.testing.assert_close(extracted[name], layer, rtol=1e-4, atol=1e-5)


def test_each_row_knows_its_document_position_and_token(tiny):
    _, tokenizer = tiny
    activations = Activations(texts=TEXTS, cache=None)
    _, _, documents = next(activations.layers(Context()))
    lengths = [len(tokenizer(text)["input_ids"]) for text in TEXTS]
    assert documents.bincount().tolist() == lengths
    assert activations.positions(Context()).tolist() == [place for length in lengths for place in range(length)]
    tokens = activations.tokens(Context())
    assert len(tokens) == sum(lengths)
    for document, text in enumerate(TEXTS):
        in_document = [token for token, where in zip(tokens, documents.tolist()) if where == document]
        assert "".join(in_document) == text.replace(" ", "")


def test_the_residual_stream_adds_up(tiny):
    """h_{l+1} = h_l + attention_l + mlp_l in every block but the last, behind which comes the final normalisation."""
    hidden, mlp, attention = (
        list(rows(Activations(texts=TEXTS, cache=None, what=what)).values()) for what in ("hidden", "mlp", "attention")
    )
    for depth in range(len(mlp) - 1):
        torch.testing.assert_close(
            hidden[depth + 1], hidden[depth] + attention[depth] + mlp[depth], rtol=1e-4, atol=1e-4
        )


def test_inner_activations_are_behind_the_nonlinearity(tiny):
    network, tokenizer = tiny
    inner = rows(Activations(texts=TEXTS[:1], cache=None, what="mlp_inner"))
    with capture(network, ["h.1.mlp.act"]) as outputs, torch.no_grad():
        network(torch.tensor([tokenizer(TEXTS[0])["input_ids"]]))
    torch.testing.assert_close(inner["mlp_inner.1"], outputs["h.1.mlp.act"][0], rtol=1e-4, atol=1e-5)


def test_modules_by_glob_and_layers_by_number():
    by_glob = rows(Activations(texts=TEXTS, cache=None, what="modules", modules=("h.*.mlp",)))
    by_site = rows(Activations(texts=TEXTS, cache=None, what="mlp", depths=(0, -1)))
    last = len(by_glob) - 1
    assert list(by_site) == ["mlp.0", f"mlp.{last}"]
    assert torch.equal(by_site["mlp.0"], by_glob["h.0.mlp"])
    assert torch.equal(by_site[f"mlp.{last}"], by_glob[f"h.{last}.mlp"])


def test_a_causal_head_has_the_same_hidden_states():
    bare = rows(Activations(texts=TEXTS, cache=None))
    causal = rows(Activations(LanguageModel(head="causal"), texts=TEXTS, cache=None))
    for name, layer in bare.items():
        torch.testing.assert_close(causal[name], layer)


def test_windows_do_not_matter_to_short_texts_and_keep_their_context_in_long_ones(tiny):
    network, tokenizer = tiny
    whole = rows(Activations(texts=TEXTS, cache=None))
    cut = rows(Activations(texts=TEXTS, cache=None, window=24, overlap=6))
    for name, layer in whole.items():
        torch.testing.assert_close(cut[name], layer, rtol=1e-4, atol=1e-5)

    text = " ".join(TEXTS)
    ids = tokenizer(text)["input_ids"]
    layer = rows(Activations(texts=(text,), cache=None, window=16, overlap=6))["hidden.2"]
    assert len(layer) == len(ids) > 26
    with torch.no_grad():
        second = network(torch.tensor([ids[10:26]]), output_hidden_states=True).hidden_states[2][0]
    torch.testing.assert_close(layer[16:26], second[6:], rtol=1e-4, atol=1e-5)


def test_max_tokens_takes_the_first_ones():
    whole = rows(Activations(texts=TEXTS, cache=None))["hidden.1"]
    first = rows(Activations(texts=TEXTS, cache=None, max_tokens=11))["hidden.1"]
    torch.testing.assert_close(first, whole[:11], rtol=1e-4, atol=1e-5)


def test_special_tokens_are_read_but_have_no_row(tiny, tmp_path):
    """A tokenizer that puts a token before and behind every text, as BERT's and Llama's do."""
    network, _ = tiny
    model = copy_of_tiny(tmp_path / "framed")
    file = tmp_path / "framed" / "tokenizer.json"
    record = json.loads(file.read_text())
    end, number = "<|endoftext|>", network.config.eos_token_id
    single = [{"SpecialToken": {"id": end, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    special = {end: {"id": end, "ids": [number], "tokens": [end]}}
    template = {"type": "TemplateProcessing", "single": [*single, single[0]], "pair": single, "special_tokens": special}
    file.write_text(json.dumps({**record, "post_processor": template}))

    framed = rows(Activations(model, texts=TEXTS, cache=None))["hidden.2"]
    tokenizer = model.load_tokenizer()
    expected = []
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        assert (ids[0], ids[-1]) == (number, number)
        with torch.no_grad():
            expected.append(network(torch.tensor([ids]), output_hidden_states=True).hidden_states[2][0, 1:-1])
    torch.testing.assert_close(framed, torch.cat(expected), rtol=1e-4, atol=1e-5)

    inside = Activations(texts=(f"One{end}two",), cache=None)
    assert end not in inside.tokens(Context())


def test_a_local_folder_is_the_same_as_the_embedded_model(tmp_path):
    model = copy_of_tiny(tmp_path / "copy")
    assert model.fingerprint() == LanguageModel("tiny").fingerprint()
    local, embedded = (rows(Activations(m, texts=TEXTS, cache=None)) for m in (model, LanguageModel("tiny")))
    assert all(torch.equal(local[name], embedded[name]) for name in embedded)


def test_half_precision_is_stored_as_it_is_and_read_as_float32(tmp_path):
    half = rows(Activations(LanguageModel(dtype="bfloat16"), texts=TEXTS, cache=str(tmp_path)))
    full = rows(Activations(texts=TEXTS, cache=None))
    assert half["hidden.1"].dtype == torch.float32
    torch.testing.assert_close(half["hidden.1"], full["hidden.1"], rtol=0.1, atol=0.1)


class Loads:
    """Counts how often a network is loaded."""

    def __init__(self, monkeypatch):
        self.count = 0
        load = LanguageModel.load_network

        def counted(model, device="cpu"):
            self.count += 1
            return load(model, device)

        monkeypatch.setattr(LanguageModel, "load_network", counted)


def test_the_second_run_reads_the_cache_and_any_change_misses_it(monkeypatch, tmp_path):
    loads = Loads(monkeypatch)
    model = copy_of_tiny(tmp_path / "model")
    text = tmp_path / "text.txt"
    text.write_text(TEXTS[1])
    settings = {"model": model, "files": (str(text),), "cache": str(tmp_path / "cache")}
    first = rows(Activations(**settings))
    again = rows(Activations(**settings))
    assert loads.count == 1
    assert all(torch.equal(first[name], again[name]) for name in first)

    changes = ({"what": "mlp"}, {"depths": (1,)}, {"max_tokens": 5}, {"window": 20, "overlap": 2}, {"batch_size": 2})
    for count, change in enumerate(changes, start=2):
        rows(Activations(**{**settings, **change}))
        assert loads.count == count, change

    text.write_text(TEXTS[1] + " More.")
    longer = rows(Activations(**settings))
    assert loads.count == 7
    assert len(longer["hidden.0"]) > len(first["hidden.0"])

    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1
    weights.write_bytes(content)
    rows(Activations(**settings))
    assert loads.count == 8


def test_a_half_written_cache_is_computed_again_with_a_warning(monkeypatch, tmp_path):
    loads = Loads(monkeypatch)
    activations = Activations(texts=TEXTS, cache=str(tmp_path))
    first = {name: layer.clone() for name, layer in rows(activations).items()}
    (file,) = tmp_path.glob("*/layer_001.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"half-written .*layer_001.safetensors.*computing them again"):
        again = rows(activations)
    assert loads.count == 2
    assert all(torch.equal(first[name], again[name]) for name in first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows(activations)


def test_one_batch_is_in_memory_at_a_time(monkeypatch, tmp_path):
    """The live activations do not grow with the number of batches."""
    import weakref

    alive, most = weakref.WeakSet(), []
    read = extract.Reader.read

    def watched(reader, ids, mask):
        most.append(sum(layer.numel() for layer in alive))
        layers = read(reader, ids, mask)
        alive.update(layers.values())
        return layers

    monkeypatch.setattr(extract.Reader, "read", watched)
    rows(
        Activations(texts=tuple(f"{text} {number}" for number in range(4) for text in TEXTS), cache=None, batch_size=1)
    )
    assert len(most) == 12
    longest = 40 * 5 * 200  # tokens, layers and dimensions of one batch, generously
    assert max(most) < longest


def test_nan_activations_name_the_layer(tmp_path):
    from safetensors.torch import load_file, save_file

    model = copy_of_tiny(tmp_path / "broken")
    file = tmp_path / "broken" / "model.safetensors"
    weights = load_file(file)
    (name,) = [name for name in weights if name.endswith("h.1.mlp.c_proj.bias")]
    weights[name][0] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"layer 'hidden.2' has NaN"):
        rows(Activations(model, texts=TEXTS, cache=str(tmp_path / "cache")))
    assert not list((tmp_path / "cache").glob("*/layer*"))


def test_models_that_cannot_be_used_say_why(tmp_path, monkeypatch, caplog):
    with pytest.raises(FileNotFoundError, match=r"no folder at './nowhere'"):
        rows(Activations(LanguageModel("./nowhere"), cache=None))
    with pytest.raises(ModelError, match=r"Hugging Face hub.*model=tiny"):
        rows(Activations(LanguageModel("openai-community/gpt2-that-is-not-here"), cache=None))

    reports = logging.getLogger("huggingface_hub.file_download")

    def tries_in_vain(*_, **__):
        reports.warning("Retrying in 1s [Retry 1/5].")
        raise OSError("no network\nhere.")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", tries_in_vain)
    with pytest.raises(ModelError, match=r"gpt2.* OSError no network here\. It is") as error:
        rows(Activations(LanguageModel("gpt2"), cache=None))
    assert "\n" not in str(error.value) and caplog.text == ""

    def tries_for_long(*_, **__):
        time.sleep(0.2)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", tries_for_long)
    monkeypatch.setattr("lmi.activations.loading.HUB_PATIENCE", 0.05)
    with pytest.raises(ModelError, match="no network"):
        rows(Activations(LanguageModel("gpt2"), cache=None))
    assert [record.message for record in caplog.records] == ["waiting for the Hugging Face hub, asked for 'gpt2'"]

    with pytest.raises(ModelError, match=r"revision is 'v2', but 'tiny' is not on the hub"):
        rows(Activations(LanguageModel("tiny", revision="v2"), cache=None))

    without = copy_of_tiny(tmp_path / "without")
    for file in (tmp_path / "without").glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="no tokenizer"):
        rows(Activations(without, cache=None))

    pickled = copy_of_tiny(tmp_path / "pickled")
    torch.save({}, tmp_path / "pickled" / "pytorch_model.bin")
    (tmp_path / "pickled" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="safetensors"):
        rows(Activations(pickled, cache=None))


def test_weights_that_would_be_random_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    model = copy_of_tiny(tmp_path / "partly")
    file = tmp_path / "partly" / "model.safetensors"
    weights = load_file(file)
    (name,) = [name for name in weights if name.endswith("h.0.attn.c_attn.weight")]
    del weights[name]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"no trained weights for h.0.attn.c_attn.weight"):
        model.load_network()


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"did you mean 'h.0.mlp'"):
        rows(Activations(texts=TEXTS, what="modules", modules=("h.0.mpl",), cache=None))
    with pytest.raises(ValueError, match="there is no mlp layer 99"):
        rows(Activations(texts=TEXTS, what="mlp", depths=(99,), cache=None))
    with pytest.raises(ValueError, match="give modules with what=modules"):
        Activations(what="modules")
    with pytest.raises(ValueError, match="overlap"):
        Activations(window=8, overlap=8)
    with pytest.raises(ValueError, match="batch_size is 0"):
        Activations(batch_size=0)
    with pytest.raises(ValueError, match="window is 5000; 'tiny' reads 256"):
        rows(Activations(texts=TEXTS, window=5000, cache=None))
    with pytest.raises(ValueError, match="the texts have 1 tokens"):
        rows(Activations(texts=("a",), cache=None))


def test_two_processes_can_want_the_same_activations(tmp_path):
    """Threads stand for them: the file lock keeps both apart."""
    from concurrent.futures import ThreadPoolExecutor

    activations = Activations(texts=TEXTS, cache=str(tmp_path))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: rows(activations), range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_describe_is_json_and_names_the_weights():
    facts = Activations(texts=TEXTS).describe()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["model_from"] == "lmi"
    assert facts["documents"] == 3
