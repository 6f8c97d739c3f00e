"""The estimate held against nearest neighbours, in few dimensions: what KSG says of the samples and of draws from the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.auto.protocol.candidate import EXACT_COMPONENTS, FittedCandidate, Number
from lmi.auto.protocol.numbers import bound_number
from lmi.auto.spaces import RANKS, Space
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.neighbors import control
from lmi.estimators.neighbors.control import controlled_ksg
from lmi.estimators.neighbors.matched import balanced, intrinsic_dimension, matched_ksg
from lmi.estimators.neighbors.residuals import Residuals, in_axes, redrawn, residual_ksg
from lmi.estimators.trust.thresholds import (
    KSG_DIMENSIONS,
    LOW_DIMENSIONAL,
    LOWER_BOUND,
    NEIGHBOURS_APART,
    NEIGHBOURS_APART_LEAST,
    NOT_SETTLED,
    RESIDUALS_IN_DOUBT,
    RESIDUALS_SURE,
    SIGNIFICANT,
    THINNER,
)
from lmi.types import Context

KSG_SAMPLES = 10_000
MATCHED_SAMPLES = 2500  # all pairs of which are scored
NEIGHBOURS = 5


class Natural(NamedTuple):
    """Columns x (n, dx) and y (n, dy) in which edges may lie along an axis, and the model of them."""

    x: Tensor
    y: Tensor
    model: Mixture


@dataclass(frozen=True)
class Controlled:
    """A number after the correction.

    Args:
        number: see ``Number``.
        correction: nats; 0 where it is not significant.
        doubt: in words, where the number moves with the number of neighbours, or these say more than they resolve.
        is_thin: whether a side fills less than its columns, so that matchings of the samples stood for draws.
        in_plane: whether neighbours of pairs on a line each corrected it: they see what ranks lose as well.
    """

    number: Number
    correction: float = 0.0
    doubt: str = ""
    is_thin: bool = False
    in_plane: bool = False


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
    line each, and where that finds clearly more, they look at the density's residuals, where they see nearly all of it.

    Neighbours among n samples resolve about log n nats: a correction that leads above is of spacings, not of information, and
    is not made; the interval reaches up to log n.

    Args:
        number: of the chosen candidate.
        chosen: gives space and density.
        candidates: all that were fitted, for those without a density of their own.
        contradicted: whether its own tests say that the density is not exact; the correction is then made, sure or not.
        context: draws.
    """
    space = chosen.cross_fit.space
    rows = torch.randperm(space.num_samples, generator=context.generator("ksg samples"))[:KSG_SAMPLES]
    x, y = space.x[rows], space.y[rows]
    model = chosen.density(candidates, x, y, context)
    ratios = None
    if model is not None and is_thin(x, y, model, context.generator("dimensions")):
        ratios = balanced(model.scores(x[:MATCHED_SAMPLES], y[:MATCHED_SAMPLES]).double())
    natural = None if model is None or ratios is not None else in_columns(space, rows, model, context)
    generator = context.generator("ksg draws")
    held, unsettled = _held(x, y, model, ratios, natural, NEIGHBOURS, generator)
    limit = math.log(rows.numel())
    if held.nats > max(number.nats, limit):
        doubt = f"nearest neighbours say {held.nats:.2f} nats, more than {rows.numel()} samples resolve ({limit:.1f})"
        return Controlled(number._replace(above=max(number.above, limit - number.nats)), doubt=doubt)
    if chosen.traits.learned and ratios is not None:
        # A network knows more than the density that stands for it, and what matchings drawn by that lose fresh pairs confirm.
        error = math.hypot(max(number.error, held.error), 0.5 * held.correction)
        return Controlled(Number(max(held.nats, chosen.bound), error), held.correction, is_thin=True)
    is_exact = not chosen.components or model is None or model.centres.shape[0] <= EXACT_COMPONENTS
    is_exact = is_exact and not contradicted
    if abs(held.correction) < SIGNIFICANT * held.noise and is_exact:
        reach = held.nats - number.nats if abs(held.correction) > NOT_SETTLED * held.noise else 0.0
        above, below = max(number.above, reach, unsettled - number.nats), max(number.below, -reach)
        error = math.hypot(number.error, 0.3 * held.noise)
        return Controlled(number._replace(error=error, above=above, below=below), is_thin=ratios is not None)
    in_doubt = RESIDUALS_IN_DOUBT if isinstance(held, Residuals) else 0.5
    error = math.hypot(max(number.error, held.error), in_doubt * held.correction)
    twice = _held(x, y, model, ratios, natural, 2 * NEIGHBOURS, generator)[0].nats
    doubt = ""
    if abs(twice - held.nats) > max(2 * error, NEIGHBOURS_APART * abs(held.nats), NEIGHBOURS_APART_LEAST):
        doubt = f"twice as many neighbours say {twice:.2f} nats instead of {held.nats:.2f}"
    in_plane = x.shape[1] == y.shape[1] == 1 and not isinstance(held, Residuals)
    return Controlled(Number(held.nats, error), held.correction, doubt, ratios is not None, in_plane)


