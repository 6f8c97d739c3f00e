"""The estimate held against nearest neighbours, in few dimensions: what KSG says of the samples and of draws from the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lmi.auto.candidate import EXACT_COMPONENTS, FittedCandidate, Number
from lmi.estimators.neighbors.control import controlled_ksg
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.thresholds import NEIGHBOURS_APART, NEIGHBOURS_APART_LEAST, SIGNIFICANT
from lmi.types import Context

KSG_SAMPLES = 10_000
NEIGHBOURS = 5


@dataclass(frozen=True)
class Controlled:
    """A number after the correction.

    Args:
        number: see ``Number``.
        correction: nats; 0 where it is not significant.
        doubt: in words, where the number moves with the number of neighbours.
    """

    number: Number
    correction: float = 0.0
    doubt: str = ""


def controlled(
    number: Number, chosen: FittedCandidate, candidates: Sequence[FittedCandidate], context: Context
) -> Controlled:
    """The number of the ``chosen`` candidate, corrected by what neighbours find beyond draws from its density.

    Neighbours see only a part of what the density misses, so half of the correction is in doubt. On a line each, edges
    cost them about what they lose from k to 4k neighbours (the reach doubles): half of it is added, and as much is in doubt.

    Args:
        number: of the chosen candidate.
        chosen: gives space and density.
        candidates: all that were fitted, for those without a density of their own.
        context: draws.
    """
    x, y = chosen.cross_fit.space.x, chosen.cross_fit.space.y
    rows = torch.randperm(x.shape[0], generator=context.generator("ksg samples"))[:KSG_SAMPLES]
    x, y = x[rows], y[rows]
    model = chosen.density(candidates, x, y, context)
    generator = context.generator("ksg draws")
    held = controlled_ksg(x, y, model, NEIGHBOURS, generator)
    is_exact = not chosen.components or model is None or model.centres.shape[0] <= EXACT_COMPONENTS
    if abs(held.correction) < SIGNIFICANT * held.noise and is_exact:
        return Controlled(number._replace(error=math.hypot(number.error, 0.3 * held.noise)))
    edges = 0.0
    if x.shape[1] + y.shape[1] == 2:
        near, far = (float(ksg_pointwise(x, y, k).mean()) for k in (NEIGHBOURS, 4 * NEIGHBOURS))
        edges = max(near - far, 0.0)
    error = math.hypot(max(number.error, held.error), 0.5 * held.correction, 0.5 * edges)
    twice = controlled_ksg(x, y, model, 2 * NEIGHBOURS, generator).nats
    doubt = ""
    if abs(twice - held.nats) > max(2 * error, NEIGHBOURS_APART * abs(held.nats), NEIGHBOURS_APART_LEAST):
        doubt = f"twice as many neighbours say {twice:.2f} nats instead of {held.nats:.2f}"
    return Controlled(Number(held.nats + 0.5 * edges, error, above=0.5 * edges), held.correction, doubt)
