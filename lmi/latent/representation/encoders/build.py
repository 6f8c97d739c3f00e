"""Which encoder, by its name or by the shape of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from lmi.latent.representation.encoders.conv import conv
from lmi.latent.representation.encoders.conv1d import conv1d
from lmi.latent.representation.encoders.mlp import mlp
from lmi.latent.representation.encoders.pooled import pooled
from lmi.latent.representation.encoders.residual import residual
from lmi.latent.representation.encoders.transformer import transformer
from lmi.latent.representation.encoders.weights import seeded

EncoderName = Literal["auto", "mlp", "residual", "conv", "conv1d", "transformer", "pooled", "pretrained"]
Build = Callable[[tuple[int, ...], int, int], nn.Module]

ENCODERS: dict[str, Build] = {
    "mlp": mlp,
    "residual": residual,
    "conv": conv,
    "conv1d": conv1d,
    "transformer": transformer,
    "pooled": pooled,
    "pretrained": mlp,  # of the features of a frozen network, see ``lmi.latent.representation.encoders.pretrained``
}
PICTURES, SEQUENCES = "pictures (n, channels, height, width)", "sequences (n, length, channels)"
# Axes of a sample, where an encoder asks for so many, and what has them.
AXES: dict[str, dict[int, str]] = {
    "conv": {3: PICTURES},
    "conv1d": {2: SEQUENCES},
    "transformer": {2: SEQUENCES},
    "pooled": {2: SEQUENCES, 3: PICTURES},
}


def encoder_for(name: EncoderName, shape: tuple[int, ...]) -> str:
    """The name itself, or for ``auto`` what suits a sample of this shape.

    Raises:
        ValueError: where the encoder does not take such samples.

    >>> [encoder_for("auto", shape) for shape in ((100,), (24, 2), (1, 16, 16))]
    ['mlp', 'conv1d', 'conv']
    """
    if name == "auto":
        return {1: "mlp", 2: "conv1d", 3: "conv"}[len(shape)]
    wanted = AXES.get(name, {})
    if wanted and len(shape) not in wanted:
        raise ValueError(f"encoder={name!r} takes {' or '.join(wanted.values())}; a sample here has shape {shape}")
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
