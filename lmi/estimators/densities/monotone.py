"""Increasing maps of single columns that make them jointly normal: ranks, but with what the columns say of each other.

Normal scores of ranks err by about 1 / sqrt(n), and by something else in every column. Where columns are nearly functions
of each other, what tells them apart drowns in it. The maps here are fitted to the columns together: those in which nearly
equal columns are nearly equal again are the likelier ones, and so are far more exact. Liu, Lafferty, Wasserman, The
nonparanormal, JMLR 10 (2009), has the model, with ranks for maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.gaussian.canonical import canonical_fit, gaussian_pointwise

SPLINES = 64  # cubic B-splines of each column's map
QUANTILES = (24, 12, 64, 160, 0)  # through how many a map is drawn first; 0 takes the ranks as they are
CHOSEN = 6  # columns up to which each has the number of quantiles chosen that suits it
NEARLY = 0.05  # smallest eigenvalue of the correlations below which that is worth while
STEPS, GAIN = 25, 1e-5  # Newton steps at most, and the gain in nats a sample that ends them
STEEPEST = 1e80  # cubes of steeper slopes are no floats
FIT_ROWS, CHOICE_ROWS = 20_000, 5000
FLOOR = 1e-9  # added to variances of unit size: columns may be functions of each other


@dataclass(frozen=True, eq=False)
class Bent:
    """Drafts of the columns plus splines, ``z`` (n, d), with their penalised log likelihood a sample."""

    first: list[Tensor]
    splines: list[Tensor]
    slopes: list[Tensor]
    penalties: list[Tensor]
    coefficients: Tensor
    z: Tensor
    value: float


def jointly_normal(z: Tensor, choose: bool = True) -> Tensor:
    """Each column through an increasing map, the maps chosen together so that the columns are as normal as they can be.

    Maximises mean_i sum_j log h_j'(t_ij) - 1/2 log det Cov(h(t)) over splines h_j of the normal scores t_j, with the
    prior that scores of ranks imply: that h_j - t_j is a Brownian bridge of the scores' own error, whose increments have the
    variance dt / (n phi(t)). It looks at one side only, so all samples may be used.

    Args:
        z: (n, d) distinct quantities; a single column gets its normal scores.
        choose: whether few, nearly collinear columns try several numbers of quantiles for the first draft of their maps.

    Returns:
        (n, d) float64, each of mean 0 and variance 1.

    >>> g = torch.Generator().manual_seed(0)
    >>> u = torch.randn(2000, 2, generator=g, dtype=torch.float64)
    >>> z = torch.stack((u[:, 0].exp(), (u[:, 0] + 0.01 * u[:, 1]) ** 3), 1)
    >>> exact = torch.corrcoef(torch.stack((u[:, 0], u[:, 0] + 0.01 * u[:, 1])))[0, 1]
    >>> maps, ranks = (1 - torch.corrcoef(columns.T)[0, 1] for columns in (jointly_normal(z), normal_scores(z)))
    >>> bool(maps < 1.1 * (1 - exact)), bool(ranks > 1.15 * (1 - exact))
    (True, True)
    """
    z = z.detach().cpu().double()
    n, d = z.shape
    scores = normal_scores(z)
    if d == 1:
        return scores

    def draft(j: int, quantiles: int, most: int) -> Tensor:
        return smoothed(z[:, j], scores[:, j], quantiles)[:: -(-n // most)]

    chosen = [QUANTILES[0]] * d
    bent = None
    if choose and d <= CHOSEN:
        bent = _fitted([draft(j, QUANTILES[0], CHOICE_ROWS) for j in range(d)])
        if float(torch.linalg.eigvalsh(torch.corrcoef(bent.z.T))[0]) < NEARLY:
            for j in range(d):
                for quantiles in QUANTILES[1:]:
                    drafts = [*bent.first[:j], draft(j, quantiles, CHOICE_ROWS), *bent.first[j + 1 :]]
                    other = _fitted(drafts, bent, j)
                    if other.value > bent.value:
                        bent, chosen[j] = other, quantiles
    drafts = [draft(j, chosen[j], n) for j in range(d)]
    rows = slice(None, None, -(-n // FIT_ROWS))
    bent = _fitted([column[rows] for column in drafts])
    out = []
    for column, first_draft, coefficients in zip(drafts, bent.first, bent.coefficients, strict=True):
        out.append(column + _splines(column, float(first_draft.min()), float(first_draft.max()))[0] @ coefficients)
    mapped = torch.stack(out, 1)
    return (mapped - mapped.mean(0)) / mapped.std(0, correction=0)


def smoothed(column: Tensor, scores: Tensor, quantiles: int) -> Tensor:
    """(n,) a smooth increasing map of ``column`` (n,) through some of its ``scores``; 0 quantiles leave these as they are."""
    if quantiles == 0:
        return scores
    from scipy.interpolate import PchipInterpolator

    n = column.numel()
    values, places = column.sort()
    heights = scores[places]
    at = torch.special.ndtr(torch.linspace(float(heights[0]), float(heights[-1]), quantiles, dtype=torch.float64))
    knots = (at * n - 0.5).round().clamp(0, n - 1).long().unique()
    knots = knots[torch.cat((torch.tensor([True]), values[knots].diff() > 0))]
    if knots.numel() < 4:
        return scores
    slopes = heights[knots].diff() / values[knots].diff()
    if float(slopes.min()) < 1 / STEEPEST or float(slopes.max()) > STEEPEST:
        return scores
    curve = PchipInterpolator(values[knots].numpy(), heights[knots].numpy())
    return torch.from_numpy(curve(column.numpy().clip(float(values[knots[0]]), float(values[knots[-1]]))))


def information_lost(
    x: Tensor, y: Tensor, generator: torch.Generator, maps: Callable[[Tensor], Tensor] | None = None
) -> float:
    """What finding the maps costs, nats: normal draws like the mapped columns, and what is left once their maps are found.

    Args:
        x: (n, dx) columns from ``jointly_normal``.
        y: (n, dy).
        generator: of the draws.
        maps: of a side (n, d); ``None`` is ``jointly_normal``.
    """
    maps = maps or partial(jointly_normal, choose=False)
    n, dx = x.shape
    both = torch.cat((x, y), 1)
    covariance = torch.cov(both.T) + FLOOR * torch.eye(both.shape[1], dtype=torch.float64)
    draws = torch.randn(n, both.shape[1], generator=generator, dtype=torch.float64)
    draws = draws @ torch.linalg.cholesky(covariance).T
    u, v = draws[:, :dx], draws[:, dx:]
    exact, mapped = (float(gaussian_pointwise(canonical_fit(*sides)).mean()) for sides in ((u, v), (maps(u), maps(v))))
    return exact - mapped


def _fitted(first: list[Tensor], like: Bent | None = None, changed: int = 0) -> Bent:
    """Newton's method on the splines' coefficients, from those of ``like``, which differs in the draft of one column only."""
    n, d = first[0].numel(), len(first)
    splines: list[Tensor] = []
    slopes: list[Tensor] = []
    penalties: list[Tensor] = []
    for j, column in enumerate(first):
        if like is not None and j != changed:
            made = like.splines[j], like.slopes[j], like.penalties[j]
        else:
            low, high = float(column.min()), float(column.max())
            made = *_splines(column, low, high), _bridge(low, high)
        for kept, one in zip((splines, slopes, penalties), made, strict=True):
            kept.append(one)
    drafts = torch.stack(first, 1)
    start = torch.zeros(d, SPLINES, dtype=torch.float64) if like is None else like.coefficients
    centred = torch.cat([basis - basis.mean(0) for basis in splines], 1)
    products = (centred.T @ centred / n).reshape(d, SPLINES, d, SPLINES)
    eye = torch.eye(d, dtype=torch.float64)

    def at(coefficients: Tensor) -> tuple[Bent, Tensor, Tensor]:
        """The columns there, their maps' derivatives (n, d), and their covariance (d, d)."""
        z = drafts + torch.stack([basis @ c for basis, c in zip(splines, coefficients, strict=True)], 1)
        rises = 1 + torch.stack([basis @ c for basis, c in zip(slopes, coefficients, strict=True)], 1)
        apart = z - z.mean(0)
        covariance = apart.T @ apart / n + FLOOR * eye
        value = -math.inf
        if float(rises.min()) > 1e-3:
            rough = torch.stack([c @ penalty @ c for penalty, c in zip(penalties, coefficients, strict=True)]).sum()
            value = float(rises.log().sum(1).mean() - 0.5 * torch.linalg.slogdet(covariance).logabsdet - 0.5 * rough)
        return Bent(first, splines, slopes, penalties, coefficients, z, value), rises, covariance

    now, rises, covariance = at(start)
    if now.value == -math.inf:
        now, rises, covariance = at(torch.zeros_like(start))
    for _ in range(STEPS):
        precision = torch.linalg.inv(covariance)
        pulled = (now.z - now.z.mean(0)) @ precision
        curvature = (products * precision[:, None, :, None]).reshape(d * SPLINES, d * SPLINES).clone()
        gradient = []
        for j in range(d):
            steep = slopes[j] / rises[:, j : j + 1]
            gradient.append(steep.mean(0) - splines[j].T @ pulled[:, j] / n - penalties[j] @ now.coefficients[j])
            block = slice(j * SPLINES, (j + 1) * SPLINES)
            curvature[block, block] += steep.T @ steep / n + penalties[j]
        curvature.diagonal().mul_(1 + 1e-9).add_(1e-12)
        step = torch.linalg.solve(curvature, torch.cat(gradient)).reshape(d, SPLINES)
        length = 1.0
        while length > 1e-3:
            then, *rest = at(now.coefficients + length * step)
            if then.value > now.value:
                break
            length /= 2
        else:
            break
        gained = then.value - now.value
        now, (rises, covariance) = then, rest
        if gained < GAIN:
            break
    return now


