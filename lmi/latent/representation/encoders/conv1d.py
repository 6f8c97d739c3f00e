"""Filters for sequences: three layers, each seeing twice as far, then a perceptron that knows which step is which."""

from __future__ import annotations

from torch import Tensor, flatten, nn

from lmi.latent.representation.encoders.step_dropout import StepDropout


class Conv1dEncoder(nn.Module):
    """(b, length, channels) -> (b, latent_dim).

    Args:
        channels: of a step.
        length: of the sequences.
        latent_dim: latents.
        width: filters of each layer are twice as many.
    """

    def __init__(self, channels: int, length: int, latent_dim: int, width: int) -> None:
        super().__init__()
        wide = 2 * width
        self.first = nn.Conv1d(channels, wide, 5, padding=2)
        self.further = nn.ModuleList(nn.Conv1d(wide, wide, 3, padding=by, dilation=by) for by in (2, 4))
        self.head = nn.Sequential(nn.Linear(wide * length, 4 * wide), nn.GELU(), nn.Linear(4 * wide, latent_dim))
        self.dropouts = nn.ModuleList(StepDropout() for _ in range(2))  # before each layer of the head

    def forward(self, z: Tensor) -> Tensor:
        """(b, latent_dim) of sequences z (b, length, channels)."""
        z = nn.functional.gelu(self.first(z.transpose(1, 2)))
        for layer in self.further:
            z = z + nn.functional.gelu(layer(z))
        first, bend, last = self.head
        before_first, before_last = self.dropouts
        return last(before_last(bend(first(before_first(flatten(z, 1))))))


def conv1d(shape: tuple[int, ...], latent_dim: int, width: int) -> nn.Module:
    """A ``Conv1dEncoder`` of sequences of shape (length, channels)."""
    return Conv1dEncoder(shape[1], shape[0], latent_dim, width)
