"""Closed-form latents that compete with learned ones: canonical variates of the columns' normal scores.

What a line in the columns' normal scores ties together, canonical correlations of a few principal components hold with
nothing lost (Hotelling, Biometrika 28, 1936), where encoders of a thousand samples lose a quarter. What they miss the learned
latents may have, so both, and the two together, are held against each other on pairs that fitted neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.bounds.heldout import bound_influence, held_out, held_out_blocks
from lmi.estimators.columns import normal_scores_at, smooth_scores_at
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.linear import MOST_COMPONENTS, RANKS, LinearCritic, fit_linear
from lmi.estimators.trust.products import interaction_latents
from lmi.latent.bounds_reading import BoundsSettings, choose_critic
from lmi.types import Context

SAMPLES_A_COMPONENT = 6  # training samples for each principal component of a side
LEAST_VARIANCE = 1e-9  # of a principal component, as a share of the first one's
RAISES = 1.0  # paired standard errors by which latents of more columns have to raise the bound
JUDGED_BY = BoundsSettings(critics=("copula", "hybrid"))

Sides = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Latents:
    """What is measured of each side, and why.

    Args:
        name: in words.
        sides: (n, lx), (n, ly) of all samples.
        terms: (m,) InfoNCE influence of each stopping pair under the best critic that the training part gave, nats.
    """

    name: str
    sides: Sides
    terms: Tensor

    @property
    def nats(self) -> float:
        """The bound on the stopping part."""
        return float(self.terms.mean())


def best_latents(x: Tensor, y: Tensor, learned: Sides, fold: Fold, context: Context) -> Latents:
    """Closed-form latents, learned ones, both side by side, or products: each must raise the best bound before it clearly.

    Args:
        x: (n, dx) all samples.
        y: (n, dy).
        learned: (n, lx), (n, ly) latents by encoders of the fold.
        fold: its train part fits, its stop part chooses; its test part is not looked at.
        context: seeds the critics.
    """
    linear = linear_latents(x, y, fold)
    scaled = unit_scaled(learned, fold)
    both = (torch.cat((linear[0], scaled[0]), 1), torch.cat((linear[1], scaled[1]), 1))
    count = linear[0].shape[1]
    candidates = [
        (f"{count} canonical variates of the columns' normal scores", linear),
        (f"{learned[0].shape[1]} learned latents", learned),
        (f"{count} canonical variates and {learned[0].shape[1]} learned latents", both),
    ]
    products = interaction_latents(x, y, fold)
    if products is not None:
        beside = (torch.cat((products[0], linear[0]), 1), torch.cat((products[1], linear[1]), 1))
        counts = " + ".join(str(z.shape[1]) for z in products)
        candidates += [
            (f"{counts} products and columns", products),
            (f"{counts} products and columns and {count} canonical variates", beside),
        ]
    best: Latents | None = None
    for i, (name, sides) in enumerate(candidates):
        latents = Latents(name, sides, stop_terms(sides, fold, context.child("latents", i)))
        if best is not None:
            gain = latents.terms - best.terms
            if float(gain.mean()) <= RAISES * float(gain.std()) / gain.numel() ** 0.5:
                continue
        best = latents
    assert best is not None
    return best


def linear_latents(x: Tensor, y: Tensor, fold: Fold) -> Sides:
    """(n, r) canonical variates of each side's leading principal components, as many as fresh pairs are scored best by.

    Args:
        x: (n, dx).
        y: (n, dy).
        fold: its train part gives normal scores, components and canonical directions; its stop part their number.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(400, 9, generator=g)
    >>> y = torch.cat((x[:, :2].exp() + 0.1 * torch.rand(400, 2, generator=g), torch.randn(400, 5, generator=g)), 1)
    >>> u, v = linear_latents(x, y, Fold(torch.arange(200), torch.arange(200, 300), torch.arange(300, 400)))
    >>> float(torch.corrcoef(torch.stack((u[300:, 0], v[300:, 0])))[0, 1]) > 0.9
    True
    """
    px, py = (components_at(smooth_scores_at(z[fold.train])(z), fold.train) for z in (x, y))
    widest = max(px.shape[1], py.shape[1])
    ranks = [rank for rank in sorted({*RANKS, widest}) if rank <= widest]
    fits = [fit_linear(px[fold.train], py[fold.train], rank) for rank in ranks]

    def bound(fit: LinearCritic) -> float:
        return float(held_out(fit.scores, px[fold.stop], py[fold.stop]).infonce.mean())

    return max(fits, key=bound).variates(px, py)


def components_at(z: Tensor, train: Tensor) -> Tensor:
    """(n, p) principal components of z (n, d) in the directions of its rows ``train``.

    At most ``MOST_COMPONENTS``, and few enough for the training rows.
    """
    centred = z - z[train].mean(0)
    most = max(1, min(MOST_COMPONENTS, train.numel() // SAMPLES_A_COMPONENT))
    n, d = train.numel(), z.shape[1]
    rows = centred[train]
    variances, vectors = torch.linalg.eigh(rows.T @ rows if d <= n else rows @ rows.T)
    kept = (variances > LEAST_VARIANCE * variances[-1]).nonzero().flatten().flip(0)[:most]
    directions = vectors[:, kept] if d <= n else rows.T @ vectors[:, kept] / variances[kept].sqrt()
    return centred @ directions


def unit_scaled(sides: Sides, fold: Fold) -> Sides:
    """Latents (n, l) of both sides with mean 0 and deviation 1 over the training part, double precision."""
    scaled = []
    for z in sides:
        rows = z[fold.train].double()
        deviation = rows.std(0, correction=0)
        scaled.append((z.double() - rows.mean(0)) / torch.where(deviation > 0, deviation, 1.0))
    return scaled[0], scaled[1]


def stop_terms(sides: Sides, fold: Fold, context: Context) -> Tensor:
    """(m,) InfoNCE influence, nats, of the stopping pairs under the better of a normal model and a network on top of it.

    Args:
        sides: (n, lx), (n, ly) latents of all samples.
        fold: its train part fits the critics, its stop part is judged.
        context: seeds the network.
    """
    u, v = (normal_scores_at(z[fold.train])(z) for z in sides)
    chosen, _, _ = choose_critic(JUDGED_BY, u, v, fold, context)
    terms = torch.empty(fold.stop.numel(), dtype=torch.float64)
    for indices, f in held_out_blocks(chosen.scores, u[fold.stop], v[fold.stop]):
        terms[indices] = bound_influence(f, "infonce")
    return terms
