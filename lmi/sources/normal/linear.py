"""A linear layer with unit Gaussian input: the one layer whose modules' information is known in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs


@dataclass(frozen=True, eq=False)
class NormalLinear:
    """y = W x + b with x ~ N(0, I).

    Args:
        weight: (out, in).
        bias: (out,), zero where ``None``; it carries no information.

    >>> layer = NormalLinear(torch.tensor([[1.0, 0.0], [0.6, 0.8]]))
    >>> layer.cov
    tensor([[1.0000, 0.6000],
            [0.6000, 1.0000]], dtype=torch.float64)
    """

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """(n, in) -> (n, out), in the type of ``x``."""
        return torch.nn.functional.linear(x, self.weight.to(x), None if self.bias is None else self.bias.to(x))

    @property
    def cov(self) -> Tensor:
        """(out, out) W W^T in float64: what ``lmi.gaussian_mi`` asks for."""
        return self.weight.double() @ self.weight.double().T

    def inputs(self, num_samples: int, generator: torch.Generator) -> Tensor:
        """(n, in) draws of x in float64."""
        return torch.randn(num_samples, self.weight.shape[1], generator=generator, dtype=torch.float64)


@dataclass(frozen=True)
class LinearModules:
    """A ``NormalLinear`` with random weights and planted modules; yields its first two modules as pairs.

    Module b reads its own block of inputs with unit weights and the other inputs with weights ``coupling`` times as
    large: 1 plants nothing, 0 makes modules independent.

    Args:
        num_inputs: inputs, dealt to the modules in contiguous blocks.
        module_sizes: neurons of each module.
        coupling: see above.
        weight_seed: of the weights; the run's seed draws the samples only.
        shuffled: put the neurons in a random order, so that modules have to be found.

    >>> layer, labels = LinearModules(15, (3, 4)).build()
    >>> layer.weight.shape, labels.tolist()
    (torch.Size([7, 15]), [0, 0, 0, 1, 1, 1, 1])
    """

    num_inputs: Annotated[int, Field(ge=1)]
    module_sizes: tuple[Annotated[int, Field(ge=1)], ...]
    coupling: Annotated[float, Field(ge=0)] = 1.0
    weight_seed: int = 0
    shuffled: bool = False

    def build(self) -> tuple[NormalLinear, Tensor]:
        """The layer, and (out,) labels of its modules.

        Raises:
            ValueError: for fewer inputs than modules.
        """
        if self.num_inputs < len(self.module_sizes):
            raise ValueError(
                f"{self.num_inputs} inputs for {len(self.module_sizes)} modules: expected one each at least"
            )
        generator = torch.Generator().manual_seed(self.weight_seed)
        labels = torch.repeat_interleave(torch.arange(len(self.module_sizes)), torch.tensor(self.module_sizes))
        owner = torch.arange(self.num_inputs) * len(self.module_sizes) // self.num_inputs
        weight = torch.randn(len(labels), self.num_inputs, generator=generator, dtype=torch.float64)
        weight = weight * torch.where(labels[:, None] == owner, 1.0, self.coupling) / self.num_inputs**0.5
        if self.shuffled:
            order = torch.randperm(len(labels), generator=generator)
            weight, labels = weight[order], labels[order]
        return NormalLinear(weight), labels

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """See ``lmi.types.Source``: x and y are the first two modules, ``truth`` is theirs.

        Raises:
            ValueError: for ``None`` samples (there is no end of them), or fewer than two modules.
        """
        num_samples = sample_count(num_samples)
        if len(self.module_sizes) < 2:
            raise ValueError(f"{len(self.module_sizes)} modules: expected at least two, to pair")
        layer, labels = self.build()
        two = torch.cat([(labels == 0).nonzero(), (labels == 1).nonzero()]).flatten()
        pair = NormalLinear(layer.weight[two])
        y = pair(pair.inputs(num_samples, generator))
        size = self.module_sizes[0]
        return Pairs(y[:, :size], y[:, size:], truth=_shared(pair.weight, size))


def _shared(weight: Tensor, size: int) -> float:
    """MI in nats of the first ``size`` rows of W x with the others, on their supports: log |S|_+ = 2 sum log sv(W)."""
    parts = [torch.linalg.svdvals(part) for part in (weight[:size], weight[size:], weight)]
    real = [part[part > 1e-12 * parts[2][0]] for part in parts]
    if len(real[0]) + len(real[1]) > len(real[2]):
        return math.inf
    return float(real[0].log().sum() + real[1].log().sum() - real[2].log().sum())
