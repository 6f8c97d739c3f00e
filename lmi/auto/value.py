"""The number of the candidate that ``auto`` took: closed form, density, neighbours or bound, each debiased as it can be."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lmi.auto.candidates import FIT_SAMPLES, closed_form
from lmi.auto.curved import read_curved
from lmi.auto.judging import JUDGED_SAMPLES, NEURAL, Candidate, Part
from lmi.estimators.bounds.heldout import held_out_blocks, shuffled_bounds
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.neighbors.control import controlled_ksg
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.types import Context, Null

KSG_SAMPLES = 10_000
KSG_NEIGHBOURS = 5
CONFIRMED = 0.7  # share of what neighbours say of kernel variates that a density has to find in fresh pairs


def value(
    taken: Candidate,
    found: list[Candidate],
    spaces: dict[str, tuple[Tensor, Tensor]],
    parts: list[Part],
    context: Context,
) -> tuple[float, float, Candidate]:
    """The number, its standard error, and the candidate that it is of.

    Where kernel variates have the better bound, if not clearly so, and neighbours find clearly more in fresh ones, theirs
    is the number: no function of fresh samples knows more than the samples.
    """
    if taken.fresh:
        return *read_curved(taken, context)[:2], taken
    nats, error, taken = plain_value(taken, found, spaces, parts)
    curve = max((c for c in found if c.fresh), key=lambda c: c.bound, default=None)
    if curve is not None and (curve.bound > taken.bound or curve is taken.base):
        read, own, sampling = read_curved(curve, context)
        if read > nats + 2 * sampling and curve.bound > CONFIRMED * read:
            return read, own, curve
    return nats, error, taken


def plain_value(
    taken: Candidate,
    found: list[Candidate],
    spaces: dict[str, tuple[Tensor, Tensor]],
    parts: list[Part],
) -> tuple[float, float, Candidate]:
    """The same without kernel variates."""
    n = taken.terms.numel()
    if taken.complexity == 0:
        # Many small correlations can be plain together where none is singly worth its parameters.
        for candidate in [c for c in found if c.rank]:
            nats, _, z = closed_form(*spaces[candidate.space], candidate.rank)
            if z > 3.0 and nats > 0:
                taken = candidate
                break
        else:
            return 0.0, max(1 / n, min([0.5 * c.rank / n for c in found if c.rank], default=1 / n)), taken
    if taken.rank:
        nats, error, _ = closed_form(*spaces[taken.space], taken.rank)
        return nats, error, taken
    if taken.models and not taken.fresh:
        # A density: its own mean log ratio has no partition term, which heavy tails make noisy. What a fit gains on its
        # own samples, fresh ones lose.
        first = taken.models[0]
        sx, sy = (z[:, :d] for z, d in zip(spaces[taken.space], (first.dx, first.centres.shape[1] - first.dx)))
        pairs = list(zip(parts, taken.models, strict=True))
        fresh_terms = torch.cat([model.ratio(sx[part.test], sy[part.test]) for part, model in pairs])
        seen_terms = torch.cat([model.ratio(sx[part.fit], sy[part.fit]) for part, model in pairs])
        return 0.5 * float(fresh_terms.mean() + seen_terms.mean()), float(fresh_terms.std()) / n**0.5, taken
    if taken.base is not None and not taken.base.fresh:
        # The base has a number of its own, often better than its bound; the critic adds what it gains on fresh pairs.
        nats, error, _ = plain_value(taken.base, found, spaces, parts)
        gain = (taken.terms - taken.base.terms)[~taken.terms.isnan()]
        return nats + float(gain.mean()), math.hypot(error, float(gain.std()) / n**0.5), taken
    terms = torch.cat([judged.plain for judged in taken.judged])
    error = math.hypot(float(terms.std()) / terms.numel() ** 0.5, taken.cost)
    fresh = max(taken.bound, taken.dv) if taken.dv < math.log(parts[0].test.numel()) - 2 else taken.plain
    return fresh + 0.5 * max(taken.optimism(), 0.0), error, taken


def unseen(taken: Candidate, found: list[Candidate]) -> float:
    """How much further up the interval reaches, nats: what a neural critic finds beyond all others is a part of what there
    is to find, and where it was not taken, that part is not in the number either."""
    others = max(c.bound for c in found if c.complexity < NEURAL)
    beyond = max((c.bound - others for c in found if c.complexity >= NEURAL), default=0.0)
    return max(beyond, 0.0) * (1 if taken.complexity >= NEURAL else 2)


def ksg_corrected(
    nats: float,
    error: float,
    taken: Candidate,
    found: list[Candidate],
    spaces: dict[str, tuple[Tensor, Tensor]],
    context: Context,
) -> tuple[float, float, float, tuple[str, ...]]:
    """The estimate held against neighbours: number, standard error, correction (0 where it is not significant), doubts.

    A mixture of several components is only an approximation, so it is always corrected.
    """
    x, y = spaces[taken.space or "ranks"]
    few = torch.randperm(x.shape[0], generator=context.generator("ksg samples"))[:KSG_SAMPLES]
    x, y = x[few], y[few]
    generator = context.generator("ksg draws")
    model: Mixture | None = None
    if taken.complexity:
        densities = [c for c in found if c.models and c.space == taken.space]
        best = taken if taken.models or not densities else max(densities, key=lambda c: c.bound)
        if taken.rank or not best.models:
            model = fit_mixture(x, y, 1, generator, heavy=False)
        else:
            count = best.models[0].centres.shape[0]
            rows = slice(0, FIT_SAMPLES)
            model = fit_mixture(x[rows], y[rows], count, context.generator("refit"), iterations=100, tolerance=1e-4)
    held = controlled_ksg(x, y, model, KSG_NEIGHBOURS, generator)
    approximate = bool(taken.models) and model is not None and model.centres.shape[0] > 2
    if abs(held.correction) < 2.5 * held.noise and not approximate:
        return nats, math.hypot(error, 0.3 * held.noise), 0.0, ()
    # Neighbours see only a part of what the density misses, so half of the correction is in doubt. On a line each, edges
    # cost them what they lose from k to 4k neighbours (the reach doubles), and so does that, where it is not chance.
    edges = 0.0
    if x.shape[1] + y.shape[1] == 2:
        near, far = (float(ksg_pointwise(x, y, k).mean()) for k in (KSG_NEIGHBOURS, 4 * KSG_NEIGHBOURS))
        edges = max(near - far, 0.0)
    error = math.hypot(max(error, held.error), 0.5 * held.correction, 0.5 * edges)
    twice = controlled_ksg(x, y, model, 2 * KSG_NEIGHBOURS, generator).nats
    wavering: tuple[str, ...] = ()
    if abs(twice - held.nats) > max(2 * error, 0.1 * abs(held.nats), 0.02):
        wavering = (f"twice as many neighbours say {twice:.2f} nats instead of {held.nats:.2f}",)
    return held.nats, error, held.correction, wavering


def null(
    taken: Candidate,
    found: list[Candidate],
    spaces: dict[str, tuple[Tensor, Tensor]],
    parts: list[Part],
    permutations: int,
    context: Context,
) -> Null | None:
    """The evidence for dependence under shuffled pairs: the closed form, or the bound of the critics as they are.

    Where independence was taken it is that of the normal closed form on ranks.
    """
    generator = context.generator("null")
    normal = taken if taken.rank else next((c for c in reversed(found) if c.rank), None)
    if taken.rank or (not taken.complexity and normal):
        assert normal is not None
        sx, sy = (z[:, : normal.rank] for z in spaces[normal.space])
        orders = [torch.randperm(sy.shape[0], generator=generator) for _ in range(permutations)]
        values = torch.tensor([closed_form(sx, sy[order], normal.rank)[0] for order in orders])
        return Null(values.double(), closed_form(sx, sy, normal.rank)[0])
    if not taken.complexity:
        return None
    sx, sy = spaces[taken.space]
    tests = [part.test[:JUDGED_SAMPLES] for part in parts]
    values = torch.zeros(permutations, dtype=torch.float64)
    for scores, test in zip(taken.critics, tests, strict=True):
        for block, f in held_out_blocks(scores, sx[test], sy[test]):
            orders = [torch.randperm(block.numel(), generator=generator) for _ in range(permutations)]
            values += block.numel() * shuffled_bounds(f, "infonce", (1.0,), orders)[0]
    return Null(values / sum(test.numel() for test in tests), taken.bound)
