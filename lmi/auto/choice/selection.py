"""Which candidates are fitted, in which order, and which of them is chosen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor

from lmi.auto.candidates.encoding import EncodingModel
from lmi.auto.candidates.independence import Independence
from lmi.auto.candidates.kernel_variates import KernelMixture
from lmi.auto.candidates.neural_critic import NeuralCritic
from lmi.auto.candidates.normal import FittedNormal, Normal
from lmi.auto.candidates.t_density import TDensity
from lmi.auto.candidates.t_mixture import TMixture
from lmi.auto.candidates.variate_mixture import VARIATES, VariateMixture
from lmi.auto.choice.called_for import called_for
from lmi.auto.choice.classes import enter_classes, enter_further_classes
from lmi.auto.choice.contest import Contest
from lmi.auto.protocol.candidate import FittedCandidate
from lmi.auto.protocol.numbers import FIT_SAMPLES
from lmi.auto.spaces import COLUMNS, INDEPENDENT, MAPS, RANKS, Space, Spaces
from lmi.estimators.folds import Fold
from lmi.estimators.trust.plain_thresholds import ENCODES
from lmi.estimators.trust.thresholds import (
    CLIMB_GAIN,
    KSG_DIMENSIONS,
    LOW_DIMENSIONAL,
    NEURAL_DIMENSIONS,
    SAMPLES_A_PARAMETER,
    SURE,
    T_COMPONENTS,
)
from lmi.neural.critic import CriticSettings
from lmi.types import Context

COMPONENTS = (1, 2, 4, 8, 16)  # of mixtures
FEW_DENSITIES = (2, 4)  # of all leading components together
CLIMB_FROM = 4  # components, from which on a mixture that gains nothing ends the climb


def is_low_dimensional(spaces: Spaces) -> bool:
    """Whether densities are fitted to the variables themselves."""
    return max(space.columns for space in spaces.values()) <= LOW_DIMENSIONAL


def fit_candidates(
    spaces: Spaces,
    folds: list[Fold],
    critic: CriticSettings | None,
    context: Context,
    raw: tuple[Tensor, Tensor] | None = None,
    has_blocks: bool = False,
) -> Contest:
    """Fit all candidates that these spaces have room for, simple ones first.

    Args:
        spaces: both sides, in two or three spaces.
        folds: what is fitted on, and what judges.
        critic: settings of the neural critic; ``None`` leaves it out.
        context: seeds the fits.
        raw: (n, dx), (n, dy) all columns as they came, before ties were spread.
        has_blocks: whether the columns part into blocks, in which pairs of columns have densities of their own.
    """
    contest = Contest(folds)
    low = is_low_dimensional(spaces)
    for name, space in spaces.items():
        # Independent components vary alike: none comes before another.
        normal = contest.enter(Normal(space, low or name == INDEPENDENT))
        if isinstance(normal, FittedNormal):
            contest.normals[name] = normal
    normals = contest.normals
    contest.fitted.insert(0, Independence(spaces[RANKS], tuple(normals.values())).fit(folds))
    tried = without_the_worse(spaces, normals)
    groups: dict[int, float] = {}
    if not low:
        groups = enter_classes(contest, tried, spaces[COLUMNS], context)
        _t_densities(contest, tried, normals, context)
    _climb(contest, tried, normals, low, context)
    columns = min(space.columns for space in spaces.values())
    if columns > NEURAL_DIMENSIONS:
        for space in tried.values():
            contest.enter(KernelMixture(space, context))
    if columns > KSG_DIMENSIONS and min(min(space.x.shape[1], space.y.shape[1]) for space in tried.values()) <= ENCODES:
        for space in tried.values():
            contest.enter(EncodingModel(space))
    enter_further_classes(contest, groups, spaces[COLUMNS], context)
    if raw is not None:
        lines = {name: normal.bound for name, normal in normals.items() if name in (COLUMNS, RANKS)}
        line = spaces[max(lines, key=lines.__getitem__, default=RANKS)]
        for candidate in called_for(raw, line, folds, context, has_blocks):
            contest.enter(candidate)
    if critic is not None and columns > NEURAL_DIMENSIONS:
        cheap = [candidate for candidate in contest.fitted if not candidate.traits.costly]
        base = select(cheap)
        leader = base if base.traits.complexity else max(cheap, key=lambda c: c.bound)
        space = leader.cross_fit.space if leader.traits.complexity else spaces[COLUMNS]
        contest.enter(NeuralCritic(space, base if base.traits.complexity else None, critic, context))
    return contest


def without_the_worse(spaces: Spaces, normals: dict[str, FittedNormal]) -> Spaces:
    """The columns, and ranks, joint maps or independent components, whichever of these the normal model likes best."""
    bounds = {name: normal.bound for name, normal in normals.items()}
    best = max((RANKS, MAPS, INDEPENDENT), key=lambda name: bounds.get(name, -math.inf))
    return {name: space for name, space in spaces.items() if name in (COLUMNS, best)}


def _t_densities(contest: Contest, tried: Spaces, normals: dict[str, FittedNormal], context: Context) -> None:
    """One t density of as many components as the normal model uses.

    Outliers may leave the normal form next to nothing in its own space: what serves the best one is tried as well.
    """
    fitting = {name: normal for name, normal in normals.items() if normal.rank <= T_COMPONENTS and name in tried}
    if fitting:
        most = max(fitting.values(), key=lambda normal: normal.bound).rank
        for name, rank in dict.fromkeys((name, rank) for name, c in fitting.items() for rank in (c.rank, most)):
            contest.enter(TDensity(tried[name], rank, context))
    for space, count in itertools.product(tried.values(), FEW_DENSITIES):
        rank = full_rank(space, count, contest.folds)
        if rank > VARIATES:
            contest.enter(TDensity(space, rank, context, count))


def full_rank(space: Space, count: int, folds: list[Fold]) -> int:
    """How many components of each side ``count`` densities of all of them can have with so many samples to fit.

    Args:
        space: whose components they are.
        count: of densities.
        folds: whose training parts they are fitted to.
    """
    fitted = min(min(fold.fit.numel(), FIT_SAMPLES) for fold in folds)
    rank = math.isqrt(int(fitted / (SAMPLES_A_PARAMETER * 2 * count)))
    return min(rank, max(space.x.shape[1], space.y.shape[1]))


def _climb(
    contest: Contest, tried: Spaces, normals: dict[str, FittedNormal], low_dimensional: bool, context: Context
) -> None:
    """Mixtures of more and more components, first in all spaces, then in the best, while fresh pairs gain by it.

    Args:
        contest: takes them.
        tried: the spaces.
        normals: the fitted closed forms, whose components the canonical variates are combinations of.
        low_dimensional: whether the variables themselves are mixed.
        context: seeds the starts.
    """
    best = {name: -math.inf for name in tried if low_dimensional or name in normals}
    names = list(best)
    for count in COMPONENTS:
        for name in list(names):
            candidate = (
                TMixture(tried[name], count, context)
                if low_dimensional
                else VariateMixture(tried[name], count, normals[name].rank, context)
            )
            fitted = contest.enter(candidate)
            if fitted is None or (count >= CLIMB_FROM and fitted.bound < best[name] + CLIMB_GAIN):
                names.remove(name)
            if fitted is not None:
                best[name] = max(best[name], fitted.bound)
        if count >= 2 and len(names) > 1:
            names = [max(names, key=best.__getitem__)]


def select(candidates: Sequence[FittedCandidate]) -> FittedCandidate:
    """The simplest candidate that no more complex one beats by more than 2.5 standard errors of the difference."""
    chosen = candidates[0]
    for candidate in sorted(candidates[1:], key=lambda c: (c.traits.complexity, -c.bound)):
        gain = candidate.cross_fit.terms - chosen.cross_fit.terms
        gain = gain[~gain.isnan()]
        sure = 0.0
        if candidate.traits.complexity > chosen.traits.complexity:
            space = candidate.cross_fit.space  # rows in time count less than they are
            sure = SURE * float(gain.std()) / (gain.numel() * space.counted / space.num_samples) ** 0.5
            sure = max(sure, (candidate.traits.margin + chosen.traits.blurred) * chosen.bound)
        if float(gain.mean()) > sure:
            chosen = candidate
    return chosen
