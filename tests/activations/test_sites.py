import pytest
import torch
from torch import nn
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    BloomConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MambaConfig,
    OPTConfig,
)

from lmi.activations.reader import Reader
from lmi.activations.sites import block_names, site_modules

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
}
CONFIGS = {
    "llama": LlamaConfig(**SIZES, num_key_value_heads=2),
    "gpt_neox": GPTNeoXConfig(**SIZES),
    "bert": BertConfig(**SIZES),
    "opt": OPTConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, ffn_dim=24, word_embed_proj_dim=16
    ),
    "bloom": BloomConfig(vocab_size=50, hidden_size=16, n_layer=3, n_head=2),
}


def network_of(config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModel.from_config(config).eval()


@pytest.mark.parametrize("family", CONFIGS)
def test_parts_of_the_families_are_found(family):
    network = network_of(CONFIGS[family])
    ids = torch.arange(12).reshape(2, 6)
    mask = torch.ones_like(ids)
    read = {
        what: list(Reader(network, what, (), None).read(ids, mask).values())
        for what in ("hidden", "mlp", "mlp_inner", "attention")
    }
    assert [len(layers) for layers in read.values()] == [4, 3, 3, 3]
    assert read["mlp_inner"][0].shape == (2, 6, 64 if family == "bloom" else 24)
    if family != "bert":  # normalises behind each sum
        for depth in range(2):
            added = read["hidden"][depth] + read["attention"][depth] + read["mlp"][depth]
            torch.testing.assert_close(read["hidden"][depth + 1], added, rtol=1e-4, atol=1e-5)
    else:
        block = network.encoder.layer[0]
        middle = block.attention.output.LayerNorm(read["hidden"][0] + read["attention"][0])
        torch.testing.assert_close(read["hidden"][1], block.output.LayerNorm(middle + read["mlp"][0]))


def test_what_is_not_there_is_said_with_what_is():
    mamba = network_of(MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, state_size=4))
    with pytest.raises(ValueError, match=r"block 'layers.0' of MambaModel has no attention.*mixer.out_proj"):
        site_modules(mamba, "attention", 2)
    albert = network_of(AlbertConfig(**SIZES, embedding_size=8))
    with pytest.raises(ValueError, match="AlbertModel keeps no list of 3 blocks"):
        block_names(albert, 3)


def test_the_outermost_list_is_that_of_the_blocks():
    block = nn.Module()
    block.experts = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
    network = nn.Module()
    network.layers = nn.ModuleList([block, nn.Module()])
    assert block_names(network, 2) == ["layers.0", "layers.1"]
