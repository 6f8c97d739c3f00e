"""What speaks against the closed form: columns that are not jointly normal, what a line leaves, neighbours that find more."""

from __future__ import annotations

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.gaussian.canonical import (
    CanonicalFit,
    canonical_fit,
    gaussian_bias,
    gaussian_pointwise,
    gaussian_standard_error,
)
from lmi.estimators.neighbors.bias import tied_share
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.by_column import by_column
from lmi.estimators.trust.by_pair import by_pair
from lmi.estimators.trust.left_over import MOST_COMPONENTS, ORDERS, left_over
from lmi.estimators.trust.normality import faintest, mardia
from lmi.estimators.trust.plain_thresholds import NEIGHBOURS_TIED
from lmi.estimators.trust.row_order import random_orders
from lmi.estimators.trust.thresholds import BY_COLUMN, CLEAR_SIGNAL, LEFT_OVER, NOT_NORMAL

NEIGHBOUR_DIMENSIONS = 6  # both sides together, up to which nearest neighbours are asked for a second opinion
NEIGHBOUR_SAMPLES = 5000
NEIGHBOURS = 5


def closed_form_doubts(
    x: Tensor, y: Tensor, fit: CanonicalFit, nats: float, ranks: bool, generator: torch.Generator
) -> tuple[str, ...]:
    """Reasons in words, each with its number.

    Args:
        x: (n, dx) as measured.
        y: (n, dy).
        fit: their canonical correlations.
        nats: the closed form.
        ranks: whether the columns are normal scores already.
        generator: orders of rows, and draws of normal pairs.
    """
    u, v = (x, y) if ranks else (normal_scores(x), normal_scores(y))
    return (
        *_other_numbers(x, y, (u, v), nats, gaussian_standard_error(fit), ranks),
        *_not_normal(u, v, fit, nats),
        *left_by_a_line(x, y, (u, v), generator),
    )


def left_by_a_line(x: Tensor, y: Tensor, scores: tuple[Tensor, Tensor], generator: torch.Generator) -> tuple[str, ...]:
    """A reason where residuals still depend on the other side: on components, on a single column, or pair by pair.

    Args:
        x: (n, dx) columns.
        y: (n, dy).
        scores: their normal scores.
        generator: orders of rows, and draws of normal pairs.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, e = torch.randn(2, 1500, 10, generator=g, dtype=torch.float64)
    >>> stairs = (2 * x[:, :1]).round() / 2 + 0.1 * e[:, :1]
    >>> left_by_a_line(x, stairs, (normal_scores(x), normal_scores(stairs)), g)[0].split(": ")[1]
    'ry1 along x1'
    """
    left = left_over(*scores, random_orders(x.shape[0], ORDERS, generator))
    along = by_column(x, y)
    for test, threshold in ((left, LEFT_OVER), (along, BY_COLUMN)):
        if test.deviations > threshold:
            return (
                f"something is left after the linear model ({test.deviations:.0f} standard deviations): {test.words}",
            )
    if x.shape[1] + y.shape[1] > NEIGHBOUR_DIMENSIONS:
        pairs = by_pair(x, y, generator)
        if pairs.deviations > BY_COLUMN:
            return (
                f"{pairs.pairs} pairs of columns share {pairs.nats:.2f} nats more than their correlations say "
                f"({pairs.deviations:.0f} standard deviations)",
            )
    return ()


def _other_numbers(
    x: Tensor, y: Tensor, scores: tuple[Tensor, Tensor], nats: float, error: float, ranks: bool
) -> tuple[str, ...]:
    """The closed form changes with the columns' normal scores, or neighbours find more."""
    reasons = []
    tolerance = max(4 * error, 0.05)
    n, dims = x.shape[0], x.shape[1] + y.shape[1]
    if not ranks and 10 * dims <= n:
        fit = canonical_fit(*scores)
        scored = float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, fit.rank_x, fit.rank_y)
        if abs(scored - nats) > max(tolerance, 4 * gaussian_standard_error(fit)):
            reasons.append(f"on the columns' normal scores it is {scored:.2f} nats: they are not jointly normal")
    u, v = (z[:NEIGHBOUR_SAMPLES] for z in scores)
    # Between rows of one value neighbours are at distance 0, and say more than there is.
    is_tied = max(tied_share(u, NEIGHBOURS), tied_share(v, NEIGHBOURS)) > NEIGHBOURS_TIED
    if dims <= NEIGHBOUR_DIMENSIONS and n > 10 * NEIGHBOURS and not is_tied:
        terms = ksg_pointwise(u, v, NEIGHBOURS)
        said, bound_error = float(terms.mean()), float(terms.std()) / terms.numel() ** 0.5
        if said - nats > max(tolerance, 4 * bound_error):
            reasons.append(f"nearest neighbours find {said:.2f} nats: there is dependence that is not linear")
    return tuple(reasons)


def _not_normal(u: Tensor, v: Tensor, fit: CanonicalFit, nats: float) -> tuple[str, ...]:
    """Mardia's scores of each side's scores alone, in its leading and its faintest directions, and of canonical variates.

    Independent sides need not be normal for the closed form to be 0. Variates show what hides in directions of little
    variance: of a hundred functions of one factor they are its powers, which correlate and add nothing.
    """
    n = u.shape[0]
    if nats <= CLEAR_SIGNAL * (u.shape[1] * v.shape[1] / 2) ** 0.5 / n:
        return ()
    clear = int((fit.correlations > CLEAR_SIGNAL / n**0.5).sum().clamp(min=1, max=MOST_COMPONENTS // 2))
    variates = torch.cat((fit.x[:, :clear], fit.y[:, :clear]), 1)
    parts = {"x alone is": (u, faintest(u)), "y alone is": (v, faintest(v)), "canonical variates are": (variates,)}
    for name, sides in parts.items():
        most = max(abs(score) for z in sides for score in mardia(z))
        if most > NOT_NORMAL:
            return (f"{name} not jointly normal ({most:.0f} standard errors), so the closed form is not exact",)
    return ()
