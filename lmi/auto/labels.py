"""``auto`` for a label and for a condition: classifiers judged on fresh samples, and the chain rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from lmi.estimators.columns import jitter_ties, robust_scaled
from lmi.estimators.neighbors.conditional import ross_pointwise
from lmi.estimators.neighbors.terms import repeats
from lmi.estimators.probes.labels import classifiers, label_entropy, log_shares
from lmi.estimators.probes.readings import read_shares
from lmi.estimators.trust.thresholds import (
    LABEL_RISE,
    LABEL_RISE_OF_A_FORMULA,
    LEARNED_LABEL,
    RISING,
    RISING_LEAST,
    SAMPLES_A_DIMENSION,
    SURE,
    TIED,
)
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import worst
from lmi.evidence import Null, Verdict
from lmi.types import Context, Estimate

FOLDS = 4
ROSS_DIMENSIONS = 3
TABLE = "the table of"  # in the choice of an estimate that is one


def label_information(x: Tensor, label: Tensor, permutations: int, context: Context) -> Estimate:
    """I(X; L) by nearest neighbours in few dimensions, else by what the best classifier says of samples it never saw.

    By the data processing inequality nothing that a classifier says of fresh samples shares more with the label than x
    does. What it says is read in two ways, see ``Reading``.

    Args:
        x: (n, dx).
        label: (n,) class numbers.
        permutations: size of the null: what the classifiers say held against shuffled labels, the best of them each time.
        context: seeds the folds.

    Raises:
        ValueError: where a label is rarer than the folds.
    """
    n = x.shape[0]
    entropy = label_entropy(label)
    x = (x.double() - x.double().mean(0)) / x.double().std(0, correction=0).clamp(min=1e-300)
    _, label, counts = torch.unique(label, return_inverse=True, return_counts=True)
    seed = context.derive("classifier")
    built = classifiers(x.shape[1], int(counts.min()), n)
    shares = log_shares(x, label, built, FOLDS, seed)
    readings = {name: read_shares(logs, entropy, context) for name, logs in shares.items()}
    read = {name: reading.terms(label) for name, reading in readings.items()}
    if not any(above_chance(reading.bound(label)) for reading in readings.values()):
        # Neighbours' noise is no finding where no classifier finds anything.
        readings = {key: replace(reading, odds=None) for key, reading in readings.items()}
        read = {key: reading.bound(label) for key, reading in readings.items()}
    best = name = max(read, key=lambda key: float(read[key].mean()))
    nats, error = float(read[name].mean()), float(read[name].std()) / n**0.5
    choice = ", ".join(f"{key} {float(value.mean()):.3f}" for key, value in read.items())
    null = None
    if permutations:
        generator = context.generator("null")
        shuffled = (label[torch.randperm(n, generator=generator)] for _ in range(permutations))
        # Of shuffled labels, too, the best classifier is taken.
        values = [max(float(reading.terms(order).mean()) for reading in readings.values()) for order in shuffled]
        null = Null(torch.tensor(values, dtype=torch.float64), nats)
    reasons: list[str] = []
    above = unseen = 0.0
    if x.shape[1] <= ROSS_DIMENSIONS:
        # Classifiers see levels as they are; what lies between the levels that ties are spread over is noise to them.
        spread = jitter_ties(x, context.generator("ties")) if repeats(x) > TIED * n else x
        ross = ross_pointwise(robust_scaled(spread), label, 5)
        said = float(ross.mean())
        choice += f", nearest neighbours {said:.3f}"
        apart, ross_error = float((ross - read[name]).std()) / n**0.5, float(ross.std()) / n**0.5
        if said < nats - max(0.1 * nats, 4 * apart):
            reasons.append(f"nearest neighbours say {said:.3f} nats")
        elif (nats > 2 * error or said > nats + SURE * math.hypot(ross_error, apart)) and said > nats - 2 * apart:
            # A classifier's value is a lower bound, and in few dimensions neighbours' is none.
            name, nats, error = "nearest neighbours", said, math.hypot(ross_error, apart)
    if name == best and 0.02 < nats < 0.9 * entropy:
        second = sorted(float(value.mean()) for value in read.values())[-2]
        if nats - second > 0.15 * nats:
            unseen = nats - second  # what only one of them sees it may see in part
            reasons.append(f"only {name} finds this much, and a classifier gives a lower bound")
    if name == best and nats > 2 * error:
        halves = [log_shares(x, label, {best: built[best]}, FOLDS, seed, half)[best] for half in (0, 1)]
        fewer = sum(read_shares(logs, entropy, context).terms(label) for logs in halves) / len(halves)
        rise = float((read[best] - fewer).mean())
        times = LABEL_RISE_OF_A_FORMULA if built[best].parametric else LABEL_RISE
        lacking = lacking_of(read[best] - fewer, times, error)
        above = max(min(max(LEARNED_LABEL * entropy, lacking, unseen), entropy - nats), 0.0)
        if rise > max(RISING * nats, RISING_LEAST):
            reasons.append(f"half of the training samples find {nats - rise:.3f} nats: more would find more")
    if name != best and nats > 2 * error:
        fewer = neighbours_of_halves(spread, label, context)
        # Near a sharp boundary neighbours lack what lies within their distance, n^(-1/d) of it.
        above = min(lacking_of(ross - fewer, 1 / (2 ** (1 / x.shape[1]) - 1), error), max(entropy - nats, 0.0))
    if nats < 2 * error and n < SAMPLES_A_DIMENSION * x.shape[1]:
        reasons.append(f"nothing was found, and {n} samples of {x.shape[1]} columns could hide what is not linear")
    if nats < 2 * error and nats < 0.01:
        nats = max(nats, 0.0)
    return Estimate(
        nats=nats,
        estimator="auto",
        num_samples=n,
        interval=(nats - Z_90 * max(error, 1 / n), nats + Z_90 * max(error, 1 / n) + above),
        null=null,
        ceiling=entropy,
        details={"label_entropy_nats": entropy, "standard_error_nats": error},
        verdict=Verdict("doubtful" if reasons else "reliable", tuple(reasons)),
        choice=f"auto took {name}: {choice} nats held out",
    )


def lacking_of(more: Tensor, times: float, error: float) -> float:
    """Nats by which the interval of a number has to open, for what more samples would find.

    The upper end is that of the number and what it lacks together, and what it lacks is a noisy figure itself.

    Args:
        more: (n,) terms of all samples less those of half of them.
        times: how much more is lacking than half of the samples lack.
        error: of the number.

    >>> round(lacking_of(torch.full((9,), 0.1), 2.4, 0.05), 2)
    0.24
    """
    rise, rise_error = float(more.mean()), float(more.std()) / more.numel() ** 0.5
    return max(times * rise + Z_90 * (math.hypot(error, times * rise_error) - error), 0.0)


def neighbours_of_halves(x: Tensor, label: Tensor, context: Context) -> Tensor:
    """(n,) terms by nearest neighbours among a random half of x (n, dx) and of the label (n,), each half by itself."""
    n = x.shape[0]
    order, terms = torch.randperm(n, generator=context.generator("halves")), torch.empty(n, dtype=torch.float64)
    for rows in (order[: n // 2], order[n // 2 :]):
        terms[rows] = ross_pointwise(robust_scaled(x[rows]), label[rows], 5)
    return terms


def above_chance(terms: Tensor) -> bool:
    """Whether the mean of terms (n,) is more than two standard errors above 0."""
    return float(terms.mean()) > 2 * float(terms.std()) / terms.numel() ** 0.5


def given_information(
    measure: Callable[[Tensor, Tensor, Context], Estimate], x: Tensor, y: Tensor, z: Tensor, context: Context
) -> Estimate:
    """I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z), each measured by ``measure`` on the same folds.

    Args:
        measure: of two sides, in nats.
        x: (n, dx).
        y: (n, dy).
        z: (n, dz) what is conditioned on.
        context: seeds.
    """
    both = measure(x, torch.cat((y.double(), z.double()), 1), context)
    alone = measure(x, z, context)
    nats = both.nats - alone.nats
    assert both.interval is not None and alone.interval is not None and both.verdict and alone.verdict
    # What pulls the one up or the other down pulls the difference up.
    below = math.hypot(both.nats - both.interval[0], alone.interval[1] - alone.nats)
    above = math.hypot(both.interval[1] - both.nats, alone.nats - alone.interval[0])
    verdict = worst(both.verdict, alone.verdict)
    if (TABLE in both.choice) != (TABLE in alone.choice):
        words = "one of the two terms is a table's and the other is not: they err differently"
        verdict = worst(verdict, Verdict("doubtful", (words,)))
    return replace(
        both,
        nats=nats,
        pointwise=None,
        interval=(nats - below, nats + above),
        null=None,
        verdict=verdict,
        details={"joint_nats": both.nats, "condition_nats": alone.nats},
        choice=f"I(X; Y, Z) = {both.nats:.3f} - I(X; Z) = {alone.nats:.3f}; {both.choice}; {alone.choice}",
    )
