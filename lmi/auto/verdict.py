"""The verdict of ``auto``: a list of doubts, each with its words and its weight."""

from __future__ import annotations

from collections.abc import Callable

from lmi.auto.doubt import Doubt, Evidence, lacks_confirmation, sample_limit
from lmi.estimators.trust.thresholds import (
    ABSTAIN,
    BY_COLUMN,
    COUNT_LESS,
    DISAGREEMENT,
    DOUBTFUL,
    FOLDS_APART,
    FOLDS_APART_ERRORS,
    FOLDS_APART_LEAST,
    IN_TIME,
    KSG_DIMENSIONS,
    LEFT_OVER,
    LINE_DISAGREEMENT,
    LOW_DIMENSIONAL,
    MOSTLY_UNCONFIRMED,
    NEAR_COPIES,
    NEAR_LIMIT,
    NOISY,
    NOISY_LEAST,
    NOT_ALONE,
    NOT_ALONE_LEAST,
    NOT_NORMAL,
    ONLY_LEARNED,
    ONLY_LEARNED_LEAST,
    RISING,
    RISING_LEAST,
    SAMPLES_A_DIMENSION,
    UNFINISHED,
)
from lmi.estimators.trust.unexplained import unexplained_doubt
from lmi.evidence import Level, Verdict


def near_the_limit(e: Evidence) -> Doubt | None:
    """The estimate is near what so many samples can show."""
    limit = sample_limit(e.num_samples)
    if e.nats <= NEAR_LIMIT * limit:
        return None
    beyond = e.nats > limit and e.chosen.traits.bounded
    return Doubt(
        f"the estimate is near what {e.num_samples} samples can show ({limit:.1f} nats)", 3.0 if beyond else 1.0
    )


def neighbours_disagree(e: Evidence) -> Doubt | None:
    """Nearest neighbours and the fitted density disagree.

    Neighbours have then corrected the number: what else says that a closed form was not exact says it once more.
    """
    if abs(e.correction) <= (LINE_DISAGREEMENT if e.columns <= 2 else DISAGREEMENT):
        return None
    return Doubt(f"nearest neighbours and the fitted density disagree by {abs(e.correction):.2f} nats")


def not_confirmed(e: Evidence) -> Doubt | None:
    """Fresh pairs confirm only a part of the estimate."""
    traits = e.chosen.traits
    # What their density does not confirm is in the error of kernel variates, which would allow itself.
    error = 0.0 if traits.approximate and traits.exceeds_bound and not traits.costly else e.error
    if not (e.is_dependence and lacks_confirmation(e.nats, error, e.unconfirmed, e.num_samples)):
        return None
    weight = 3.0 if e.unconfirmed > MOSTLY_UNCONFIRMED * e.nats else 1.0
    return Doubt(f"fresh pairs confirm only {e.chosen.bound:.2f} of {e.nats:.2f} nats", weight)


def only_learned(e: Evidence) -> Doubt | None:
    """Only a neural critic finds this much."""
    if not e.chosen.traits.learned:
        return None
    least = e.chosen.bound - 0.5 * abs(e.chosen.bound)
    others = [c.bound for c in e.candidates if not c.traits.learned and c.bound > least]
    if others and e.chosen.bound - max(others) <= max(ONLY_LEARNED * e.nats, ONLY_LEARNED_LEAST):
        return None
    return Doubt("only a neural critic finds this much, and its value is a lower bound")


def only_a_bound(e: Evidence) -> Doubt | None:
    """The candidate sees the variables through something that may lose information."""
    if not e.chosen.traits.approximate or e.all_columns:
        return None
    # In few columns neighbours correct it, and predictions and tables are held against others; kernels fill no more.
    traits = e.chosen.traits
    most = KSG_DIMENSIONS if e.chosen.cross_fit.space.coarse or traits.exceeds_bound else LOW_DIMENSIONAL
    wide = e.columns > most and not traits.costly
    # Where fresh pairs were too few, nothing has tested what its scores leave.
    wide = wide or (e.columns > KSG_DIMENSIONS and e.left is None)
    return Doubt(
        f"{e.chosen.name} may miss a part of what is there, so that the interval opens upwards", 1.0 if wide else 0.0
    )


def still_rising(e: Evidence) -> Doubt | None:
    """Half of the training samples find clearly less."""
    allowed = max(e.unconfirmed, 0.0) if e.chosen.traits.exceeds_bound else 0.0
    if e.rising <= max(RISING * e.nats, e.error, RISING_LEAST) + allowed:
        return None
    return Doubt(f"half of the training samples find {e.rising:.2f} nats less, so more would find more")


def could_hide(e: Evidence) -> Doubt | None:
    """Nothing was found, in samples that could hide much."""
    columns = e.all or e.columns
    if e.is_dependence or e.num_samples >= SAMPLES_A_DIMENSION * columns:
        return None
    kind = "a dependence" if e.num_samples < columns else "a dependence that is not linear"
    return Doubt(f"{e.num_samples} samples in {columns} dimensions could hide {kind}")


def noisy(e: Evidence) -> Doubt | None:
    """The standard error is large."""
    if e.error <= max(NOISY * abs(e.nats), NOISY_LEAST):
        return None
    return Doubt(f"its standard error is {e.error:.2f} nats")


