"""Each side alone, in the spaces where ``auto`` looks for dependence: its columns, their normal scores, joint maps of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from lmi.estimators.columns import jitter_ties, normal_scores, principal_components, robust_scaled, tails_drawn_in
from lmi.estimators.densities.monotone import jointly_normal
from lmi.estimators.densities.turns import can_be_unmixed, is_of_full_rank
from lmi.estimators.densities.unmixing import independent_components
from lmi.estimators.gaussian.canonical import canonical_fit
from lmi.estimators.gaussian.debiased import closed_form
from lmi.estimators.trust.normality import mardia
from lmi.estimators.trust.plain_thresholds import ATOM, FEW_LEVELS
from lmi.estimators.trust.thresholds import DETERMINED, KSG_DIMENSIONS, LOW_DIMENSIONAL, MAPPED, NOT_NORMAL, TIED
from lmi.types import Context

COLUMNS, RANKS, MAPS, INDEPENDENT = "columns", "ranks", "joint maps", "independent components"
LEVELS, PRESENT = "levels", "values that are there"  # what single candidates make of columns that repeat values
COLUMNS_BY_PAIRS = "columns by pairs"
CORRELATED = "correlated columns"  # ranks of those that clearly go with one of the other side
T_SCORES = "t scores"  # ranks as quantiles of a t law
DETERMINED_ROWS = 5000  # rows are enough to see that one side determines a direction of the other
UNMIXED = 0.5  # share of Mardia's deviations that may be left of a side's own
FARTHEST_OUT = 8.0  # interquartile ranges over 1.35: farther values would rule squares, products and what turns a side
FARTHEST = 1e100  # squares of what is further out are no floats


@dataclass(frozen=True, eq=False)
class Space:
    """Both sides as ``auto`` measures them.

    Args:
        name: ``columns``, ``ranks``, ``joint maps`` or ``independent components``.
        x: (n, px) components of x, of unit scale where there are many.
        y: (n, py) components of y.
        mapped: (n, dx), (n, dy) columns after the maps, where both sides have maps.
        whole: (n, dx), (n, dy) all columns, of unit scale, where ``x`` and ``y`` are only the leading components.
        axes: (n, dx), (n, dy) the columns, where ``x`` and ``y`` are no more than turned.
        effective: how many independent samples the rows count as.
    """

    name: str
    x: Tensor
    y: Tensor
    mapped: tuple[Tensor, Tensor] | None = None
    whole: tuple[Tensor, Tensor] | None = None
    effective: float = math.inf
    axes: tuple[Tensor, Tensor] | None = None
    coarse: bool = False

    @property
    def num_samples(self) -> int:
        """How many pairs there are."""
        return self.x.shape[0]

    @property
    def counted(self) -> float:
        """How many independent samples they count as."""
        return min(self.effective, float(self.num_samples))

    @property
    def in_time(self) -> bool:
        """Whether rows depend on their neighbours, so that they count less than they are."""
        return self.effective < self.num_samples

    @property
    def columns(self) -> int:
        """Of both sides together."""
        return self.x.shape[1] + self.y.shape[1]

    @property
    def by_ranks(self) -> bool:
        """Whether what n ranks cannot resolve is lost here."""
        return self.name != COLUMNS


Spaces = dict[str, Space]


def distinct(z: Tensor) -> bool:
    """Whether nearly all values of every column of z (n, d) differ."""
    ordered = z.sort(0).values
    return bool(((ordered[1:] > ordered[:-1]).sum(0) > (1 - TIED) * z.shape[0]).all())


def without_ties(x: Tensor, y: Tensor, context: Context) -> tuple[Tensor, Tensor]:
    """Both sides, of few columns with their ties spread, so that they have densities."""
    if x.shape[1] + y.shape[1] > LOW_DIMENSIONAL:
        return x, y
    sides = zip("xy", (x, y), strict=True)
    x, y = (z if distinct(z) else jitter_ties(z, context.generator("ties", side)) for side, z in sides)
    return x, y


def are_coarse(x: Tensor, y: Tensor) -> bool:
    """Whether most columns of a side have few levels, or one in many rows; in few columns neighbours correct what that costs.

    Args:
        x: (n, dx) as they came.
        y: (n, dy).

    >>> import torch
    >>> z = torch.arange(20.0)[:, None].repeat(1, 4)
    >>> [are_coarse(z, other) for other in (z, z % 2, z.clamp(min=7), z[:, :1] % 2)]
    [False, True, True, False]
    """

    def is_coarse(z: Tensor) -> bool:
        ordered = z.sort(0).values
        step = int(ATOM * len(z))
        few = (ordered[1:] > ordered[:-1]).sum(0) < FEW_LEVELS
        return bool((few | (ordered[step:] == ordered[: len(z) - step]).any(0)).double().mean() > 0.5)

    return x.shape[1] + y.shape[1] > KSG_DIMENSIONS and (is_coarse(x) or is_coarse(y))


def prepared(x: Tensor, y: Tensor, most: int, is_coarse: bool = False) -> Spaces:
    """The columns and their normal scores, each as at most ``most`` principal components a side.

    Args:
        x: (n, dx).
        y: (n, dy).
        most: components of a side.
        is_coarse: see ``Space``; said of columns whose ties may have been spread.
    """
    spaces = {}
    for name in (COLUMNS, RANKS):
        sides = scaled(x, name), scaled(y, name)
        narrow = max(x.shape[1], y.shape[1]) <= most
        px, py = (components(z, most) for z in sides)
        axes = sides if (px.shape[1], py.shape[1]) == (x.shape[1], y.shape[1]) else None
        spaces[name] = Space(name, px, py, whole=None if narrow else sides, axes=axes, coarse=is_coarse)
    return spaces


def scaled(z: Tensor, name: str) -> Tensor:
    """The columns of one side (n, d): their normal scores for ``ranks``, else centred and of unit scale."""
    if name == RANKS:
        return normal_scores(z)
    if z.shape[1] <= LOW_DIMENSIONAL / 2:
        return robust_scaled(z).clamp(-FARTHEST, FARTHEST)
    z = z.double()
    return (z - z.mean(0)) / z.std(0, correction=0).clamp(min=1e-300)


def drawn_in(z: Tensor) -> Tensor:
    """Columns of z (n, d) of one scale, without values so far out that they would rule what is made of them."""
    return tails_drawn_in(robust_scaled(z), FARTHEST_OUT)


def components(z: Tensor, most: int) -> Tensor:
    """(n, p) principal components of z (n, d), at most ``most``, of unit scale where there are many."""
    if z.shape[1] > 1:
        z = principal_components(z, most)
    return z / z[:, 0].std() if z.shape[1] > LOW_DIMENSIONAL else z


def with_maps(spaces: Spaces, x: Tensor, y: Tensor, most: int) -> Spaces:
    """The ``spaces`` and a third, where a side has several columns and not too many.

    A side that has no maps stands there by its normal scores.

    Args:
        spaces: as ``prepared`` gives them.
        x: (n, dx).
        y: (n, dy).
        most: components of a side.
    """
    maps = [jointly_normal(z) if 1 < z.shape[1] <= MAPPED and distinct(z) else None for z in (x, y)]
    if all(z is None for z in maps):
        return spaces
    mx, my = maps
    ranks = spaces[RANKS]
    x, y = (z if m is None else components(m, most) for z, m in ((ranks.x, mx), (ranks.y, my)))
    axes = ranks.x if mx is None else mx, ranks.y if my is None else my
    space = Space(
        MAPS,
        x,
        y,
        None if mx is None or my is None else (mx, my),
        effective=ranks.effective,
        axes=axes if (x.shape, y.shape) == (axes[0].shape, axes[1].shape) else None,
    )
    return {**spaces, MAPS: space}


def with_independent_components(spaces: Spaces, x: Tensor, y: Tensor, most: int) -> Spaces:
    """The ``spaces`` and the normal scores of each side's independent components, where these are clearly nearer to normal.

    Columns that are linear mixtures of sources which are not normal, such as voltages of neurons or of electrodes, are made
    normal by no map of single columns. A side where the components gain nothing stands there by its normal scores.

    Args:
        spaces: as ``prepared`` gives them.
        x: (n, dx).
        y: (n, dy).
        most: components of a side: one of more columns has no such space.
    """
    unmixed = [_unmixed(z) if 1 < z.shape[1] <= most and can_be_unmixed(z) and distinct(z) else None for z in (x, y)]
    if all(z is None for z in unmixed):
        return spaces
    ranks = spaces[RANKS]
    x, y = (z if u is None else u for z, u in zip((ranks.x, ranks.y), unmixed, strict=True))
    return {**spaces, INDEPENDENT: Space(INDEPENDENT, x, y, effective=ranks.effective, axes=(x, y))}


def _unmixed(z: Tensor) -> Tensor | None:
    """(n, d) normal scores of independent components of columns z (n, d); ``None`` where they are hardly nearer to normal."""
    columns = drawn_in(z)
    before = max(abs(score) for score in mardia(normal_scores(z)))
    if before < NOT_NORMAL or not is_of_full_rank(columns):
        return None
    scores = normal_scores(columns @ independent_components(columns))
    return scores if max(abs(score) for score in mardia(scores)) < UNMIXED * before else None


def faint_information(x: Tensor, y: Tensor) -> float:
    """Nats, by the closed form, of the directions in which columns (n, d) of unit variance have less than 1 / n.

    As much is the error of each column's map, so some of it is lost.
    """
    sides = [principal_components(z, z.shape[1]) for z in (x, y)]
    varying = [z[:, z.var(0) * z.shape[0] >= 1] for z in sides]
    everything, most = (closed_form(u, v, int(MAPPED)).nats for u, v in (sides, varying))
    return everything - most


def refuse_determined(spaces: Spaces) -> None:
    """Raise where a linear combination of one side is exactly one of the other.

    Raises:
        ValueError: quantities that determine each other share infinitely many nats.
    """
    for space in spaces.values():
        x, y = space.x[:DETERMINED_ROWS], space.y[:DETERMINED_ROWS]
        if x.shape[1] + y.shape[1] >= x.shape[0] - 1:
            continue
        count = int((canonical_fit(x, y).correlations > DETERMINED).sum())
        if count:
            what = "columns' normal scores" if space.by_ranks else "columns"
            raise ValueError(
                f"{count} linear combination(s) of x's {what} equal one of y's to 12 digits: what determines each other "
                "shares infinitely many nats; expected x and y without a common part"
            )
