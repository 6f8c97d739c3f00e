"""Candidates that are fitted on the same folds, and those that could not be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lmi.auto.candidates.normal import FittedNormal
from lmi.auto.protocol.candidate import Candidate, FittedCandidate
from lmi.estimators.folds import Fold


@dataclass(eq=False)
class Contest:
    """Candidates that were fitted on the same folds, and those that could not be.

    Args:
        folds: what is fitted on, and what judges.
        fitted: all candidates so far.
        dropped: why the others are not among them, in words.
        normals: the fitted closed forms, by space.
    """

    folds: list[Fold]
    fitted: list[FittedCandidate] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    normals: dict[str, FittedNormal] = field(default_factory=dict)

    def enter(self, candidate: Candidate) -> FittedCandidate | None:
        """Fit a candidate; ``None`` where it cannot be fitted, or finds no finite bound."""
        try:
            fitted = candidate.fit(self.folds)
        except (ValueError, RuntimeError) as error:
            self.dropped.append(f"candidate {candidate.name} was dropped: {error}")
            return None
        if not math.isfinite(fitted.bound) or not math.isfinite(fitted.cross_fit.dv):
            self.dropped.append(f"candidate {candidate.name} was dropped: its held-out bound is not finite")
            return None
        self.fitted.append(fitted)
        return fitted
