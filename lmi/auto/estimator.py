"""``auto``: several critics, judged on pairs that trained none of them; the simplest that nothing clearly beats is taken.

Candidates: independence; the normal closed form on columns, on their normal scores, or on maps that make the columns of a
side jointly normal, after principal components where there are many; mixtures of t densities on few dimensions or on
canonical variates; tables of clusters; kernel variates; a neural critic on top of the best of these. All are fitted on some
folds and judged by held-out lower bounds on the rest. Few dimensions get a KSG correction: what KSG says of the samples
minus what it says of draws from the chosen model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field
from torch import Tensor

from lmi.auto.candidates import best_linear, codes, heavy_tailed, mixtures, neural
from lmi.auto.curved import curved
from lmi.auto.judging import JUDGED_SAMPLES, Candidate, Part, deal, independent, take
from lmi.auto.labelled import given_information, label_information
from lmi.auto.levels import copied_pairs, from_levels
from lmi.auto.spaces import FEW, MAPS, Spaces, add_maps, distinct, faint_information, prepared, refuse_determined
from lmi.auto.trust import NEAR_LIMIT, doubts, fold_doubts, level_of, sample_limit
from lmi.auto.value import ksg_corrected, null, unseen, value
from lmi.estimators.columns import untied
from lmi.estimators.densities.monotone import information_lost
from lmi.estimators.trust.uncertainty import Z_90
from lmi.neural.critic import CriticSettings
from lmi.threads import at_most
from lmi.types import Context, Estimate, Verdict

SAMPLES_A_THREAD = 20_000  # measured: from here on two threads take no longer than one
KSG_DIMENSIONS = 6  # up to so many the KSG correction is made
COMPONENTS = (1, 2, 4, 8, 16)
CLUSTERS = (2, 3, 5, 10)
T_COMPONENTS = 32  # of each side, up to which a t density of all of them is fitted
FAINT = 0.02  # share of the estimate that may be in directions the samples hardly show
SMALLEST = 60


@dataclass(frozen=True, kw_only=True)
class AutoEstimator:
    """See the module. The estimate's warnings say which candidate was taken, its verdict how far to trust it.

    Args:
        folds: parts of the samples, each judged by what the others trained; 0 chooses 3, or 2 from 4000 samples on.
        components: most principal components of each side.
        neural: whether a neural critic is a candidate where there are more than four dimensions.
        permutations: size of the permutation null of the closed form or of the bound; 0 leaves it out.
        critic: settings of the neural critic.
    """

    folds: Annotated[int, Field(ge=0)] = 0
    components: Annotated[int, Field(ge=1)] = 96
    neural: bool = True
    permutations: Annotated[int, Field(ge=0)] = 20
    critic: CriticSettings = field(default_factory=CriticSettings)

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``.

        Raises:
            ValueError: for fewer than 60 samples, ``folds=1``, or quantities that determine each other.
        """
        n = x.shape[0]
        if n < SMALLEST:
            raise ValueError(f"auto splits the samples several ways and needs at least {SMALLEST}; got {n}")
        if self.folds == 1:
            raise ValueError("folds must be 0 (chosen by the number of samples) or at least 2; got 1")
        copies = copied_pairs(x, y)
        levels = from_levels(x, y, self.permutations, context)
        if levels is not None:
            return levels
        if x.shape[1] + y.shape[1] <= FEW:
            x, y = (
                z if distinct(z) else untied(z, context.generator("ties", side)) for side, z in (("x", x), ("y", y))
            )
        spaces = prepared(x, y, self.components)
        # From here on the arrays are small, and a second thread costs more than it brings.
        with at_most(n / SAMPLES_A_THREAD):
            if distinct(x) and distinct(y):
                refuse_determined(spaces)
            mapped = add_maps(spaces, x, y, self.components)
            return self.judged(spaces, mapped, copies, context)

    def judged(
        self,
        spaces: Spaces,
        mapped: tuple[Tensor | None, Tensor | None],
        copies: int,
        context: Context,
    ) -> Estimate:
        """The estimate of the best candidate in the prepared ``spaces``, the third from the columns ``mapped``."""
        n = spaces["ranks"][0].shape[0]
        parts = deal(n, self.folds or (2 if n >= 4000 else 3), context)
        few = max(sx.shape[1] + sy.shape[1] for sx, sy in spaces.values()) <= FEW
        found: list[Candidate] = [independent(n, parts)]
        dropped: list[str] = []

        def consider(name: str, build: Callable[[], Candidate]) -> None:
            try:
                candidate = build()
            except (ValueError, RuntimeError) as error:
                dropped.append(f"candidate {name} was dropped: {error}")
                return
            if not math.isfinite(candidate.bound) or not math.isfinite(candidate.dv):
                dropped.append(f"candidate {name} was dropped: its held-out bound is not finite")
                return
            found.append(candidate)

        for space, sides in spaces.items():
            consider(f"normal on {space}", lambda s=space, z=sides: best_linear(s, z[0], z[1], parts, few))  # type: ignore[misc]
        bounds = {candidate.space: candidate.bound for candidate in found}
        worse = "ranks" if bounds.get(MAPS, -math.inf) > bounds.get("ranks", -math.inf) else MAPS
        tried = {space: sides for space, sides in spaces.items() if space != worse}
        if not few:
            for count in CLUSTERS:
                for space in tried:
                    consider(
                        f"{count} clusters on {space}",
                        lambda s=space, m=count: codes(s, *spaces[s], parts, m, context),  # type: ignore[misc]
                    )
            normals = [c for c in found if 0 < c.rank <= T_COMPONENTS and c.space in tried]
            # Outliers may leave the normal form next to nothing in its own space: what serves the best one is tried as well.
            most = max(normals, key=lambda c: c.bound).rank if normals else 0
            for space, rank in dict.fromkeys((c.space, rank) for c in normals for rank in (c.rank, most)):
                consider(
                    f"t density of components of {space}",
                    lambda s=space, r=rank: heavy_tailed(s, *spaces[s], parts, r, context),  # type: ignore[misc]
                )
        self.climb(tried, parts, few, found, consider, context)
        total = min(sx.shape[1] + sy.shape[1] for sx, sy in spaces.values())
        if total > KSG_DIMENSIONS:
            for space, sides in tried.items():
                consider(f"kernel variates of {space}", lambda s=space, z=sides: curved(s, z[0], z[1], parts, context))  # type: ignore[misc]
        if self.neural and total > 4:
            base = take(found)
            space = base.space or max(found, key=lambda c: c.bound).space or "columns"
            consider(
                f"neural critic on {space}",
                lambda: neural(space, *spaces[space], parts, base, self.critic, context),
            )
        taken = take(found)
        nats, error, taken = value(taken, found, spaces, parts, context)
        details = {f"{c.name} bound_nats": c.bound for c in found}
        corrected = 0.0
        wavering: tuple[str, ...] = ()
        if total <= KSG_DIMENSIONS and few:
            nats, error, corrected, wavering = ksg_corrected(nats, error, taken, found, spaces, context)
        lost, above = 0.0, unseen(taken, found)
        if taken.space == MAPS:
            mx, my = mapped
            if mx is not None and my is not None:
                lost = max(information_lost(mx, my, context.generator("maps")), 0.0)
                nats, error, above = nats + lost, math.hypot(error, 0.5 * lost), above + lost
                faint = faint_information(mx, my)
                if faint > FAINT * nats:
                    above += 0.5 * faint
                    wavering += (f"columns that {n} samples hardly tell apart carry {faint:.2f} nats",)
        excess = nats - NEAR_LIMIT * sample_limit(n)
        if excess > 0 and not (taken.rank and taken.space == "columns"):
            # Ranks, neighbours and critics resolve no more than so many samples; a covariance does.
            error = math.hypot(error, 0.3 * excess)
        details |= {"standard_error_nats": error, "ksg_correction_nats": corrected, "maps_correction_nats": lost}
        rising = 0.0
        if not taken.rank and taken.rebuild and total > 2:
            halves = [Part(p.train[: p.train.numel() // 2], p.stop, p.test) for p in parts[:1]]
            rising = float(taken.terms[parts[0].test].nanmean()) - taken.rebuild(halves).bound
        rivals = [c for c in found if c is not taken and c.bound > taken.bound - 0.5 * abs(taken.bound)]
        fitted = parts[0].fit.numel()
        reasons = doubts(nats, error, taken, rivals, corrected, n, fitted, total, dropped, rising, copies)
        reasons += [(words, 1.0) for words in (*wavering, *fold_doubts(taken, parts))]
        ceiling = math.log(min(n, JUDGED_SAMPLES) / 2)
        choice = f"auto took {taken.name}: " + ", ".join(f"{c.name} {c.bound:.3f}" for c in found) + " nats held out"
        return Estimate(
            nats=nats,
            estimator="auto",
            num_samples=n,
            pointwise=None if taken.terms.isnan().any() else taken.terms - taken.terms.mean() + nats,
            interval=(nats - Z_90 * error, nats + Z_90 * error + above),
            null=null(taken, found, spaces, parts, self.permutations, context) if self.permutations else None,
            ceiling=ceiling if taken.rank == 0 else math.inf,
            warnings=tuple(dropped),
            details=details,
            verdict=Verdict(level_of(reasons), tuple(words for words, _ in reasons)),
            choice=choice,
        )

    def climb(
        self,
        spaces: Spaces,
        parts: list[Part],
        few: bool,
        found: list[Candidate],
        consider: Callable[[str, Callable[[], Candidate]], None],
        context: Context,
    ) -> None:
        """Mixtures of more and more components, first in both spaces, then in the better one, while fresh pairs gain by it."""
        linear = {candidate.space: candidate for candidate in found if candidate.rank}
        open_spaces = [space for space in spaces if few or space in linear]
        best = dict.fromkeys(open_spaces, -math.inf)
        for count in COMPONENTS:
            for space in list(open_spaces):
                before = len(found)
                consider(
                    f"mixture of {count} on {space}",
                    lambda s=space, m=count: mixtures(s, *spaces[s], parts, m, linear.get(s), few, context),  # type: ignore[misc]
                )
                if len(found) == before or (count >= 4 and found[-1].bound < best[space] + 0.002):
                    open_spaces.remove(space)
                if len(found) > before:
                    best[space] = max(best[space], found[-1].bound)
            if count >= 2 and len(open_spaces) > 1:
                open_spaces = [max(open_spaces, key=best.__getitem__)]

    def estimate_label(self, x: Tensor, label: Tensor, context: Context) -> Estimate:
        """I(X; L) for a label, see ``label_information``."""
        return label_information(x, label, context)

    def estimate_given(self, x: Tensor, y: Tensor, z: Tensor, context: Context) -> Estimate:
        """I(X; Y | Z), see ``given_information``."""
        return given_information(self.estimate, x, y, z, context)
