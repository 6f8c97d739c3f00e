"""The networks: perceptrons and dropout that draw from a generator of their own, never from the global random state."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lmi.neural.pair_kernel import pair_scores


class SeededDropout(nn.Module):
    """Dropout whose masks come from a generator, reseeded by the training loop at every step.

    Args:
        p: probability of a zero.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, z: Tensor) -> Tensor:
        """(b, d) z (b, d), in training with zeros in it."""
        if not self.training:
            return z
        kept = torch.rand(z.shape, device=z.device, dtype=torch.float32, generator=self.generator) >= self.p
        return z * kept.to(z.dtype).mul_(1 / (1 - self.p))


def perceptron(
    sizes: Sequence[int],
    generator: torch.Generator,
    slope: float = 0.2,
    dropout: float = 0.0,
    last_activation: bool = False,
) -> nn.Sequential:
    """Linear layers with LeakyReLU between them, Xavier-uniform weights and zero biases.

    Args:
        sizes: widths, input first.
        generator: draws the weights.
        slope: of the LeakyReLU.
        dropout: probability before each linear layer; 0 leaves the layers out.
        last_activation: whether the output passes the LeakyReLU too.
    """
    layers: list[nn.Module] = []
    for i, (width_in, width_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        if dropout > 0:
            layers.append(SeededDropout(dropout))
        layers.append(linear(width_in, width_out, generator))
        if last_activation or i < len(sizes) - 2:
            layers.append(nn.LeakyReLU(slope))
    return nn.Sequential(*layers)


def linear(width_in: int, width_out: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with weights drawn from ``generator``; building it leaves the global random state alone."""
    layer = nn.Linear(width_in, width_out, device="meta").to_empty(device="cpu")
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class JointCritic(nn.Module):
    """A small perceptron on the concatenated latents, evaluated on all pairs of a batch: (b, l), (b, l) -> (b, b).

    Its first layer is a sum of a part of x and a part of y, so all b^2 hidden layers cost 2 b products and b^2 additions.

    Args:
        latent_dim: l.
        hidden: units of the hidden layer.
        generator: draws the weights.
        compiled: float32 latents on a CPU only, through ``pair_scores``, which never holds the hidden layers.
    """

    def __init__(self, latent_dim: int, hidden: int, generator: torch.Generator, compiled: bool = False) -> None:
        super().__init__()
        self.compiled = compiled
        self.from_x = linear(latent_dim, hidden, generator)
        self.from_y = linear(latent_dim, hidden, generator)
        self.out = linear(hidden, 1, generator)

    def forward(self, zx: Tensor, zy: Tensor) -> Tensor:
        """(b, c) scores of zx (b, l) with all of zy (c, l)."""
        if self.compiled:
            return pair_scores(self.from_x(zx), self.from_y(zy), self.out.weight[0]) + self.out.bias
        hidden = (self.from_x(zx)[:, None, :] + self.from_y(zy)[None, :, :]).relu_()
        return self.out(hidden).squeeze(-1)