def copied(e: Evidence) -> Doubt | None:
    """Samples were entered twice."""
    if not e.copies:
        return None
    return Doubt(f"{e.copies} pairs are copies of others: each sample counts once, {e.num_samples} in all")


def nearly_copied(e: Evidence) -> Doubt | None:
    """Rows come in near copies, which cannot be told from a dependence."""
    if e.near_copies <= NEAR_COPIES:
        return None
    return Doubt("rows come in groups of near copies, which look like a dependence: name the groups by groups=", 3.0)


def folds_disagree(e: Evidence) -> Doubt | None:
    """The candidate depends on the seed: its folds had other samples, starts and landmarks, and should agree."""
    if not e.is_dependence or e.all_columns:
        return None
    cross_fit = e.chosen.cross_fit
    terms = [fold[~fold.isnan()] for fold in (cross_fit.terms[f.test] for f in cross_fit.folds)]
    bounds = [float(fold.mean()) for fold in terms]
    error = max(float(fold.std()) / fold.numel() ** 0.5 for fold in terms)
    if max(bounds) - min(bounds) <= max(FOLDS_APART_ERRORS * error, FOLDS_APART * max(bounds), FOLDS_APART_LEAST):
        return None
    return Doubt(f"its folds disagree: fresh pairs confirm {min(bounds):.2f} to {max(bounds):.2f} nats")


def something_left(e: Evidence) -> Doubt | None:
    """Residuals of a linear model still depend on the other side."""
    if e.left is None or e.left.deviations <= LEFT_OVER or not e.chosen.traits.linear:
        return None
    return Doubt(
        f"something is left after the linear model ({e.left.deviations:.0f} standard deviations): "
        f"components of residuals depend on components, {e.left.words}",
        0.0 if neighbours_disagree(e) else 1.0,
    )


def left_along_a_column(e: Evidence) -> Doubt | None:
    """Residuals of a linear model change along a single column; where squares and products show it, too, it counts once."""
    if e.along is None or e.along.deviations <= BY_COLUMN:
        return None
    return Doubt(
        f"something is left after the linear model ({e.along.deviations:.0f} standard deviations): {e.along.words}",
        0.0 if neighbours_disagree(e) or something_left(e) else 1.0,
    )


def left_unexplained(e: Evidence) -> Doubt | None:
    """On fresh pairs the scores get conditional moments wrong by more than fitting costs."""
    if e.left is None or e.chosen.traits.linear:
        return None
    words = unexplained_doubt(e.left, e.nats, e.error)
    return Doubt(words) if words else None


def sides_not_normal(e: Evidence) -> Doubt | None:
    """A side alone is not jointly normal, so that the closed form is neither exact nor a lower bound."""
    if e.not_normal <= NOT_NORMAL:
        return None
    # Residuals on a line each have corrected the closed form; elsewhere neighbours may have, and how far has been said.
    weight = 0.0 if e.columns <= 2 or neighbours_disagree(e) else 1.0
    return Doubt(
        f"a side alone is not jointly normal ({e.not_normal:.0f} standard errors), so the closed form is not exact",
        weight,
    )


def sides_unlike_the_density(e: Evidence) -> Doubt | None:
    """A side alone is likelier under a density of its own than the density of the pairs says."""
    if e.alone is None or e.alone.twice <= NOT_ALONE:
        return None
    # On a line each neighbours correct the number, and the interval is open.
    weight = 1.0 if e.columns > 2 and e.alone.nats > NOT_ALONE_LEAST else 0.0
    return Doubt(
        f"a side alone is likelier under a density of its own ({e.alone.nats:.3f} nats a sample), so {e.chosen.name} is not "
        "exact and the interval opens upwards",
        weight,
    )


def unfinished(e: Evidence) -> Doubt | None:
    """A mixture of twice as many densities says clearly more, and the samples are too few to choose it."""
    if e.more_densities <= max(UNFINISHED * e.nats, 0.0):
        return None
    return Doubt(
        f"twice as many densities or classes say {e.more_densities:.2f} nats more, and the samples are too few to choose them"
    )


def rows_in_time(e: Evidence) -> Doubt | None:
    """Rows depend on their neighbours."""
    counted = e.chosen.cross_fit.space.counted
    if e.in_time <= IN_TIME or counted > COUNT_LESS * e.num_samples:
        return None
    return Doubt(f"rows depend on their neighbours: {e.num_samples} of them count as about {counted:.0f}")


DOUBTS: tuple[Callable[[Evidence], Doubt | None], ...] = (
    near_the_limit,
    neighbours_disagree,
    not_confirmed,
    only_learned,
    only_a_bound,
    still_rising,
    could_hide,
    noisy,
    copied,
    nearly_copied,
    folds_disagree,
    something_left,
    left_along_a_column,
    left_unexplained,
    sides_not_normal,
    sides_unlike_the_density,
    unfinished,
    rows_in_time,
)


def verdict_of(evidence: Evidence) -> Verdict:
    """Reliable, doubtful or abstain, with every reason."""
    doubts = [doubt for check in DOUBTS if (doubt := check(evidence))]
    doubts += [Doubt(words) for words in evidence.unsteady]
    doubts += [Doubt(words, 0.5) for words in evidence.dropped]
    weight = sum(doubt.weight for doubt in doubts)
    level: Level = "reliable" if weight < DOUBTFUL else "doubtful" if weight < ABSTAIN else "abstain"
    return Verdict(level, tuple(doubt.words for doubt in doubts))
