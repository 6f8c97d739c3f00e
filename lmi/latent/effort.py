"""``auto`` with learned latents beside its candidates: ``effort=normal`` or ``thorough``.

``auto`` looks at columns; what pictures, sequences and many columns share may lie in functions of them that have to be
learned. Both numbers are measured, both are held to be lower bounds where they lack something, and one of them is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from lmi.auto.estimator import AutoEstimator
from lmi.estimators.trust.thresholds import LATENT_NOTHING, LEARNED_SAMPLES, LOW_DIMENSIONAL
from lmi.estimators.trust.verdict import LEVELS, default_verdict, worst
from lmi.evidence import Verdict
from lmi.latent.estimator import LatentEstimator
from lmi.latent.representation import RepresentationEstimator
from lmi.types import Context, Estimate

MEMBERS_FROM = 5000  # samples, from where on two members measured together find more


def estimate_with_learned(
    auto: AutoEstimator, columns: tuple[Tensor, Tensor], samples: tuple[Tensor, Tensor], context: Context
) -> Estimate:
    """``auto`` on the columns, and learned latents of the samples where they are worth their time; the better one.

    Worth it are pictures and sequences, and more than ``LOW_DIMENSIONAL`` columns that ``auto`` is not sure of or finds nothing
    in; with ``effort=thorough`` all of them. Fewer than ``LEARNED_SAMPLES`` samples teach too little.

    Args:
        auto: with its ``effort``.
        columns: (n, dx), (n, dy) those that vary.
        samples: (n, *shape) of each side, as they were brought.
        context: seeds, folder, progress.
    """
    n, is_shaped = columns[0].shape[0], any(z.ndim > 2 for z in samples)
    stages = context.stages(["auto on the columns", f"learned latents, effort={auto.effort}"])
    next(stages)
    quick = auto.estimate(*columns, context)
    quick = replace(quick, verdict=quick.verdict or default_verdict(quick))
    try:
        reason = not_worth_it(auto.effort, n, columns, is_shaped, quick)
        if reason:
            return replace(quick, choice=f"{quick.choice}; {reason}")
        next(stages)
        learner, child = (
            learner_of(auto.effort, n, is_shaped),
            replace(context.child("learned"), loggers=context.loggers),
        )
        if is_shaped:
            learned = learner.estimate_shaped(*samples, child)
        else:
            learned = learner.estimate(*columns, child)
    finally:
        stages.close()
    return better(quick, replace(learned, verdict=learned.verdict or default_verdict(learned)), is_shaped)


def not_worth_it(effort: str, n: int, columns: tuple[Tensor, Tensor], is_shaped: bool, quick: Estimate) -> str:
    """Why learned latents are not asked, in words; nothing where they are.

    Args:
        effort: ``normal`` or ``thorough``.
        n: samples.
        columns: (n, dx), (n, dy).
        is_shaped: whether a side is pictures or sequences.
        quick: what ``auto`` says.
    """
    if n < LEARNED_SAMPLES:
        return f"learned latents were not asked: {n} samples are fewer than {int(LEARNED_SAMPLES)}"
    if is_shaped:
        return ""
    if columns[0].shape[1] + columns[1].shape[1] <= LOW_DIMENSIONAL:
        return f"learned latents were not asked: up to {int(LOW_DIMENSIONAL)} columns are measured without them"
    # Columns that share nothing by themselves may share it in products: of many, nothing is no proof of independence.
    is_sure = quick.verdict is not None and quick.verdict.level == "reliable" and quick.nats > LATENT_NOTHING
    if effort == "normal" and is_sure:
        return (
            "learned latents were not asked: the columns give a reliable estimate (effort=thorough asks all the same)"
        )
    return ""


def learner_of(effort: str, n: int, is_shaped: bool) -> Any:
    """The estimator in learned latents, with its settings.

    Args:
        effort: ``normal`` or ``thorough``.
        n: samples.
        is_shaped: whether a side is pictures or sequences.
    """
    thorough = effort == "thorough"
    if is_shaped:
        return RepresentationEstimator(members=2 if thorough and n >= MEMBERS_FROM else 1)
    return LatentEstimator(measure="auto", folds=5 if thorough else 3)


def better(quick: Estimate, learned: Estimate, is_shaped: bool) -> Estimate:
    """The estimate of the two that is kept, with the other one in its ``choice``.

    Learned latents where their whole interval lies above that of the columns (they are functions of the samples, which share
    no less), of pictures and sequences above a number that is not reliable; else the one with the better verdict; else learned
    latents of pictures and sequences, unless the interval of the columns lies above their number, and the columns as such.

    Args:
        quick: ``auto`` on the columns, with a verdict.
        learned: in learned latents, with a verdict.
        is_shaped: whether a side is pictures or sequences.

    >>> quick = Estimate(1.0, "auto", 100, interval=(0.9, 1.1), verdict=Verdict("reliable"))
    >>> learned = Estimate(1.5, "representation", 100, interval=(1.4, 1.9), verdict=Verdict("doubtful"))
    >>> better(quick, learned, False).nats, better(quick, replace(learned, interval=(1.0, 1.9)), False).nats
    (1.5, 1.0)
    """
    assert quick.verdict is not None and learned.verdict is not None
    levels = [LEVELS.index(each.verdict.level) for each in (quick, learned) if each.verdict is not None]
    (low, high), (learned_low, learned_high) = (each.interval or (each.nats, each.nats) for each in (quick, learned))
    is_above = learned_low > (quick.nats if is_shaped and quick.verdict.level != "reliable" else high)
    takes_learned = is_above or levels[1] < levels[0] or (levels[1] == levels[0] and is_shaped and low <= learned.nats)
    chosen, other, names = (
        (learned, quick, ("learned latents", "auto on the columns"))
        if takes_learned
        else (quick, learned, ("auto on the columns", "learned latents"))
    )
    said = f"{names[1]}: {other.nats:.3f} nats, {other.verdict.level if other.verdict else 'no verdict'}"
    assert chosen.verdict is not None
    verdict = chosen.verdict
    if learned_low > high or low > learned_high:
        verdict = worst(verdict, Verdict("doubtful", (f"{said}, an interval that does not meet this one",)))
    details = {"columns_nats": quick.nats, "learned_nats": learned.nats}
    return replace(
        chosen,
        estimator="auto",
        verdict=verdict,
        details=chosen.details | details,
        choice=f"took {names[0]} ({said}): {chosen.choice}",
    )