def _knots(low: float, high: float) -> np.ndarray:
    """Knots of ``SPLINES`` cubic splines on equal stretches of [low, high]."""
    return np.concatenate(([low] * 3, np.linspace(low, high, SPLINES - 2), [high] * 3))


def _splines(t: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """(n, SPLINES) cubic B-splines and their derivatives at t (n,)."""
    from scipy.interpolate import BSpline

    at, knots = t.numpy().clip(low, high), _knots(low, high)
    values = BSpline.design_matrix(at, knots, 3).toarray()
    # A cubic spline's derivative is a difference of quadratic ones.
    lower = BSpline.design_matrix(at, knots[1:-1], 2).toarray()
    steep = np.pad(lower * 3 / (knots[4 : SPLINES + 3] - knots[1:SPLINES]), ((0, 0), (1, 1)))
    return torch.from_numpy(values), torch.from_numpy(steep[:, :-1] - steep[:, 1:])


def _bridge(low: float, high: float) -> Tensor:
    """(SPLINES, SPLINES) the prior's precision over n: squared differences of neighbouring coefficients, phi(t) / dt each."""
    apart = (high - low) / (SPLINES - 3)
    middle = (low + apart * (torch.arange(SPLINES - 1, dtype=torch.float64) - 1)).clamp(low, high)
    weight = (-0.5 * middle**2).exp() / math.sqrt(2 * math.pi) / apart
    difference = torch.diff(torch.eye(SPLINES, dtype=torch.float64), dim=0)
    return difference.T @ (weight[:, None] * difference)
