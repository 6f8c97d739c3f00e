"""Candidates that are asked only where the samples call for them: values that repeat, tails, something left after a line."""

from __future__ import annotations

import torch
from torch import Tensor

from lmi.auto.candidates.dropout_normal import DropoutNormal
from lmi.auto.candidates.hidden_normal import HiddenNormal
from lmi.auto.candidates.normal import Normal
from lmi.auto.candidates.pair_densities import PairDensities, turns_to_pairs
from lmi.auto.candidates.predictive_variates import PredictiveVariates
from lmi.auto.candidates.t_density import TDensity
from lmi.auto.candidates.t_mixture import TMixture
from lmi.auto.protocol.candidate import Candidate
from lmi.auto.protocol.numbers import FIT_SAMPLES
from lmi.auto.spaces import (
    COLUMNS,
    COLUMNS_BY_PAIRS,
    CORRELATED,
    LEVELS,
    PRESENT,
    T_SCORES,
    Space,
    components,
    distinct,
    drawn_in,
)
from lmi.estimators.columns import jitter_ties, normal_scores
from lmi.estimators.densities.mixture import SAMPLES_A_PARAMETER
from lmi.estimators.densities.paired import atom_cuts
from lmi.estimators.densities.predictions import clearer_ways, predicted_apart, seen_by_kernels
from lmi.estimators.densities.t_copula import t_copula_degrees, t_scores
from lmi.estimators.densities.turns import AS_THEY_ARE, BENT, is_of_full_rank
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.intervals import intervals
from lmi.estimators.gaussian.missing import ROWS_A_COLUMN, seen_together, values_there
from lmi.estimators.trust.by_column import by_column
from lmi.estimators.trust.by_pair import beyond_normal
from lmi.estimators.trust.correlated import correlated_columns
from lmi.estimators.trust.left_over import ORDERS, left_over
from lmi.estimators.trust.plain_thresholds import KERNELS_SEE, PREDICTED_TOGETHER
from lmi.estimators.trust.products import columns_of_products
from lmi.estimators.trust.row_order import random_orders
from lmi.estimators.trust.thresholds import (
    BY_COLUMN,
    CORRELATED_FROM,
    KSG_DIMENSIONS,
    LEFT_OVER,
    LEVEL_COLUMNS,
    LOW_DIMENSIONAL,
    PAIRED,
    PREDICTED,
    PREDICTED_FROM,
    PREDICTORS,
    READ_OUT,
    T_COMPONENTS,
    TAILS_TOGETHER,
)
from lmi.types import Context

Sides = tuple[Tensor, Tensor]

KERNEL_ROWS = 5000  # rows that kernels are shown
LEFT_OVER_ROWS = 2000  # rows that are asked whether a line leaves something


def called_for(
    raw: Sides, line: Space, folds: list[Fold], context: Context, has_blocks: bool = False
) -> list[Candidate]:
    """All of them.

    Args:
        raw: (n, dx), (n, dy) all columns as they came, before ties were spread.
        line: components of the columns or of their normal scores, whichever a linear model likes better.
        folds: what candidates will be fitted on.
        context: seeds draws, trees and shuffles.
        has_blocks: whether the columns part into blocks, in which pairs of columns have densities of their own.
    """
    return [
        *of_levels(raw, folds, context),
        *of_tails(raw, folds, context),
        *of_pairs(raw, folds, context, has_blocks),
        *of_leftovers(raw, line, context),
        *of_correlated(raw, folds, context),
        *of_lines(raw, context),
        *of_products(raw, folds, context),
    ]


