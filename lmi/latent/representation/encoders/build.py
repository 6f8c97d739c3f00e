"""Which encoder, by its name or by the shape of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from lmi.latent.representation.encoders.conv import conv
from lmi.latent.representation.encoders.conv1d import conv1d
from lmi.latent.representation.encoders.mlp import mlp
from lmi.latent.representation.encoders.residual import residual
from lmi.latent.representation.encoders.transformer import transformer
from lmi.latent.representation.encoders.weights import seeded

EncoderName = Literal["auto", "mlp", "residual", "conv", "conv1d", "transformer", "pretrained"]
Build = Callable[[tuple[int, ...], int, int], nn.Module]

ENCODERS: dict[str, Build] = {
    "mlp": mlp,
    "residual": residual,
    "conv": conv,
    "conv1d": conv1d,
    "transformer": transformer,
    "pretrained": mlp,  # of the features of a frozen network, see ``lmi.latent.representation.encoders.pretrained``
}
AXES = {"conv": 3, "conv1d": 2, "transformer": 2}  # of a sample, where an encoder asks for so many


def encoder_for(name: EncoderName, shape: tuple[int, ...]) -> str:
    """The name itself, or for ``auto`` what suits a sample of this shape.

    Raises:
        ValueError: where the encoder does not take such samples.

    >>> [encoder_for("auto", shape) for shape in ((100,), (24, 2), (1, 16, 16))]
    ['mlp', 'conv1d', 'conv']
    """
    if name == "auto":
        return {1: "mlp", 2: "conv1d", 3: "conv"}[len(shape)]
    if AXES.get(name, len(shape)) != len(shape):
        wanted = {3: "pictures (n, channels, height, width)", 2: "sequences (n, length, channels)"}[AXES[name]]
        raise ValueError(f"encoder={name!r} takes {wanted}; a sample here has shape {shape}")
    return name


def build_encoder(
    name: EncoderName, shape: tuple[int, ...], latent_dim: int, width: int, generator: torch.Generator
) -> nn.Module:
    """A network (b, *shape) -> (b, latent_dim).

    Args:
        name: see ``encoder_for``.
        shape: of a sample.
        latent_dim: latents.
        width: channels of the first layer of filters, or an eighth of a perceptron's width.
        generator: draws the first weights.

    Raises:
        ValueError: where the encoder does not take such samples.
    """
    build = ENCODERS[encoder_for(name, shape)]
    return seeded(lambda: build(shape, latent_dim, width), generator)
