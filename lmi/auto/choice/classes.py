"""Clusters of each side, latent classes of both, and classes that kernels tell apart where the first two lead."""

from __future__ import annotations

import math
from dataclasses import replace

from lmi.auto.candidates.clusters import Clusters
from lmi.auto.candidates.kernel_class import KernelClass
from lmi.auto.candidates.latent_class import LatentClass
from lmi.auto.choice.contest import Contest
from lmi.auto.spaces import Space, Spaces
from lmi.estimators.trust.plain_thresholds import CLASSES_LEAD, CLASSES_LEAST
from lmi.estimators.trust.thresholds import CLASS_GAIN, SAMPLES_A_CLASS
from lmi.types import Context

CLUSTERS = (2, 3, 5, 10)  # of each side
CLASSES = (5, 10, 20, 40, 80)  # latent ones
ALL_CLASSES = 40  # up to here every number is tried, and more only where these gained


def enter_classes(contest: Contest, tried: Spaces, columns: Space, context: Context) -> dict[int, float]:
    """Clusters in all spaces, and more and more latent classes; from 40 on only while fresh pairs gain by them.

    Args:
        contest: takes them.
        tried: where clusters are found.
        columns: where latent classes are fitted.
        context: seeds the starts.

    Returns:
        The best bound of so many clusters or classes, nats.
    """
    groups: dict[int, float] = {}
    for count in CLUSTERS:
        for space in tried.values():
            clusters = contest.enter(Clusters(space, count, context))
            groups[count] = max(groups.get(count, 0.0), clusters.bound if clusters else 0.0)
    smallest = min(fold.fit.numel() for fold in contest.folds)
    before = best = -math.inf
    for count in (count for count in CLASSES if SAMPLES_A_CLASS * count <= smallest):
        if count > ALL_CLASSES and best < before + CLASS_GAIN * abs(before):
            break
        fitted = contest.enter(LatentClass(columns, count, context))
        if fitted is not None:
            before, best = best, fitted.bound
            groups[count] = max(groups.get(count, 0.0), fitted.bound)
    _enter_classes_of_own_variances(contest, columns, smallest, context)
    return groups


def _enter_classes_of_own_variances(contest: Contest, columns: Space, smallest: int, context: Context) -> None:
    """Few latent classes of their own variances, and more where they find more than a line and gain by it.

    Classes that differ in what varies, and not in means, leave no clusters.
    """
    columns = unturned(columns)
    before = max((normal.bound for normal in contest.normals.values()), default=0.0)
    for count in (count for count in CLASSES if SAMPLES_A_CLASS * count <= smallest):
        fitted = contest.enter(LatentClass(columns, count, context, alike=False))
        if fitted is None or fitted.bound < before + CLASS_GAIN * abs(before):
            break
        before = fitted.bound


def unturned(space: Space) -> Space:
    """The same with its columns in place of their principal components, along which variances are mixed."""
    return space if space.axes is None else replace(space, x=space.axes[0], y=space.axes[1])


def enter_further_classes(contest: Contest, groups: dict[int, float], columns: Space, context: Context) -> None:
    """Where clusters or latent classes find more than a line and much of what anything finds: classes of other shapes.

    Latent classes of their own variances, as many as found most and twice as many, and classes that kernels tell apart.

    Args:
        contest: takes them.
        groups: as ``enter_classes`` gives them.
        columns: where they are fitted.
        context: seeds the starts.
    """
    count = max(groups, key=groups.__getitem__, default=0)
    line = max((normal.bound for normal in contest.normals.values()), default=0.0)
    least = max(CLASSES_LEAST, line, CLASSES_LEAD * max(candidate.bound for candidate in contest.fitted))
    if not count or groups[count] <= least:
        return
    smallest = min(fold.fit.numel() for fold in contest.folds)
    names = [fitted.name for fitted in contest.fitted]
    for classes in (count, 2 * count):
        further = LatentClass(unturned(columns), classes, context, alike=False)
        if SAMPLES_A_CLASS * classes <= smallest and further.name not in names:
            contest.enter(further)
    contest.enter(KernelClass(columns, count, context))