def of_levels(raw: Sides, folds: list[Fold], context: Context) -> list[Candidate]:
    """For columns of which many values repeat: hidden scores, and zeros that stand for missing."""
    columns = sum(z.shape[1] for z in raw)
    if columns > LEVEL_COLUMNS or all(distinct(z) for z in raw):
        return []
    candidates: list[Candidate] = []
    least = ROWS_A_COLUMN * columns
    # Ranks of items add up to the same in every row: scores behind them that vary freely were a tenth too high.
    are_free = all(z.shape[1] == 1 or is_of_full_rank(z) for z in raw)
    # Half of the rows are asked whether more would find more.
    if are_free and min(fold.train.numel() // 2 for fold in folds) >= least:
        candidates.append(HiddenNormal(Space(LEVELS, intervals(raw[0]), intervals(raw[1])), context))
    x, y = (values_there(z) for z in raw)
    is_missing = bool(x.isnan().any() or y.isnan().any())
    if is_missing and all(seen_together(x[fold.fit], y[fold.fit]) >= least for fold in folds):
        candidates.append(DropoutNormal(Space(PRESENT, x, y), context))
    return candidates


def of_tails(raw: Sides, folds: list[Fold], context: Context) -> list[Candidate]:
    """A t density of ranks brought to t quantiles, where columns have their extremes in the same rows."""
    widths = [z.shape[1] for z in raw]
    enough = min(fold.fit.numel() for fold in folds) >= SAMPLES_A_PARAMETER * (sum(widths) + 1)
    if max(widths) > T_COMPONENTS or not enough or not all(distinct(z) for z in raw):
        return []
    scores = [normal_scores(z) for z in raw]
    degrees, gain = t_copula_degrees(torch.cat(scores, 1))
    if gain <= TAILS_TOGETHER:
        return []
    x, y = (components(t_scores(z, degrees), z.shape[1]) for z in scores)
    space = Space(T_SCORES, x, y)
    low = sum(widths) <= LOW_DIMENSIONAL
    return [TMixture(space, 1, context) if low else TDensity(space, max(widths), context)]


def of_pairs(raw: Sides, folds: list[Fold], context: Context, has_blocks: bool = False) -> list[Candidate]:
    """A density of each pair of columns, where pairs share more than their correlations say.

    Where columns part into blocks, pairs of columns have densities of their own there, and only bent directions are asked.
    """
    widths = [z.shape[1] for z in raw]
    if min(widths) < 2 or max(widths) > PAIRED:
        return []
    levels = not all(distinct(z) for z in raw)
    x, y = (
        drawn_in(jitter_ties(z, context.generator("ties of pairs", side)) if levels else z)
        for side, z in zip("xy", raw, strict=True)
    )
    space = Space(COLUMNS_BY_PAIRS, x, y)
    # Of levels no line is exact; of few columns densities are cheap, and what pairs share beyond a line is hard to see.
    names = turns_to_pairs(space, folds[0], context, levels or sum(widths) <= KSG_DIMENSIONS)
    if has_blocks:
        names = [name for name in names if name.startswith(BENT)]
    if levels and AS_THEY_ARE in names:
        cuts = atom_cuts(raw[0]), atom_cuts(raw[1])
        if any(column.numel() for side in cuts for column in side):
            return [PairDensities(space, [AS_THEY_ARE], context, cuts)]
    return [PairDensities(space, names, context)] if names else []


def of_leftovers(raw: Sides, line: Space, context: Context) -> list[Candidate]:
    """Predictions of a side of few columns from the many of the other, where a linear model leaves something."""
    widths = [z.shape[1] for z in raw]
    if min(widths) > PREDICTED_TOGETHER or not PREDICTED_FROM <= sum(widths) <= PREDICTORS:
        return []
    x, y = line.x[:LEFT_OVER_ROWS], line.y[:LEFT_OVER_ROWS]
    orders = random_orders(x.shape[0], ORDERS // 2, context.generator("left over of a line"))
    along = by_column(*raw, by_ranks=line.by_ranks)
    is_left = left_over(x, y, orders).deviations > LEFT_OVER or along.deviations > BY_COLUMN
    if not is_left and not (
        2 < sum(widths) <= KERNELS_SEE and seen_by_kernels(*(z[:KERNEL_ROWS] for z in (line.x, line.y))) > BY_COLUMN
    ):
        return []
    x, y = (drawn_in(z) for z in raw)
    ways = clearer_ways(x[:LEFT_OVER_ROWS], y[:LEFT_OVER_ROWS]) if widths == [1, 1] else [widths[1] <= widths[0]]
    return [PredictiveVariates(Space(COLUMNS, x, y), of_y, context) for of_y in ways]


def of_correlated(raw: Sides, folds: list[Fold], context: Context) -> list[Candidate]:
    """Columns that clearly go with one of the other side, alone, where the closed form of all has too few samples."""
    if sum(z.shape[1] for z in raw) <= CORRELATED_FROM * min(fold.fit.numel() for fold in folds):
        return []
    columns = correlated_columns(*raw, folds)
    if columns is None:
        return []
    sides = raw[0][:, columns[0]], raw[1][:, columns[1]]
    space = Space(CORRELATED, normal_scores(sides[0]), normal_scores(sides[1]))
    return [Normal(space, True, approximate=True), *of_leftovers(sides, space, context)]


def of_lines(raw: Sides, context: Context) -> list[Candidate]:
    """A linear prediction of a side of few columns from hundreds, where that shows more than a correlation."""
    widths = [z.shape[1] for z in raw]
    if min(widths) > PREDICTED or not PREDICTORS < sum(widths) <= READ_OUT:
        return []
    of_y = widths[1] <= widths[0]
    x, y = (drawn_in(z) for z in raw)
    source, target = (z[:FIT_SAMPLES] for z in ((x, y) if of_y else (y, x)))
    predicted = predicted_apart(source, target, "linear", 0)
    if beyond_normal(predicted, target, context.generator("normal predictions")).deviations <= BY_COLUMN:
        return []
    return [PredictiveVariates(Space(COLUMNS, x, y), of_y, context, linear=True)]


def of_products(raw: Sides, folds: list[Fold], context: Context) -> list[Candidate]:
    """Predictions of the columns that products of two columns of the other side go with, among too many to ask all together."""
    if sum(z.shape[1] for z in raw) <= PREDICTORS:
        return []
    candidates: list[Candidate] = []
    for of_y, (source, target) in ((True, raw), (False, raw[::-1])):
        named = columns_of_products(source, target, folds)
        if named is not None:
            predictors, predicted = drawn_in(source[:, named.sources]), drawn_in(target[:, named.targets])
            space = Space(COLUMNS, *((predictors, predicted) if of_y else (predicted, predictors)))
            candidates.append(PredictiveVariates(space, of_y, context, left_out=2 * named.left))
    return candidates
