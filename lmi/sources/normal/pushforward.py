"""Maps that bend the samples and leave the mutual information as it is.

I(f(X); g(Y)) = I(X; Y) for injective f and g. Czyz, Grabowski, Vogt, Beerenwinkel, Marx, Beyond normal: on the
evaluation of mutual information estimators, NeurIPS (2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.types import Pairs, Source

MapName = Literal["coordinates", "tanh", "cubic", "exp", "asinh", "rotation", "spiral", "network"]

MONOTONE: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "cubic": lambda z: z**3,
    "exp": torch.exp,
    "asinh": lambda z: torch.asinh(4 * z),
}


@dataclass(frozen=True)
class Pushforward:
    """Another source's samples, each side pushed through a chain of injective maps.

    Args:
        source: where the samples and the truth come from.
        maps: applied in this order to x and to y, each to columns of unit variance: ``tanh``, ``cubic``, ``exp``,
            ``asinh`` act on every coordinate; ``coordinates`` draws tanh, cubic or exp for each; ``rotation`` is a
            random one; ``spiral`` turns pairs of coordinates by an angle that grows with the norm; ``network`` is a
            random residual network that mixes all coordinates.
        spiral_turn: radians at a norm of sqrt(d).

    >>> from lmi.sources.normal.gaussian import LowRankGaussian
    >>> source = Pushforward(LowRankGaussian(bits=1.0, x_dim=4, y_dim=4), ("coordinates",))
    >>> source.sample(10, torch.Generator().manual_seed(0)).x.shape
    torch.Size([10, 4])
    """

    source: Source
    maps: tuple[MapName, ...] = ("coordinates",)
    spiral_turn: Annotated[float, Field(gt=0)] = 1.5

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """Mapped samples with the truth and the core of the source."""
        pairs = self.source.sample(num_samples, generator)
        return Pairs(self._push(pairs.x, generator), self._push(pairs.y, generator), pairs.truth, pairs.core)

    def _push(self, z: Tensor, generator: torch.Generator) -> Tensor:
        for name in self.maps:
            z = (z - z.mean(0)) / z.std(0)
            d = z.shape[1]
            if name == "rotation":
                z = z @ torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=z.dtype)).Q
            elif name == "spiral":
                z = spiral(z, self.spiral_turn / d)
            elif name == "network":
                z = residual_network(z, generator)
            elif name == "coordinates":
                kinds = torch.randint(3, (d,), generator=generator)
                for kind, function in enumerate((MONOTONE["tanh"], MONOTONE["cubic"], MONOTONE["exp"])):
                    z[:, kinds == kind] = function(z[:, kinds == kind])
            else:
                z = MONOTONE[name](z)
        return z


def spiral(z: Tensor, speed: float) -> Tensor:
    """Turn coordinates (0, 1), (2, 3), ... by ``speed * |z|^2`` radians: norms, and so the inverse, are kept.

    >>> z = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> bool(torch.allclose(spiral(spiral(z, 0.3), -0.3), z))
    True
    """
    angle = speed * (z**2).sum(1)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    pairs = z.shape[1] // 2 * 2
    a, b = z[:, 0:pairs:2], z[:, 1:pairs:2]
    out = z.clone()
    out[:, 0:pairs:2], out[:, 1:pairs:2] = cos * a - sin * b, sin * a + cos * b
    return out


def residual_network(z: Tensor, generator: torch.Generator, layers: int = 3, slope: float = 0.8) -> Tensor:
    """z + s tanh(2 z Q) R / 2 in each of several layers, Q and R random rotations.

    What is added is a contraction for s < 1, so that each layer can be inverted. Behrmann, Grathwohl, Chen, Duvenaud,
    Jacobsen, Invertible residual networks, ICML (2019).

    Args:
        z: (n, d).
        generator: draws the rotations.
        layers: how many.
        slope: s, the most that a layer adds, as a share of the distance of two points.

    >>> g = torch.Generator().manual_seed(0)
    >>> z = torch.randn(40, 3, generator=g, dtype=torch.float64)
    >>> bool((torch.cdist(residual_network(z, g, 1), z) > 0).all())
    True
    """
    d = z.shape[1]
    for _ in range(layers):
        first, second = (
            torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=z.dtype)).Q.to(z.dtype) for _ in range(2)
        )
        z = z + 0.5 * slope * torch.tanh(2 * z @ first) @ second
    return z
