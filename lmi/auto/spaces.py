"""Each side alone, in the spaces where ``auto`` looks for dependence: its columns, their normal scores, joint maps of them."""

from __future__ import annotations

from torch import Tensor

from lmi.auto.candidates import closed_form
from lmi.auto.levels import TIED
from lmi.estimators.columns import normal_scores, principal_components, robust_scaled
from lmi.estimators.densities.monotone import jointly_normal
from lmi.estimators.gaussian.gaussian import DETERMINED, canonical_fit

Spaces = dict[str, tuple[Tensor, Tensor]]

FEW = 12  # dimensions, both sides together, in which densities are fitted to the variables themselves
MAPPED = 16  # columns of a side, up to which maps make them jointly normal
MAPS = "joint maps"
DETERMINED_ROWS = 5000
FARTHEST = 1e100  # squares of what is further out are no floats


def distinct(z: Tensor) -> bool:
    """Whether nearly all values of every column differ."""
    ordered = z.sort(0).values
    return bool(((ordered[1:] > ordered[:-1]).sum(0) > (1 - TIED) * z.shape[0]).all())


def components(z: Tensor, most: int) -> Tensor:
    """Principal components, of unit scale where there are many."""
    if z.shape[1] > 1:
        z = principal_components(z, most)
    return z / z[:, 0].std() if z.shape[1] > FEW else z


def faint_information(x: Tensor, y: Tensor) -> float:
    """Nats, by the closed form, of the directions in which columns of unit variance have less than 1 / n.

    As much is the error of each column's map, so some of it is lost.
    """
    sides = [principal_components(z, z.shape[1]) for z in (x, y)]
    plain = [z[:, z.var(0) * z.shape[0] >= 1] for z in sides]
    everything, most = (closed_form(u, v, MAPPED)[0] for u, v in (sides, plain))
    return everything - most


def prepared(x: Tensor, y: Tensor, most: int) -> Spaces:
    """Each side alone, in two spaces: its scaled columns and their normal scores, as unit-scale principal components."""

    def side(z: Tensor, ranks: bool) -> Tensor:
        if ranks:
            z = normal_scores(z)
        elif z.shape[1] <= FEW // 2:
            z = robust_scaled(z).clamp(-FARTHEST, FARTHEST)
        else:
            z = z.double()
            z = (z - z.mean(0)) / z.std(0, correction=0).clamp(min=1e-300)
        return components(z, most)

    return {space: (side(x, space == "ranks"), side(y, space == "ranks")) for space in ("columns", "ranks")}


def refuse_determined(spaces: Spaces) -> None:
    """Raise where a linear combination of one side is exactly one of the other.

    Raises:
        ValueError: quantities that determine each other share infinitely many nats.
    """
    for space, sides in spaces.items():
        x, y = (z[:DETERMINED_ROWS] for z in sides)
        if x.shape[1] + y.shape[1] >= x.shape[0] - 1:
            continue
        count = int((canonical_fit(x, y).correlations > DETERMINED).sum())
        if count:
            what = "columns" if space == "columns" else "columns' normal scores"
            raise ValueError(
                f"{count} linear combination(s) of x's {what} equal one of y's to 12 digits: what determines each other "
                "shares infinitely many nats; expected x and y without a common part"
            )


def add_maps(spaces: Spaces, x: Tensor, y: Tensor, most: int) -> tuple[Tensor | None, Tensor | None]:
    """The third of the ``spaces``, where a side has several columns and not too many, and each side's mapped columns.

    A side that has none stands there by its normal scores.
    """
    mx, my = (jointly_normal(z) if 1 < z.shape[1] <= MAPPED and distinct(z) else None for z in (x, y))
    if mx is not None or my is not None:
        sx, sy = (
            ranks if z is None else components(z, most) for z, ranks in zip((mx, my), spaces["ranks"], strict=True)
        )
        spaces[MAPS] = sx, sy
    return mx, my
