"""Which latents are measured: canonical directions that fresh pairs correlate in and that say something new.

Functions of one signal (x, x^2, ...) all have canonical correlations of their own. Measured together they fill a space
that the samples are thin in, for nothing, so a direction that its neighbours in the ones before it foretell is left out, and
so is one that raises no bound on fresh pairs: the normal model takes it for news, which makes its scores too sure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lmi.estimators.bounds.heldout import bound_influence
from lmi.estimators.columns import normal_scores_at
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.linear import LinearCritic, fit_linear
from lmi.estimators.neighbors.search import nearest

NEIGHBOURS = 5
FORETOLD = 0.6  # share of a direction's variance that the ones before it may explain: .5 lost signals, .8 kept copies
SIGNIFICANT = 3.0  # standard errors of a correlation on fresh pairs
LARGEST = 1 - 1e-9  # correlation that nats are written down for
JUDGES = 700  # fresh pairs at most that the bound is measured on
FURTHEST = 4.0  # deviations, beyond which a normal model's scores are not to be trusted


@dataclass(frozen=True, eq=False)
class Leading:
    """The canonical directions of the training part's latents that are measured.

    Args:
        directions: fitted to the training part.
        kept: (k,) numbers of those that are measured, at least one, the largest correlation on fresh pairs first.
        nats: (l,) -1/2 log(1 - r^2) of each direction's correlation on fresh pairs.
        bound: InfoNCE of the normal model of those that are measured, on fresh pairs, nats.
    """

    directions: LinearCritic
    kept: Tensor
    nats: Tensor
    bound: float

    @property
    def count(self) -> int:
        """How many are measured."""
        return self.kept.numel()

    def variates(self, zx: Tensor, zy: Tensor) -> tuple[Tensor, Tensor]:
        """(n, k) of each side, of latents zx (n, l) and zy (n, l)."""
        u, v = self.directions.variates(zx, zy)
        return u[:, self.kept], v[:, self.kept]


def leading_latents(zx: Tensor, zy: Tensor, fold: Fold) -> Leading:
    """Directions from the training part, chosen on the stopping part.

    Args:
        zx: (n, l) latents of X of all samples.
        zy: (n, l) of Y.
        fold: its train part fits, its stop part decides.
    """
    directions = fit_linear(zx[fold.train], zy[fold.train], min(zx.shape[1], zy.shape[1]))
    plain = directions.variates(zx, zy)
    u, v = (normal_scores_at(z[fold.train])(z) for z in plain)
    # Latents that are skewed say more by their ranks, latents with flat edges as they are.
    choices = [_chosen(directions, *sides, fold) for sides in (plain, (u, v))]
    return max(choices, key=lambda leading: leading.bound)


def _chosen(directions: LinearCritic, u: Tensor, v: Tensor, fold: Fold) -> Leading:
    """The directions that are measured, by what their variates, or increasing functions of them, say of fresh pairs.

    Args:
        directions: fitted to the training part.
        u: (n, l) of X.
        v: (n, l) of Y.
        fold: its stop part decides.
    """
    r = correlations(u[fold.stop], v[fold.stop]).clamp(min=0, max=LARGEST)
    judges = fold.stop[:JUDGES]
    a, b = (((z[judges] - z[fold.stop].mean(0)) / spread(z[fold.stop])).clamp(-FURTHEST, FURTHEST) for z in (u, v))

    def terms(chosen: list[int]) -> Tensor:
        """(m,) InfoNCE terms of the normal model of the directions ``chosen``."""
        columns = torch.tensor(chosen)
        model = replace(directions, correlations=r[columns])
        return bound_influence(model.between(a[:, columns], b[:, columns]), "infonce")

    first, *others = r.argsort(descending=True).tolist()
    kept, bound = [first], terms([first])
    for j in others:
        if float(r[j]) <= SIGNIFICANT / fold.stop.numel() ** 0.5:
            break
        if 0.5 * sum(foretold(z, kept, j, fold) for z in (u, v)) >= FORETOLD:
            continue
        longer = terms([*kept, j])
        # Any rise: signals that raise it by less than a standard error were lost with more asked.
        if float((longer - bound).mean()) > 0:
            kept, bound = [*kept, j], longer
    return Leading(directions, torch.tensor(kept), -0.5 * torch.log1p(-r.square()), float(bound.mean()))


def spread(z: Tensor) -> Tensor:
    """(l,) standard deviation of each column of z (n, l), at least the smallest float."""
    return z.std(0, correction=0).clamp(min=math.ulp(0.0))


def correlations(u: Tensor, v: Tensor) -> Tensor:
    """(k,) correlation of each column of u (n, k) with the same column of v (n, k)."""
    u, v = u - u.mean(0), v - v.mean(0)
    return (u * v).sum(0) / (u.norm(dim=0) * v.norm(dim=0)).clamp(min=math.ulp(1.0))


def foretold(z: Tensor, kept: list[int], target: int, fold: Fold) -> float:
    """Share of the variance of column ``target`` that the mean over neighbours in the columns ``kept`` explains.

    Args:
        z: (n, l) latents of one side.
        kept: columns in which neighbours are sought.
        target: the column that is foretold.
        fold: the stopping part's neighbours are sought in its training part.
    """
    _, neighbours = nearest(z[fold.train][:, kept], min(NEIGHBOURS, fold.train.numel()), query=z[fold.stop][:, kept])
    values = z[fold.stop, target]
    rest = values - z[fold.train, target][neighbours].mean(1)
    return 1 - float(rest.square().mean() / values.var(correction=0).clamp(min=1e-300))
