"""``auto``: several critics, judged on pairs that trained none of them; the simplest that nothing clearly beats is taken.

Candidates: independence; the normal closed form on columns or on their normal scores, after principal components where
there are many; mixtures of t densities on few dimensions or on canonical variates; a neural critic on top of the best of
these. All are fitted on some folds and judged by held-out lower bounds on the rest. Few dimensions get a KSG correction:
what KSG says of the samples minus what it says of draws from the chosen model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.columns import normal_scores, principal_components, robust_scaled
from lmi.estimators.control import controlled_ksg
from lmi.estimators.density import Mixture, fit_mixture
from lmi.estimators.heldout import held_out_blocks, shuffled_bounds
from lmi.estimators.ksg import ksg_pointwise, repeats
from lmi.estimators.uncertainty import Z_90
from lmi.latent.candidates import FIT_SAMPLES, best_linear, closed_form, codes, mixtures, neural
from lmi.latent.critic import CriticSettings
from lmi.latent.curved import curved, read_curved
from lmi.latent.judging import JUDGED_SAMPLES, Candidate, Part, deal, independent, take
from lmi.latent.labelled import given_information, label_information
from lmi.latent.trust import doubts, fold_doubts, level_of
from lmi.types import Context, Estimate, Null, Verdict

FEW = 12  # dimensions, both sides together, in which densities are fitted to the variables themselves
KSG_DIMENSIONS = 6  # up to so many the KSG correction is made
KSG_SAMPLES = 10_000
KSG_NEIGHBOURS = 5
COMPONENTS = (1, 2, 4, 8, 16)
CLUSTERS = (2, 3, 5, 10)
SMALLEST = 60
CONFIRMED = 0.7  # share of what neighbours say of kernel variates that a density has to find in fresh pairs


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
            ValueError: for fewer than 60 samples, or ``folds=1``.
        """
        n = x.shape[0]
        if n < SMALLEST:
            raise ValueError(f"auto splits the samples several ways and needs at least {SMALLEST}; got {n}")
        if self.folds == 1:
            raise ValueError("folds must be 0 (chosen by the number of samples) or at least 2; got 1")
        tied = repeats(x) > 0.05 * n or repeats(y) > 0.05 * n
        spaces = prepared(x, y, self.components)
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
        if not few:
            for count in CLUSTERS:
                for space in spaces:
                    consider(
                        f"{count} clusters on {space}",
                        lambda s=space, m=count: codes(s, *spaces[s], parts, m, context),  # type: ignore[misc]
                    )
        self.climb(spaces, parts, few, found, consider, context)
        total = min(sx.shape[1] + sy.shape[1] for sx, sy in spaces.values())
        if total > KSG_DIMENSIONS:
            for space, sides in spaces.items():
                consider(f"kernel variates of {space}", lambda s=space, z=sides: curved(s, z[0], z[1], parts, context))  # type: ignore[misc]
        if self.neural and total > 4:
            base = take(found)
            space = base.space or max(found, key=lambda c: c.bound).space or "columns"
            consider(
                f"neural critic on {space}",
                lambda: neural(space, *spaces[space], parts, base, self.critic, context),
            )
        taken = take(found)
        nats, error, taken = self.value(taken, found, spaces, parts, few, context)
        details = {f"{c.name} bound_nats": c.bound for c in found}
        corrected = 0.0
        wavering: tuple[str, ...] = ()
        if total <= KSG_DIMENSIONS and few and not tied:
            nats, error, corrected, wavering = ksg_corrected(nats, error, taken, found, spaces, context)
        details |= {"standard_error_nats": error, "ksg_correction_nats": corrected}
        if tied and total <= KSG_DIMENSIONS:
            mixture = ksg_pointwise(robust_scaled(x), robust_scaled(y), 5, "mixture")
            said, own = float(mixture.mean()), float(mixture.std()) / n**0.5
            if said > nats + 2 * math.hypot(own, error):
                nats, error, taken = said, own, replace(taken, name="KSG for ties")
        rising = 0.0
        if not taken.rank and taken.rebuild and not few:
            halves = [Part(p.train[: p.train.numel() // 2], p.stop, p.test) for p in parts[:1]]
            rising = float(taken.terms[parts[0].test].nanmean()) - taken.rebuild(halves).bound
        rivals = [c for c in found if c is not taken and c.bound > taken.bound - 0.5 * abs(taken.bound)]
        copies = repeats(torch.cat((x, y), 1))
        reasons = doubts(nats, error, taken, rivals, corrected, n, total, dropped, tied and few, rising, copies)
        reasons += [(words, 1.0) for words in (*wavering, *fold_doubts(taken, parts))]
        ceiling = math.log(min(n, JUDGED_SAMPLES) / 2)
        choice = f"auto took {taken.name}: " + ", ".join(f"{c.name} {c.bound:.3f}" for c in found) + " nats held out"
        return Estimate(
            nats=nats,
            estimator="auto",
            num_samples=n,
            pointwise=None if taken.terms.isnan().any() else taken.terms - taken.terms.mean() + nats,
            interval=(nats - Z_90 * error, nats + Z_90 * error),
            null=self.null(taken, found, spaces, parts, context) if self.permutations else None,
            ceiling=ceiling if taken.rank == 0 else math.inf,
            warnings=tuple(dropped),
            details=details,
            verdict=Verdict(level_of(reasons), tuple(words for words, _ in reasons)),
            choice=choice,
        )

    def climb(
        self,
        spaces: dict[str, tuple[Tensor, Tensor]],
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

    def value(
        self,
        taken: Candidate,
        found: list[Candidate],
        spaces: dict[str, tuple[Tensor, Tensor]],
        parts: list[Part],
        few: bool,
        context: Context,
    ) -> tuple[float, float, Candidate]:
        """The number, its standard error, and the candidate that it is of.

        Where neighbours find clearly more in fresh kernel variates than the candidate with the best bound, and a density of
        these confirms most of it, theirs is the number: no function of fresh samples knows more than the samples.
        """
        if taken.fresh:
            return *read_curved(taken, context)[:2], taken
        nats, error, taken = self.plain_value(taken, found, spaces, parts, few)
        curve = max((c for c in found if c.fresh), key=lambda c: c.bound, default=None)
        if curve is not None and curve.bound > CONFIRMED * nats:
            read, own, sampling = read_curved(curve, context)
            if read > nats + 2 * sampling and curve.bound > CONFIRMED * read:
                return read, own, curve
        return nats, error, taken

    def plain_value(
        self,
        taken: Candidate,
        found: list[Candidate],
        spaces: dict[str, tuple[Tensor, Tensor]],
        parts: list[Part],
        few: bool,
    ) -> tuple[float, float, Candidate]:
        """The number, its standard error, and the candidate that it is of."""
        n = taken.terms.numel()
        if taken.complexity == 0:
            # Many small correlations can be plain together where none is singly worth its parameters.
            for candidate in [c for c in found if c.rank]:
                nats, _, z = closed_form(*spaces[candidate.space], candidate.rank)
                if z > 3.0 and nats > 0:
                    taken = candidate
                    break
            else:
                return 0.0, max(1 / n, min([0.5 * c.rank / n for c in found if c.rank], default=1 / n)), taken
        if taken.rank:
            nats, error, _ = closed_form(*spaces[taken.space], taken.rank)
            return nats, error, taken
        if few and taken.models:
            # A density of all variables: its own mean log ratio has no partition term, which heavy tails make noisy. What a
            # fit gains on its own samples, fresh ones lose.
            sx, sy = spaces[taken.space]
            pairs = list(zip(parts, taken.models, strict=True))
            fresh_terms = torch.cat([model.ratio(sx[part.test], sy[part.test]) for part, model in pairs])
            seen_terms = torch.cat([model.ratio(sx[part.fit], sy[part.fit]) for part, model in pairs])
            return 0.5 * float(fresh_terms.mean() + seen_terms.mean()), float(fresh_terms.std()) / n**0.5, taken
        terms = torch.cat([judged.plain for judged in taken.judged])
        error = float(terms.std()) / terms.numel() ** 0.5
        fresh = max(taken.bound, taken.dv) if taken.dv < math.log(parts[0].test.numel()) - 2 else taken.plain
        return fresh + 0.5 * max(taken.optimism(), 0.0), error, taken

    def null(
        self,
        taken: Candidate,
        found: list[Candidate],
        spaces: dict[str, tuple[Tensor, Tensor]],
        parts: list[Part],
        context: Context,
    ) -> Null | None:
        """The evidence for dependence under shuffled pairs: the closed form, or the bound of the critics as they are.

        Where independence was taken it is that of the normal closed form on ranks.
        """
        generator = context.generator("null")
        normal = taken if taken.rank else next((c for c in reversed(found) if c.rank), None)
        if taken.rank or (not taken.complexity and normal):
            assert normal is not None
            sx, sy = (z[:, : normal.rank] for z in spaces[normal.space])
            orders = [torch.randperm(sy.shape[0], generator=generator) for _ in range(self.permutations)]
            values = torch.tensor([closed_form(sx, sy[order], normal.rank)[0] for order in orders])
            return Null(values.double(), closed_form(sx, sy, normal.rank)[0])
        if not taken.complexity:
            return None
        sx, sy = spaces[taken.space]
        tests = [part.test[:JUDGED_SAMPLES] for part in parts]
        values = torch.zeros(self.permutations, dtype=torch.float64)
        for scores, test in zip(taken.critics, tests, strict=True):
            for block, f in held_out_blocks(scores, sx[test], sy[test]):
                orders = [torch.randperm(block.numel(), generator=generator) for _ in range(self.permutations)]
                values += block.numel() * shuffled_bounds(f, "infonce", (1.0,), orders)[0]
        return Null(values / sum(test.numel() for test in tests), taken.bound)


def prepared(x: Tensor, y: Tensor, components: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Each side alone, in two spaces: its scaled columns and their normal scores, as unit-scale principal components."""

    def side(z: Tensor, ranks: bool) -> Tensor:
        if ranks:
            z = normal_scores(z)
        elif z.shape[1] <= FEW // 2:
            z = robust_scaled(z)
        else:
            z = z.double()
            z = (z - z.mean(0)) / z.std(0, correction=0).clamp(min=1e-300)
        if z.shape[1] > 1:
            z = principal_components(z, components)
        return z / z[:, 0].std() if z.shape[1] > FEW else z

    return {space: (side(x, space == "ranks"), side(y, space == "ranks")) for space in ("columns", "ranks")}


def ksg_corrected(
    nats: float,
    error: float,
    taken: Candidate,
    found: list[Candidate],
    spaces: dict[str, tuple[Tensor, Tensor]],
    context: Context,
) -> tuple[float, float, float, tuple[str, ...]]:
    """The estimate held against neighbours: number, standard error, correction (0 where it is not significant), doubts.

    A mixture of several components is only an approximation, so it is always corrected.
    """
    x, y = spaces[taken.space or "ranks"]
    few = torch.randperm(x.shape[0], generator=context.generator("ksg samples"))[:KSG_SAMPLES]
    x, y = x[few], y[few]
    generator = context.generator("ksg draws")
    model: Mixture | None = None
    if taken.complexity:
        densities = [c for c in found if c.models and c.space == taken.space]
        best = taken if taken.models or not densities else max(densities, key=lambda c: c.bound)
        if taken.rank or not best.models:
            model = fit_mixture(x, y, 1, generator, heavy=False)
        else:
            count = best.models[0].centres.shape[0]
            rows = slice(0, FIT_SAMPLES)
            model = fit_mixture(x[rows], y[rows], count, context.generator("refit"), iterations=100, tolerance=1e-4)
    held = controlled_ksg(x, y, model, KSG_NEIGHBOURS, generator)
    approximate = bool(taken.models) and model is not None and model.centres.shape[0] > 2
    if abs(held.correction) < 2.5 * held.noise and not approximate:
        return nats, math.hypot(error, 0.3 * held.noise), 0.0, ()
    # Neighbours see only a part of what the density misses, so a share of the correction is in doubt.
    error = math.hypot(max(error, held.error), 0.3 * held.correction)
    twice = controlled_ksg(x, y, model, 2 * KSG_NEIGHBOURS, generator).nats
    wavering: tuple[str, ...] = ()
    if abs(twice - held.nats) > max(2 * error, 0.1 * abs(held.nats), 0.02):
        wavering = (f"twice as many neighbours say {twice:.2f} nats instead of {held.nats:.2f}",)
    return held.nats, error, held.correction, wavering
