"""``auto`` for a label and for a condition: classifiers judged on fresh samples, and the chain rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from lmi.estimators.columns import robust_scaled
from lmi.estimators.neighbors.conditional import ross_pointwise
from lmi.estimators.probes.labels import classifiers, label_entropy, surprise
from lmi.estimators.trust.thresholds import SURE
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import worst
from lmi.evidence import Verdict
from lmi.types import Context, Estimate

FOLDS = 4
LEARNED_LABEL = 0.01  # share of the label's entropy that boosted trees leave where the label is a function of x
ROSS_DIMENSIONS = 3
TABLE = "the table of"  # in the choice of an estimate that is one


def label_information(x: Tensor, label: Tensor, context: Context) -> Estimate:
    """H(L) minus the held-out cross entropy of the best classifier: a lower bound on I(X; L); Ross in few dimensions.

    Args:
        x: (n, dx).
        label: (n,) class numbers.
        context: seeds the folds.

    Raises:
        ValueError: where a label is rarer than the folds.
    """
    n = x.shape[0]
    entropy = label_entropy(label)
    x = (x.double() - x.double().mean(0)) / x.double().std(0, correction=0).clamp(min=1e-300)
    seed = context.derive("classifier")
    terms = {name: entropy - surprise(x, label, build, FOLDS, seed) for name, build in classifiers(x.shape[1]).items()}
    name = max(terms, key=lambda key: float(terms[key].mean()))
    nats, error = float(terms[name].mean()), float(terms[name].std()) / n**0.5
    choice = ", ".join(f"{key} {float(value.mean()):.3f}" for key, value in terms.items())
    reasons: list[str] = []
    unseen = 0.0
    if x.shape[1] <= ROSS_DIMENSIONS:
        ross = ross_pointwise(robust_scaled(x), label, 5)
        said = float(ross.mean())
        choice += f", nearest neighbours {said:.3f}"
        apart, ross_error = float((ross - terms[name]).std()) / n**0.5, float(ross.std()) / n**0.5
        if said < nats - max(0.1 * nats, 4 * apart):
            reasons.append(f"nearest neighbours say {said:.3f} nats")
        elif (nats > 2 * error or said > nats + SURE * math.hypot(ross_error, apart)) and said > nats - 2 * apart:
            # A classifier's value is a lower bound, and in few dimensions neighbours' is none.
            name, nats, error = "nearest neighbours", said, math.hypot(ross_error, apart)
    elif nats > 0.02 and nats < 0.9 * entropy:
        spread = sorted(float(value.mean()) for value in terms.values())
        if spread[-1] - spread[-2] > 0.15 * nats:
            reasons.append(f"only {name} finds this much, and a classifier gives a lower bound")
            unseen = spread[-1] - spread[-2]
    # Every classifier keeps some doubt where there is none, and what only one of them sees it may see in part.
    above = 0.0 if name == "nearest neighbours" else max(LEARNED_LABEL * entropy, unseen)
    above = max(min(above, entropy - nats), 0.0)
    if nats < 2 * error and nats < 0.01:
        nats = max(nats, 0.0)
    return Estimate(
        nats=nats,
        estimator="auto",
        num_samples=n,
        interval=(nats - Z_90 * max(error, 1 / n), nats + Z_90 * max(error, 1 / n) + above),
        ceiling=entropy,
        details={"label_entropy_nats": entropy, "standard_error_nats": error},
        verdict=Verdict("doubtful" if reasons else "reliable", tuple(reasons)),
        choice=f"auto took {name}: {choice} nats held out",
    )


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
