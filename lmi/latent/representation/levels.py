"""Latents that come in clumps, one for each class of pictures, say: a table of levels is all there is to measure in them.

A density of two tight clumps is fitted badly by a few hundred pairs, and neighbours inside a clump know nothing of the other
side. Levels are functions of the latents, so that what they share is a lower bound as well (data processing inequality).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lmi.auto.discrete import table_information
from lmi.estimators.folds import Fold
from lmi.estimators.trust.thresholds import LATENT_LEVELS_GAIN, ROWS_A_CELL
from lmi.types import Context, Estimate

COUNTS = (2, 3, 4, 6, 8, 12, 16)  # levels of each side
FIT_SAMPLES = 4000  # of the training part, in which levels are sought
BOUND = " bound_nats"  # ends the name of each held-out bound among the details of ``auto``


def levels_of(z: Tensor, count: int, fold: Fold, seed: int) -> Tensor:
    """(n,) number of the nearest of ``count`` k-means centres of the training part.

    Args:
        z: (n, k) latents of one side.
        count: of levels.
        fold: its training part places the centres.
        seed: of the starts.
    """
    from sklearn.cluster import KMeans

    means = KMeans(count, n_init=3, random_state=seed).fit(z[fold.train[:FIT_SAMPLES]].numpy())
    return torch.cdist(z, torch.from_numpy(means.cluster_centers_).to(z)).argmin(1)


def table_terms(a: Tensor, b: Tensor, count: int) -> Tensor:
    """(m,) log ratio of how often two levels meet and would by chance, each pair judged by the table of all others, nats.

    Args:
        a: (m,) levels of X below ``count``.
        b: (m,) of Y.
        count: also the number of pairs that met by chance and are added.

    >>> a = torch.arange(2).repeat(50)
    >>> round(float(table_terms(a, a, 2).mean()), 1), bool(table_terms(a, a.sort().values, 2).abs().max() < 0.1)
    (0.7, True)
    """
    m = a.numel()
    joint = torch.bincount(a * count + b, minlength=count**2).double().reshape(count, count)
    of_a, of_b = ((joint.sum(axis) - 0.5) / (m - 1 + 0.5 * count) for axis in (1, 0))
    chance = of_a[a] * of_b[b]
    return ((joint[a, b] - 1 + count * chance) / (m - 1 + count) / chance).log()


def measured_as_levels(
    estimates: Sequence[Estimate],
    variates: Sequence[tuple[Tensor, Tensor]],
    folds: Sequence[Fold],
    permutations: int,
    context: Context,
) -> list[Estimate]:
    """Tables in place of the estimates, where fresh pairs of all folds together clearly gain by them.

    Args:
        estimates: of each fold's test part by ``auto``, with its held-out bounds and pointwise terms.
        variates: (n, k), (n, k) leading latents of all samples, by fold.
        folds: in the same order.
        permutations: size of a table's null.
        context: seeds.
    """
    tables, gains = [], []
    for i, (estimate, sides, fold) in enumerate(zip(estimates, variates, folds, strict=True)):
        bounds = [value for name, value in estimate.details.items() if name.endswith(BOUND)]
        counts = [count for count in COUNTS if ROWS_A_CELL * count**2 <= fold.test.numel()]
        if not bounds or not counts or estimate.pointwise is None:
            return list(estimates)
        stream = context.child("levels", i)
        codes = {
            count: [levels_of(z, count, fold, stream.derive(side, count) % 2**32) for z, side in zip(sides, "xy")]
            for count in counts
        }
        fresh = {count: table_terms(a[fold.stop], b[fold.stop], count).mean() for count, (a, b) in codes.items()}
        best = max(counts, key=lambda count: float(fresh[count]))
        a, b = (z[fold.test] for z in codes[best])
        table = table_information(a[:, None], b[:, None], permutations, stream)
        if table is None:
            return list(estimates)
        terms = table_terms(a, b, best)
        # Terms of the chosen candidate, of which those of the estimate differ by a constant, raised to the best bound.
        gains.append(terms - (estimate.pointwise - estimate.pointwise.mean() + max(bounds)))
        choice = f"{table.choice.split(' distinct')[0]} levels, {float(terms.mean()):.3f} nats held out"
        tables.append(replace(table, pointwise=terms - terms.mean() + table.nats, choice=choice))
    gain = torch.cat(gains)
    clearly = float(gain.mean()) > LATENT_LEVELS_GAIN * float(gain.std()) / gain.numel() ** 0.5
    return tables if clearly else list(estimates)
