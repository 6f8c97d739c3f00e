"""The estimate held against nearest neighbours, in few dimensions: what KSG says of the samples and of draws from the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.auto.candidate import EXACT_COMPONENTS, FittedCandidate, Number
from lmi.estimators.densities.mixture import Mixture
from lmi.estimators.neighbors import control
from lmi.estimators.neighbors.control import controlled_ksg
from lmi.estimators.neighbors.matched import balanced, intrinsic_dimension, matched_ksg
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.thresholds import (
    NEIGHBOURS_APART,
    NEIGHBOURS_APART_LEAST,
    NOT_SETTLED,
    SIGNIFICANT,
    THINNER,
)
from lmi.types import Context

KSG_SAMPLES = 10_000
MATCHED_SAMPLES = 2500  # all pairs of which are scored
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
    number: Number,
    chosen: FittedCandidate,
    candidates: Sequence[FittedCandidate],
    contradicted: bool,
    context: Context,
) -> Controlled:
    """The number of the ``chosen`` candidate, corrected by what neighbours find beyond draws from its density.

    Where a side lies on something thinner than its columns, as an angle's cosine and sine do, matchings of the samples take
    the place of draws. Neighbours see only a part of what the density misses, so half of the correction is in doubt. On a
    line each, edges cost them about what they lose from k to 4k neighbours (the reach doubles): half of it is added, and as
    much is in doubt.

    Args:
        number: of the chosen candidate.
        chosen: gives space and density.
        candidates: all that were fitted, for those without a density of their own.
        contradicted: whether its own tests say that the density is not exact, so that the correction need not be sure to be made.
        context: draws.
    """
    x, y = chosen.cross_fit.space.x, chosen.cross_fit.space.y
    rows = torch.randperm(x.shape[0], generator=context.generator("ksg samples"))[:KSG_SAMPLES]
    x, y = x[rows], y[rows]
    model = chosen.density(candidates, x, y, context)
    generator = context.generator("ksg draws")
    # A chosen network knows more than the density that stands for it, and matchings drawn by that density would lose it.
    ratios = None
    if model is not None and not chosen.traits.learned and is_thin(x, y, model, context.generator("dimensions")):
        ratios = balanced(model.scores(x[:MATCHED_SAMPLES], y[:MATCHED_SAMPLES]).double())
    held = _held(x, y, model, ratios, NEIGHBOURS, generator)
    is_exact = not chosen.components or model is None or model.centres.shape[0] <= EXACT_COMPONENTS
    is_exact = is_exact and not contradicted
    if abs(held.correction) < SIGNIFICANT * held.noise and is_exact:
        reach = held.nats - number.nats if abs(held.correction) > NOT_SETTLED * held.noise else 0.0
        above, below = max(number.above, reach), max(number.below, -reach)
        error = math.hypot(number.error, 0.3 * held.noise)
        return Controlled(number._replace(error=error, above=above, below=below))
    edges = 0.0
    if x.shape[1] + y.shape[1] == 2:
        near, far = (float(ksg_pointwise(x, y, k).mean()) for k in (NEIGHBOURS, 4 * NEIGHBOURS))
        edges = max(near - far, 0.0)
    error = math.hypot(max(number.error, held.error), 0.5 * held.correction, 0.5 * edges)
    twice = _held(x, y, model, ratios, 2 * NEIGHBOURS, generator).nats
    doubt = ""
    if abs(twice - held.nats) > max(2 * error, NEIGHBOURS_APART * abs(held.nats), NEIGHBOURS_APART_LEAST):
        doubt = f"twice as many neighbours say {twice:.2f} nats instead of {held.nats:.2f}"
    return Controlled(Number(held.nats + 0.5 * edges, error, above=0.5 * edges), held.correction, doubt)


def is_thin(x: Tensor, y: Tensor, model: Mixture, generator: torch.Generator) -> bool:
    """Whether the rows of a side x (n, dx) or y (n, dy) fill fewer dimensions than draws from the model."""
    rows = slice(0, MATCHED_SAMPLES)
    draws = model.sample(x[rows].shape[0], generator)
    return any(
        z.shape[1] > 1 and intrinsic_dimension(z[rows]) < intrinsic_dimension(drawn) - THINNER
        for z, drawn in zip((x, y), draws, strict=True)
    )


def _held(
    x: Tensor, y: Tensor, model: Mixture | None, ratios: Tensor | None, neighbours: int, generator: torch.Generator
) -> control.Controlled:
    """KSG held against draws from the model, or against matchings where a side is thin.

    Args:
        x: (n, dx).
        y: (n, dy).
        model: ``None`` is independence.
        ratios: (m, m) balanced log ratios of the first m rows, which draw the matchings; ``None`` where no side is thin.
        neighbours: of KSG.
        generator: draws.
    """
    if ratios is None:
        return controlled_ksg(x, y, model, neighbours, generator)
    rows = slice(0, ratios.shape[0])
    return matched_ksg(x[rows], y[rows], ratios, neighbours, generator)
