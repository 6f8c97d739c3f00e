"""Frozen pretrained networks: what a text model says of tokens or a vision model of pictures, before an encoder learns.

A frozen network is a function of the samples, so the data processing inequality holds for what is learned from its features.
They are computed once, and kept beside the activations on disk.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor

from lmi.activations.model import LanguageModel, require_vocabulary
from lmi.files import whole_file

ROWS = 64  # samples a forward pass
FORMAT = 1


def pretrained_features(model: LanguageModel, z: Tensor, device: str = "cpu", cache: str | None = None) -> Tensor:
    """(n, width) float32: the last hidden state's mean over tokens or patches, and its last token beside it.

    Args:
        model: a local folder, "tiny", or a model on the hub, in safetensors.
        z: token numbers (n, length) or (n, length, 1) for a text model; pictures (n, channels, height, width), scaled as the
            network was trained, for a vision model.
        device: where the network runs.
        cache: folder that keeps the features; ``None`` keeps nothing.

    Raises:
        ModelError: for a model that cannot be had or used.
        ValueError: for samples that the network cannot read.

    >>> tokens = torch.tensor([[5, 6, 7], [8, 9, 10]])
    >>> pretrained_features(LanguageModel("tiny"), tokens, cache=None).shape[0]
    2
    """
    pinned = model.pinned()
    if cache is None:
        return _compute(pinned, z, device)
    facts = (FORMAT, pinned.fingerprint(), pinned.dtype, tuple(z.shape), torch.__version__)
    versions = (*facts, importlib.metadata.version("transformers"))
    digest = hashlib.blake2b(repr(versions).encode() + z.contiguous().numpy().tobytes(), digest_size=16).hexdigest()
    path = Path(cache).expanduser() / f"features-{digest}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            with whole_file(path) as partial:
                save_file({"features": _compute(pinned, z, device)}, partial)
        return load_file(path)["features"]


@torch.no_grad()
def _compute(model: LanguageModel, z: Tensor, device: str) -> Tensor:
    network: Any = model.load_network(device)
    reads = network.main_input_name
    if reads == "input_ids":
        z = _tokens(z, model.name)
        require_vocabulary(network, [z.flatten()], model.name)
        longest = getattr(network.config.get_text_config(), "max_position_embeddings", None) or z.shape[1]
        if z.shape[1] > longest:
            raise ValueError(f"model {model.name!r} reads {longest} tokens at most; samples here have {z.shape[1]}")
    elif z.ndim != 4:
        raise ValueError(
            f"model {model.name!r} reads {reads}: pictures (n, channels, height, width); samples here have shape "
            f"{tuple(z.shape[1:])}"
        )
    blocks = []
    for block in z.split(ROWS):
        given = block if reads == "input_ids" else block.to(next(network.parameters()).dtype)
        state = network(**{reads: given.to(device)}).last_hidden_state.float()
        if state.ndim == 4:  # convolutional networks: (b, width, height, across)
            state = state.flatten(2).transpose(1, 2)
        blocks.append(torch.cat((state.mean(1), state[:, -1]), 1).cpu())
    return torch.cat(blocks)


def _tokens(z: Tensor, name: str) -> Tensor:
    """(n, length) whole numbers.

    Raises:
        ValueError: for anything else.
    """
    z = z[..., 0] if z.ndim == 3 and z.shape[2] == 1 else z
    if z.ndim != 2 or bool((z != z.round()).any()) or bool((z < 0).any()):
        raise ValueError(
            f"model {name!r} reads token numbers (n, length) or (n, length, 1), whole and not negative; "
            f"samples here have shape {tuple(z.shape[1:])}, values from {float(z.min()):g} to {float(z.max()):g}"
        )
    return z.long()
