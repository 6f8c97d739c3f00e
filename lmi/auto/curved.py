"""The candidate of ``auto`` for smooth dependence that no line and no cluster shows: mixtures of kernel variates.

Judged by the mixture's bound like any candidate; its number is what neighbours say of fresh variates, which are few.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from torch import Tensor

from lmi.auto.judging import Candidate, Part, judge
from lmi.estimators.bounds.heldout import Scores
from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.kernel_variates import fit_kernel_variates
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.neighbors.control import controlled_ksg
from lmi.estimators.neighbors.ksg import ksg_pointwise
from lmi.types import Context

CURVED = 50  # complexity: above mixtures, below neural critics
FIT_SAMPLES = 4000
READ_SAMPLES = 4000
NUMBERS = (1, 2, 4)  # of variates a side
COMPONENTS = (1, 2, 4)
NEIGHBOURS = 5


def curved(space: str, x: Tensor, y: Tensor, parts: list[Part], context: Context) -> Candidate:
    """The best of a few mixtures of t densities on kernel variates, fitted to samples that fitted neither.

    Raises:
        ValueError: where the samples are too few.
    """
    fits = [
        fit_kernel_variates(x, y, part.fit[:FIT_SAMPLES], NUMBERS[-1], context.generator("kernel", space, i))
        for i, part in enumerate(parts)
    ]
    best: Candidate | None = None
    # Of a single shared direction the further variates are functions, which a density of all of them does not know.
    for most, count in itertools.product(NUMBERS, COMPONENTS):
        used = [fit.first(most) for fit in fits]
        if most > NUMBERS[0] and all(fit.correlations.numel() < most for fit in fits):
            break
        try:
            models = [
                fit_mixture(
                    fit.x(x[fit.rest]), fit.y(y[fit.rest]), count, context.generator("curved", space, most, count, i),
                    iterations=100, tolerance=1e-4,
                )
                for i, fit in enumerate(used)
            ]  # fmt: skip
        except ValueError as error:
            # Too few samples for so many components: fewer have been fitted, or none and that is said below.
            reason = str(error)
            continue
        critics: list[Scores] = [
            lambda a, b, fit=fit, model=model: model.scores(fit.x(a), fit.y(b))  # type: ignore[misc]
            for fit, model in zip(used, models, strict=True)
        ]
        candidate = judge(f"kernel variates of {space}", space, CURVED, x, y, parts, critics)
        if best is None or candidate.bound > best.bound:
            tests = [part.test[:READ_SAMPLES] for part in parts]
            fresh = [(fit.x(x[test]), fit.y(y[test])) for fit, test in zip(used, tests, strict=True)]
            best = replace(candidate, models=models, fresh=fresh)
    if best is None:
        raise ValueError(reason)

    def again(others: list[Part]) -> Candidate:
        return curved(space, x, y, others, context)

    return replace(best, rebuild=again)


def read_curved(taken: Candidate, context: Context) -> tuple[float, float, float]:
    """KSG on fresh variates, held against the density in more than 1 + 1: nats, standard error, its sampling part."""
    total = sum(u.shape[0] for u, _ in taken.fresh)
    nats = variance = 0.0
    for i, ((u, v), model) in enumerate(zip(taken.fresh, taken.models, strict=True)):
        share = u.shape[0] / total
        if u.shape[1] + v.shape[1] == 2:
            terms = ksg_pointwise(normal_scores(u), normal_scores(v), NEIGHBOURS)
            own, error = float(terms.mean()), float(terms.std()) / terms.numel() ** 0.5
        else:
            held = controlled_ksg(u, v, model, NEIGHBOURS, context.generator("curved draws", i))
            own, error = held.nats, held.error
        nats += share * own
        variance += (share * error) ** 2
    # What the bound does not confirm and what encoders lost are of this order, and neither is a sampling error.
    sampling = math.sqrt(variance)
    return nats, math.hypot(sampling, 0.3 * max(nats - taken.bound, 0.0)), sampling
