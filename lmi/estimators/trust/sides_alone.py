"""Is each side alone as likely as a density of the pairs says? A density that is exact for pairs is exact for either side.

Noise that grows with the signal, or a curve, leaves the pairs to a density of heavy tails or of two humps that neither side
has. A side alone has far more power to show that than the pairs have to show what is right.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lmi.estimators.densities.mixture import Mixture, fit_mixture


class SidesAlone(NamedTuple):
    """How much likelier the clearer side is under as many densities of its own.

    Args:
        twice: 2 (log likelihood under its own - under those of the pairs): within about 5 where the density is exact.
        nats: half of it, nats a sample.
    """

    twice: float
    nats: float


def sides_alone(x: Tensor, y: Tensor, model: Mixture, generator: torch.Generator) -> SidesAlone:
    """Hold the sides of ``model`` against mixtures of as many t densities that are fitted to one side alone.

    Args:
        x: (n, dx) the samples that the model was fitted to.
        y: (n, dy).
        model: of the pairs.
        generator: starts the fits.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, e = torch.randn(2, 600, 2, generator=g, dtype=torch.float64)
    >>> sides = lambda y: sides_alone(x, y, fit_mixture(x, y, 1, g), g).twice
    >>> sides(x + e) < 6, sides(x + x.abs() * e) > 15
    (True, True)
    """
    count = model.weights.numel()
    gains = []
    for z, side in ((x, slice(0, model.dx)), (y, slice(model.dx, None))):
        alone = fit_mixture(z, z[:, :0], count, generator, iterations=100, tolerance=1e-4)
        gains.append(float((alone.log_density(z.double()) - model.log_density(z.double(), side)).sum()))
    return SidesAlone(2 * max(gains), max(gains) / x.shape[0])