def or_density(
    number: Number, chosen: FittedCandidate, candidates: Sequence[FittedCandidate], context: Context
) -> Controlled:
    """What neighbours make of the best density, where that is more than functions of few variates share.

    Variates lose, and neighbours see a part of what a density misses: both numbers are more often too low than too high. The
    interval reaches down to the lower one. Where a side fills less than its columns, draws from a density of the variates do
    not resemble them and lead too high: the number is that of matchings, and the interval reaches to the other one.

    Args:
        number: of the chosen candidate, which sees the variables through variates.
        chosen: asked where it is that.
        candidates: all that were fitted.
        context: draws.
    """
    densities = [c for c in candidates if c.components and c.cross_fit.space.columns <= KSG_DIMENSIONS]
    if not (chosen.traits.exceeds_bound and chosen.traits.approximate and densities):
        return Controlled(number)
    best = max(densities, key=lambda c: c.bound)
    held = controlled(best.number(), best, candidates, True, context)
    more = held.number.nats - number.nats
    if held.is_thin:
        return replace(held, number=held.number._replace(above=max(-more, 0.0), below=max(more, 0.0)), correction=0.0)
    if more <= 0:
        return Controlled(number)
    return replace(held, number=held.number._replace(below=more), correction=0.0)


def of_thin_sides(number: Number, chosen: FittedCandidate, context: Context) -> Number | None:
    """The number that fresh pairs confirm, where a side is thinner than its columns and there are too many for neighbours.

    A density of the columns is none of the sides then, and its closed form or mean log ratio may say a quarter too much. Its
    scores are scores all the same: their bound holds, and is a lower one.

    Args:
        number: of the chosen candidate.
        chosen: asked where it is a density of 7 to 12 columns, or a network on top of one.
        context: draws from a normal law like the sides.

    Returns:
        ``None`` where no side is thin, or fresh pairs confirm it all.
    """
    space, base = chosen.cross_fit.space, chosen.base or chosen
    is_density = base.components > 0 or base.traits.linear
    if not (is_density and KSG_DIMENSIONS < space.columns <= LOW_DIMENSIONAL) or space.in_time:
        return None
    x, y = (z[:MATCHED_SAMPLES] for z in (space.x, space.y))
    generator = context.generator("dimensions of many columns")
    if not is_thin(x, y, fit_mixture(x, y, 1, generator, heavy=False), generator):
        return None
    confirmed = bound_number(chosen.cross_fit, chosen.cross_fit.optimism())
    if confirmed.nats > number.nats:
        return None
    return confirmed._replace(above=LOWER_BOUND * confirmed.nats)


def in_columns(space: Space, rows: Tensor, model: Mixture, context: Context) -> Natural:
    """Rows of the columns that the space was turned from, evenly spaced quantiles redrawn, and the model of them.

    Args:
        space: of the chosen candidate.
        rows: (n,) of it.
        model: of its coordinates.
        context: draws.
    """
    axes = [z[rows].double() for z in space.axes or (space.x, space.y)]
    model = in_axes(model, torch.cat((space.x[rows], space.y[rows]), 1).double(), torch.cat(axes, 1))
    even = [space.name == RANKS or (space.by_ranks and z.shape[1] == 1) for z in axes]
    generator = context.generator("quantiles")
    spaced = [z for z, is_even in zip(axes, even, strict=True) if is_even]
    drawn = iter(redrawn(torch.cat(spaced, 1), generator).split([z.shape[1] for z in spaced], 1) if spaced else ())
    x, y = (next(drawn) if is_even else z for z, is_even in zip(axes, even, strict=True))
    return Natural(x, y, model)


def is_thin(x: Tensor, y: Tensor, model: Mixture, generator: torch.Generator) -> bool:
    """Whether the rows of a side x (n, dx) or y (n, dy) fill fewer dimensions than draws from the model."""
    rows = slice(0, MATCHED_SAMPLES)
    draws = model.sample(x[rows].shape[0], generator)
    return any(
        z.shape[1] > 1 and intrinsic_dimension(z[rows]) < intrinsic_dimension(drawn) - THINNER
        for z, drawn in zip((x, y), draws, strict=True)
    )


def _held(
    x: Tensor,
    y: Tensor,
    model: Mixture | None,
    ratios: Tensor | None,
    natural: Natural | None,
    neighbours: int,
    generator: torch.Generator,
) -> tuple[control.Controlled, float]:
    """KSG held against draws from the model, or against matchings where a side is thin; or residuals, where they find more.

    Neighbours of residuals miss a part, like those of pairs, but see edges.

    Args:
        x: (n, dx).
        y: (n, dy).
        model: ``None`` is independence.
        ratios: (m, m) balanced log ratios of the first m rows, which draw the matchings; ``None`` where no side is thin.
        natural: columns and model for residuals; ``None`` leaves them out.
        neighbours: of KSG; residuals, which share little, take twice as many.
        generator: draws.

    Returns:
        What is taken, and the nats that the interval has to reach to, where neighbours of pairs find more, if not surely.
    """
    if ratios is not None:
        rows = slice(0, ratios.shape[0])
        return matched_ksg(x[rows], y[rows], ratios, neighbours, generator), -math.inf
    if natural is None:
        return controlled_ksg(x, y, model, neighbours, generator), -math.inf
    residuals = residual_ksg(*natural, 2 * neighbours)
    if x.shape[1] == y.shape[1] == 1:
        drawn = controlled_ksg(*natural, neighbours, generator)
        # A wave that the density has not learned is near in the plane, and everywhere among residuals.
        more, noise = drawn.nats - residuals.nats, math.hypot(drawn.noise, residuals.noise)
        unsettled = drawn.nats if more > NOT_SETTLED * noise else -math.inf
        return (drawn if more > SIGNIFICANT * noise else residuals), unsettled
    drawn = controlled_ksg(x, y, model, neighbours, generator)
    return (residuals if residuals.nats > drawn.nats + RESIDUALS_SURE * residuals.noise else drawn), -math.inf
