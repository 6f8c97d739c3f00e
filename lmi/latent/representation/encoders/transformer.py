"""Attention over the steps of a sequence. Vaswani et al., NeurIPS (2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HEADS, LAYERS = 4, 2


class TransformerEncoder(nn.Module):
    """(b, length, channels) -> (b, latent_dim): two layers of attention with learned places, read at a step of its own.

    Args:
        channels: of a step.
        length: of the sequences.
        latent_dim: latents.
        wide: columns of a step inside, a multiple of 4.
    """

    def __init__(self, channels: int, length: int, latent_dim: int, wide: int) -> None:
        super().__init__()
        self.into = nn.Linear(channels, wide)
        self.places = nn.Parameter(torch.empty(length + 1, wide))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(wide, HEADS, 2 * wide, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(LAYERS)
        )
        self.head = nn.Sequential(nn.LayerNorm(wide), nn.Linear(wide, latent_dim))

    def forward(self, z: Tensor) -> Tensor:
        """(b, latent_dim) of sequences z (b, length, channels)."""
        z = self.into(z)
        z = torch.cat((torch.zeros_like(z[:, :1]), z), 1) + self.places
        for layer in self.layers:
            z = layer(z)
        return self.head(z[:, 0])


def transformer(shape: tuple[int, ...], latent_dim: int, width: int) -> nn.Module:
    """A ``TransformerEncoder`` of sequences of shape (length, channels), twice ``width`` columns wide inside."""
    return TransformerEncoder(shape[1], shape[0], latent_dim, max(HEADS, 2 * width // HEADS * HEADS))
