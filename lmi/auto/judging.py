"""Candidates side by side: folds, held-out terms, and which of them to take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lmi.estimators.bounds.heldout import HeldOut, Scores, held_out
from lmi.estimators.densities.mixture import Mixture
from lmi.types import Context

JUDGED_SAMPLES = 2000
NEURAL = 100  # complexity of a neural critic, above that of any mixture
SURE = 2.5  # standard errors by which a more complex candidate has to win: there are a dozen that could by chance


@dataclass(frozen=True, eq=False)
class Part:
    """One fold: what is fitted on, what ends a fit, what judges."""

    train: Tensor
    stop: Tensor
    test: Tensor

    @property
    def fit(self) -> Tensor:
        """Everything that is not judged on."""
        return torch.cat((self.train, self.stop))


@dataclass(frozen=True, eq=False)
class Candidate:
    """A way to score pairs, judged on every fold.

    Args:
        name: what it is, in words.
        space: ``columns`` or ``ranks``.
        complexity: candidates are compared in this order, and a later one has to win clearly.
        critics: the fitted scores of each fold.
        terms: (n,) held-out InfoNCE terms, nats, NaN where not judged: what candidates are compared by.
        judged: each fold's bounds on fresh pairs.
        optimism: gives the mean bound on the fitting part minus the mean on fresh pairs, nats.
        rank: principal components of each side, for the normal closed form.
        models: each fold's density, where it is one.
        fresh: each fold's variates of fresh pairs, where neighbours read the number from these.
        cost: nats that fitting costs on fresh pairs beyond what terms and optimism show.
        base: what it adds to, for a critic on top of another candidate.
        rebuild: the same candidate on other folds, for those whose bound may still rise with more samples.
    """

    name: str
    space: str
    complexity: int
    critics: list[Scores]
    terms: Tensor
    judged: list[HeldOut]
    optimism: Callable[[], float] = float
    rank: int = 0
    models: list[Mixture] = field(default_factory=list)
    fresh: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    cost: float = 0.0
    base: Candidate | None = None
    rebuild: Callable[[list[Part]], Candidate] | None = None

    @property
    def bound(self) -> float:
        """Held-out InfoNCE, nats: at most the log of the block."""
        return float(self.terms.nanmean())

    @property
    def dv(self) -> float:
        """Held-out Donsker-Varadhan, nats."""
        return float(torch.cat([judged.dv for judged in self.judged]).mean())

    @property
    def plain(self) -> float:
        """Held-out mean log density ratio, nats."""
        return float(torch.cat([judged.plain for judged in self.judged]).mean())


def deal(n: int, folds: int, context: Context) -> list[Part]:
    """Folds; a sixth of what is not judged on ends neural fits."""
    pieces = torch.randperm(n, generator=context.generator("folds")).tensor_split(folds)
    parts = []
    for held, test in enumerate(pieces):
        rest = torch.cat([piece for i, piece in enumerate(pieces) if i != held])
        cut = rest.numel() * 5 // 6
        parts.append(Part(rest[:cut], rest[cut:], test))
    return parts


def judge(
    name: str, space: str, complexity: int, x: Tensor, y: Tensor, parts: list[Part], critics: list[Scores]
) -> Candidate:
    """The held-out terms of each fold's critic."""
    terms = torch.full((x.shape[0],), torch.nan, dtype=torch.float64)
    judged = []
    for part, scores in zip(parts, critics, strict=True):
        test = part.test[:JUDGED_SAMPLES]
        judged.append(held_out(scores, x[test], y[test]))
        terms[test] = judged[-1].infonce

    def optimism() -> float:
        total = 0.0
        for part, scores, fresh in zip(parts, critics, judged, strict=True):
            seen = part.fit[:1000]
            total += float(held_out(scores, x[seen], y[seen]).infonce.mean() - fresh.infonce.mean())
        return total / len(parts)

    return Candidate(name, space, complexity, critics, terms, judged, optimism)


def independent(n: int, parts: list[Part]) -> Candidate:
    """The candidate that says nothing is shared."""
    zero = torch.zeros(n, dtype=torch.float64)
    flat = [HeldOut(zero[part.test], zero[part.test], zero[part.test]) for part in parts]
    critics: list[Scores] = [lambda a, b: torch.zeros(a.shape[0], b.shape[0], dtype=torch.float64) for _ in parts]
    return Candidate("independence", "", 0, critics, zero, flat)


def take(found: list[Candidate]) -> Candidate:
    """The simplest candidate that no more complex one beats by more than 2.5 standard errors of the difference."""
    taken = found[0]
    for candidate in sorted(found[1:], key=lambda c: (c.complexity, -c.bound)):
        gain = candidate.terms - taken.terms
        gain = gain[~gain.isnan()]
        sure = 0.0 if candidate.complexity == taken.complexity else SURE * float(gain.std()) / gain.numel() ** 0.5
        if candidate.complexity >= NEURAL and taken.complexity:
            sure = max(sure, 0.03 * taken.bound)
        if float(gain.mean()) > sure:
            taken = candidate
    return taken
