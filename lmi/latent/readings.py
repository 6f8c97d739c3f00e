"""KSG of held-out latents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from lmi.estimators.neighbors.ksg import Variant, ksg_estimate, repeats
from lmi.types import Context, Estimate


class KSGReading(Protocol):
    """Settings of the reading: neighbours and null."""

    @property
    def k(self) -> int:
        """Neighbours."""
        ...

    @property
    def permutations(self) -> int:
        """Size of the null; 0 leaves it out."""
        ...

    @property
    def null_samples(self) -> int:
        """Most samples that the null is measured on."""
        ...


@dataclass(frozen=True)
class PlainReading:
    """See ``KSGReading``; as the published estimator reads its latents."""

    k: int = 5
    permutations: int = 20
    null_samples: int = 5000


def latent_ksg(settings: KSGReading, zx: Tensor, zy: Tensor, context: Context) -> Estimate:
    """KSG on held-out latents zx (m, lx), zy (m, ly), in its form for ties where some repeat.

    Args:
        settings: neighbours and null.
        zx: latents of X that did not train the encoders.
        zy: latents of Y.
        context: seeds.
    """
    variant = form_for(zx, zy)
    dims = effective_dimension(zx) + effective_dimension(zy)
    estimate = ksg_estimate(zx, zy, settings.k, variant, settings.permutations, settings.null_samples, context, dims)
    return replace(estimate, estimator="latent", details={**estimate.details, "latent_dims_count": dims})


def form_for(zx: Tensor, zy: Tensor) -> Variant:
    """KSG's form for ties where rows of a side repeat."""
    return "mixture" if repeats(zx) or repeats(zy) else "ksg1"


def effective_dimension(z: Tensor) -> float:
    """Participation ratio (sum l)^2 / sum l^2 of the covariance's eigenvalues: how many directions z (n, d) spreads over.

    >>> round(effective_dimension(torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))))
    3
    """
    spread = torch.linalg.svdvals(z.double() - z.double().mean(0)) ** 2
    return float(spread.sum() ** 2 / (spread**2).sum()) if bool(spread.any()) else 0.0
