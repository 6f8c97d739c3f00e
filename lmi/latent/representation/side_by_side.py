"""Two fits side by side: of the latents that each would have measured, the canonical directions of both together.

Encoders of another objective, or blind to places, err elsewhere, so that directions of both say more of fresh pairs than
those of the better one. All latents of both would be too many for the training part: each fit first says which of its own it
measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.latent.representation.leading import Leading, leading_latents


@dataclass(frozen=True, eq=False)
class LeadingOfSeveral(Leading):
    """Directions in the variates of several fits, whose latents stand side by side.

    Args:
        parts: what each fit would have measured.
        widths: latents of each fit.
    """

    parts: tuple[Leading, ...]
    widths: tuple[int, ...]

    def variates(self, zx: Tensor, zy: Tensor) -> tuple[Tensor, Tensor]:
        """(n, k) of each side, of the latents zx (n, l) and zy (n, l) of all fits, one after the other."""
        return super().variates(*_variates(self.parts, self.widths, zx, zy))


def leading_of_several(
    parts: Sequence[Leading], latents: Sequence[tuple[Tensor, Tensor]], fold: Fold
) -> LeadingOfSeveral:
    """Directions from the training part's variates of all fits, chosen on the stopping part.

    Args:
        parts: what each fit would have measured.
        latents: (n, l), (n, l) of each fit.
        fold: its train part fits, its stop part decides.
    """
    widths = tuple(zx.shape[1] for zx, _ in latents)
    zx, zy = (torch.cat(side, 1) for side in zip(*latents))
    whole = leading_latents(*_variates(parts, widths, zx, zy), fold)
    return LeadingOfSeveral(whole.directions, whole.kept, whole.nats, whole.bound, tuple(parts), widths)


def _variates(parts: Sequence[Leading], widths: Sequence[int], zx: Tensor, zy: Tensor) -> tuple[Tensor, Tensor]:
    """(n, sum of what each measures) of each side."""
    each = [part.variates(*sides) for part, *sides in zip(parts, zx.split(list(widths), 1), zy.split(list(widths), 1))]
    u, v = (torch.cat(side, 1) for side in zip(*each))
    return u, v
