"""Numbers that several candidates share: from a bound, from a density, from neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lmi.auto.protocol.candidate import CrossFit, FittedCandidate, Number
from lmi.estimators.bounds.heldout import bound_influence, bound_terms, held_out_blocks
from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.folds import Fold
from lmi.estimators.neighbors.control import held_against
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.plain_thresholds import LEAST_COST, MOST_COST
from lmi.estimators.trust.thresholds import BOUND_RANGE, CONFIRMED, KSG_DIMENSIONS, PARTITION, RIVAL_ERRORS
from lmi.types import Context

NUMBER_SAMPLES = 4000  # fresh pairs of a fold that neighbours look at
NEIGHBOURS = 5
UNCONFIRMED_ERROR = 0.3  # standard error, as a share of what the bound does not confirm
FITTING_ERROR = 0.25  # standard error, as a share of what a fit finds more on its own samples than on fresh ones
FIT_SAMPLES = 4000  # rows that a density is fitted to: more change its parameters by less than the estimate's error


def bound_number(cross_fit: CrossFit, optimism: float, cost: float = 0.0) -> Number:
    """The number of scores that are no density: the larger held-out bound plus half of what fitting cost.

    What fitting gains on its own samples fresh ones lose, where samples are many beside parameters. Where fitting cost more
    than a share of the bound, the rest of its half only opens the interval.

    Near the largest value that DV can show in a fold, the mean log density ratio stands in for the bounds.

    Args:
        cross_fit: the scores on fresh pairs.
        optimism: bound on the training part minus bound on fresh pairs, nats.
        cost: nats that fitting costs beyond what terms and optimism show.
    """
    terms = cross_fit.log_ratio
    error = math.hypot(float(terms.std()) / terms.numel() ** 0.5, cost)
    is_low = cross_fit.dv < math.log(cross_fit.folds[0].test.numel()) - BOUND_RANGE
    fresh = max(cross_fit.bound, cross_fit.dv) if is_low else float(terms.mean())
    half = 0.5 * max(optimism, 0.0)
    added = min(half, max(MOST_COST * fresh, LEAST_COST))
    return Number(fresh + added, math.hypot(error, FITTING_ERROR * min(optimism, 2 * added)), above=half - added)


def density_number(cross_fit: CrossFit, models: list[Mixture]) -> Number:
    """The mean log ratio of each fold's density, on its own samples and on fresh ones, averaged.

    What a fit gains on its own samples, fresh ones lose. It has no partition term, which heavy tails make noisy, unless that is
    clearly above 0: a density ratio p(x, y) / p(x) p(y) has a mean of 1 over independent pairs, and a density of which this is
    more says too much. Then the number is Donsker-Varadhan's, a lower bound, and the interval reaches up to the mean log ratio.

    Args:
        cross_fit: the densities' scores on fresh pairs.
        models: each fold's density of the leading columns of the space.
    """
    dx, dy = models[0].dx, models[0].centres.shape[1] - models[0].dx
    x, y = cross_fit.space.x[:, :dx], cross_fit.space.y[:, :dy]
    number = ratio_number(cross_fit.folds, x, y, [model.ratio for model in models])
    if cross_fit.space.columns <= KSG_DIMENSIONS:
        return number  # neighbours correct it
    partition, error = log_partition(cross_fit)
    if partition <= PARTITION * error:
        return number
    return number._replace(nats=number.nats - partition, error=math.hypot(number.error, error), above=partition)


def log_partition(cross_fit: CrossFit) -> tuple[float, float]:
    """log E exp f over independent fresh pairs, and its standard error, nats: 0 where the scores f are log density ratios."""
    around = []
    for fold, scores in zip(cross_fit.folds, cross_fit.critics, strict=True):
        test = fold.test[: cross_fit.most]
        for _, f in held_out_blocks(scores, cross_fit.space.x[test], cross_fit.space.y[test]):
            around.append(bound_influence(f, "dv") - bound_terms(f, "dv"))
    terms = torch.cat(around)
    return float(cross_fit.log_ratio.mean()) - cross_fit.dv, float(terms.std()) / terms.numel() ** 0.5


def ratio_number(
    folds: list[Fold],
    x: Tensor,
    y: Tensor,
    ratios: Sequence[Callable[[Tensor, Tensor], Tensor]],
    most: int | None = None,
) -> Number:
    """The mean of each fold's log density ratio of paired rows, on its own samples and on fresh ones, averaged.

    Args:
        folds: what was fitted on, and what is fresh.
        x: (n, dx).
        y: (n, dy).
        ratios: of each fold, (m, dx), (m, dy) -> (m,) nats.
        most: rows of either part of a fold; ``None`` for all.
    """
    pairs = list(zip(folds, ratios, strict=True))
    fresh, seen = (
        torch.cat([ratio(x[rows[:most]], y[rows[:most]]) for rows, ratio in part])
        for part in ([(fold.test, ratio) for fold, ratio in pairs], [(fold.fit, ratio) for fold, ratio in pairs])
    )
    apart = float(seen.mean() - fresh.mean())
    return Number(
        0.5 * float(fresh.mean() + seen.mean()),
        math.hypot(float(fresh.std()) / fresh.numel() ** 0.5, FITTING_ERROR * apart),
    )


def neighbours_number(
    cross_fit: CrossFit,
    variates: Sequence[Callable[[Tensor], tuple[Tensor, Tensor]]],
    models: Sequence[Mixture],
    context: Context,
    alike: bool = False,
) -> Number:
    """KSG on fresh variates, corrected by their density in more than 1 + 1 dimensions.

    What the bound does not confirm and what the variates lost are of one order, and neither is a sampling error. Over
    samples KSG varies by up to 1.4 times what the spread of its terms says, for rows that are each other's neighbours share
    their noise: by about as much more as terms and log density ratios differ. ``sampling`` leaves that out: numbers of the
    same samples share much of it.

    Args:
        cross_fit: gives folds and bound.
        variates: of each fold, rows (m,) -> the variates (m, k), (m, l) of either side.
        models: each fold's density of them.
        context: draws.
        alike: whether the variates of all folds mean the same, so that neighbours may be of another fold.
    """
    tests = [fold.test[:NUMBER_SAMPLES] for fold in cross_fit.folds]
    pairs = [(*of_rows(test), model) for test, of_rows, model in zip(tests, variates, models, strict=True)]
    total = sum(test.numel() for test in tests)
    nats = variance = noise = 0.0
    for i, together in enumerate([pairs] if alike else [[pair] for pair in pairs]):
        u, v = (torch.cat(side) for side in list(zip(*together, strict=True))[:2])
        terms = ksg_pointwise(normal_scores(u), normal_scores(v), NEIGHBOURS)
        f = torch.cat([model.ratio(a, b) for a, b, model in together])
        share = terms.numel() / total
        if u.shape[1] + v.shape[1] == 2:
            fold_nats, error = float(terms.mean()), float(terms.std()) / terms.numel() ** 0.5
            noise += share**2 * float((terms - f).var()) / terms.numel()
        else:
            held = held_against(terms, f, _at_draws([(model, len(a)) for a, _, model in together], context, i))
            fold_nats, error = held.nats, held.error
        nats += share * fold_nats
        variance += (share * error) ** 2
    unconfirmed = UNCONFIRMED_ERROR * max(nats - cross_fit.bound, 0.0)
    return Number(nats, math.hypot(math.sqrt(variance + noise), unconfirmed), math.sqrt(variance))


def _at_draws(models: Sequence[tuple[Mixture, int]], context: Context, index: int) -> Tensor:
    """(m,) KSG terms less log density ratios of two sets of draws, so many from each density."""
    generator = context.generator("curved draws", index)
    beyond = []
    for _ in range(2):
        draws = [(*model.sample(count, generator), model) for model, count in models]
        u, v = (torch.cat(side) for side in list(zip(*draws, strict=True))[:2])
        f = torch.cat([model.ratio(a, b) for a, b, model in draws])
        beyond.append(ksg_pointwise(normal_scores(u), normal_scores(v), NEIGHBOURS) - f)
    return torch.cat(beyond)


def rival_density(
    chosen: FittedCandidate, rivals: Sequence[FittedCandidate], x: Tensor, y: Tensor, context: Context
) -> Mixture:
    """For a candidate without a density of its own: that of the best rival in its space, or one normal.

    Args:
        chosen: the candidate without a density.
        rivals: all fitted candidates.
        x: (n, dx) the pairs.
        y: (n, dy).
        context: seeds the fit.
    """
    same = [c for c in rivals if c.components and c.cross_fit.space is chosen.cross_fit.space]
    if not same:
        return fit_mixture(x, y, 1, context.generator("ksg draws"), heavy=False)
    return refit_density(max(same, key=lambda c: c.bound).components, x, y, context)


def refit_density(components: int, x: Tensor, y: Tensor, context: Context) -> Mixture:
    """A mixture of so many t components, fitted to the leading rows of the pairs.

    Args:
        components: how many.
        x: (n, dx).
        y: (n, dy).
        context: seeds the starts.
    """
    rows = slice(0, FIT_SAMPLES)
    return fit_mixture(x[rows], y[rows], components, context.generator("refit"), iterations=100, tolerance=1e-4)


def number_of(chosen: FittedCandidate, candidates: Sequence[FittedCandidate]) -> tuple[FittedCandidate, Number]:
    """The candidate whose number is taken, and the number.

    Where a candidate that measures in fresh pairs has the better bound, if not clearly so, and finds clearly more, the
    number is its own: by the data processing inequality, functions of fresh samples share no more than the samples. Where
    it finds more and not clearly, the interval reaches up to that.
    """
    number = chosen.number()
    if chosen.traits.exceeds_bound:
        return chosen, number
    rival = max((c for c in candidates if c.traits.exceeds_bound), key=lambda c: c.bound, default=None)
    if rival is None or not (rival.bound > chosen.bound or rival is chosen.base):
        return chosen, number
    theirs = rival.number()
    if theirs.nats > number.nats + RIVAL_ERRORS * theirs.sampling and rival.bound > CONFIRMED * theirs.nats:
        return rival, theirs
    if rival.bound > CONFIRMED * theirs.nats:
        number = number._replace(above=max(number.above, theirs.nats - number.nats))
    return chosen, number
