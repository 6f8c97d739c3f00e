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
from lmi.estimators.density import Mixture, fit_mixture
from lmi.estimators.gaussian import canonical_fit, gaussian_bias, gaussian_pointwise, gaussian_standard_error
from lmi.estimators.heldout import HeldOut, Scores, held_out
from lmi.estimators.ksg import ksg_pointwise, repeats
from lmi.estimators.linear import fit_linear
from lmi.estimators.uncertainty import Z_90
from lmi.latent.critic import CriticSettings, fit_critic
from lmi.latent.labelled import given_information, label_information
from lmi.types import Context, Estimate, Level, Null, Verdict

FEW = 12  # dimensions, both sides together, in which densities are fitted to the variables themselves
KSG_DIMENSIONS = 6  # up to so many the KSG correction is made
RANKS = (1, 2, 3, 4, 6, 9, 12, 18, 26, 38, 56, 96)
COMPONENTS = (1, 2, 4, 8, 16)
VARIATES = 4  # canonical variates of each side that a mixture is fitted to where there are many dimensions
FIT_SAMPLES = 4000
JUDGED_SAMPLES = 2000
SMALLEST = 60
NEURAL = 100  # complexity of a neural critic, above that of any mixture
SURE = 2.0  # standard errors by which a more complex candidate has to win


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
        optimism: mean bound on the fitting part minus the mean on fresh pairs, nats.
        rank: principal components of each side, for the normal closed form.
        models: each fold's density, where it is one.
        rebuild: the same candidate on other folds, for those whose bound may still rise with more samples.
    """

    name: str
    space: str
    complexity: int
    critics: list[Scores]
    terms: Tensor
    judged: list[HeldOut]
    optimism: float = 0.0
    rank: int = 0
    models: list[Mixture] = field(default_factory=list)
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
        self.climb(spaces, parts, few, found, consider, context)
        total = min(sx.shape[1] + sy.shape[1] for sx, sy in spaces.values())
        if self.neural and total > 4:
            base = take(found)
            space = base.space or max(found, key=lambda c: c.bound).space or "columns"
            consider(
                f"neural critic on {space}",
                lambda: neural(space, *spaces[space], parts, base, self.critic, context),
            )
        taken = take(found)
        nats, error, taken = self.value(taken, found, spaces, parts, x)
        details = {f"{c.name} bound_nats": c.bound for c in found}
        corrected = 0.0
        if total <= KSG_DIMENSIONS and few and not tied:
            nats, error, corrected = ksg_corrected(nats, error, taken, found, spaces, parts, context)
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
        reasons = doubts(nats, error, taken, rivals, corrected, n, total, dropped, tied and few, rising)
        null = self.null(taken, spaces, nats, context) if self.permutations else None
        ceiling = math.log(min(n, JUDGED_SAMPLES) / 2)
        choice = f"auto took {taken.name}: " + ", ".join(f"{c.name} {c.bound:.3f}" for c in found) + " nats held out"
        return Estimate(
            nats=nats,
            estimator="auto",
            num_samples=n,
            pointwise=None if taken.terms.isnan().any() else taken.terms - taken.terms.mean() + nats,
            interval=(nats - Z_90 * error, nats + Z_90 * error),
            null=null,
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
                if len(found) == before or found[-1].bound < best[space] + (-0.002 if count < 8 else 0.005):
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
        x: Tensor,
    ) -> tuple[float, float, Candidate]:
        """The number, its standard error, and the candidate that it is of."""
        n = x.shape[0]
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
        terms = torch.cat([judged.plain for judged in taken.judged])
        error = float(terms.std()) / terms.numel() ** 0.5
        fresh = max(taken.bound, taken.dv) if taken.dv < math.log(parts[0].test.numel()) - 2 else taken.plain
        return fresh + 0.5 * max(taken.optimism, 0.0), error, taken

    def null(
        self, taken: Candidate, spaces: dict[str, tuple[Tensor, Tensor]], nats: float, context: Context
    ) -> Null | None:
        """What the chosen candidate's own number is under shuffled pairs, with nothing fitted again but the closed form."""
        if not taken.rank:
            return None
        sx, sy = (z[:, : taken.rank] for z in spaces[taken.space])
        generator = context.generator("null")
        values = [
            closed_form(sx, sy[torch.randperm(sy.shape[0], generator=generator)], taken.rank)[0]
            for _ in range(self.permutations)
        ]
        return Null(torch.tensor(values, dtype=torch.float64), nats)


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
    optimism = 0.0
    for part, scores in zip(parts, critics, strict=True):
        test, seen = part.test[:JUDGED_SAMPLES], part.fit[:1000]
        judged.append(held_out(scores, x[test], y[test]))
        terms[test] = judged[-1].infonce
        optimism += float(held_out(scores, x[seen], y[seen]).infonce.mean() - judged[-1].infonce.mean()) / len(parts)
    return Candidate(name, space, complexity, critics, terms, judged, optimism)


def independent(n: int, parts: list[Part]) -> Candidate:
    """The candidate that says nothing is shared."""
    zero = torch.zeros(n, dtype=torch.float64)
    flat = [HeldOut(zero[part.test], zero[part.test], zero[part.test]) for part in parts]
    critics: list[Scores] = [lambda a, b: torch.zeros(a.shape[0], b.shape[0], dtype=torch.float64) for _ in parts]
    return Candidate("independence", "", 0, critics, zero, flat)


def best_linear(space: str, x: Tensor, y: Tensor, parts: list[Part], few: bool) -> Candidate:
    """The normal closed form, on as many principal components as fresh pairs find useful."""
    most = min(x.shape[1], y.shape[1])
    widest = max(x.shape[1], y.shape[1])
    smallest = min(part.fit.numel() for part in parts)
    ranks = sorted({min(rank, widest) for rank in (*RANKS, widest)} if not few else {widest})

    def again(others: list[Part]) -> Candidate:
        return best_linear(space, x, y, others, few)

    ranks = [rank for rank in ranks if 4 * rank < smallest] or [most]
    best: Candidate | None = None
    for rank in ranks:
        critics: list[Scores] = [fit_linear(x[part.fit], y[part.fit], rank).scores for part in parts]
        candidate = replace(judge(f"normal on {space}", space, 1, x, y, parts, critics), rank=rank, rebuild=again)
        if best is None or candidate.bound > best.bound:
            best = candidate
    assert best is not None
    return replace(best, name=f"normal on {space} ({best.rank} components)" if not few else f"normal on {space}")


def closed_form(x: Tensor, y: Tensor, rank: int) -> tuple[float, float, float]:
    """The debiased closed form on ``rank`` components: nats, standard error, and its distance from 0 under independence."""
    fit = canonical_fit(x[:, :rank], y[:, :rank])
    n = x.shape[0]
    nats = float(gaussian_pointwise(fit).mean()) - gaussian_bias(n, fit.rank_x, fit.rank_y)
    return nats, gaussian_standard_error(fit), nats / ((fit.rank_x * fit.rank_y / 2) ** 0.5 / n)


def mixtures(
    space: str,
    x: Tensor,
    y: Tensor,
    parts: list[Part],
    count: int,
    linear: Candidate | None,
    few: bool,
    context: Context,
) -> Candidate:
    """A mixture of ``count`` t densities, on the variables themselves or on their leading canonical variates."""
    critics: list[Scores] = []
    models = []
    for i, part in enumerate(parts):
        fit = part.fit[:FIT_SAMPLES]
        generator = context.generator("mixture", space, count, i)
        if few:
            model = fit_mixture(x[fit], y[fit], count, generator, iterations=100, tolerance=1e-4)
            critics.append(model.scores)
        else:
            assert linear is not None
            seen = fit_linear(x[part.fit], y[part.fit], linear.rank)
            u, v = seen.variates(x[fit], y[fit], VARIATES)
            model = fit_mixture(u, v, count, generator, iterations=100, tolerance=1e-4)
            critics.append(
                lambda a, b, seen=seen, model=model: model.scores(*seen.variates(a, b, VARIATES))  # type: ignore[misc]
            )
        models.append(model)

    def again(others: list[Part]) -> Candidate:
        return mixtures(space, x, y, others, count, linear, few, context)

    kind = "t density" if count == 1 else f"mixture of {count} t densities"
    where = space if few else f"canonical variates of {space}"
    return replace(judge(f"{kind} on {where}", space, 1 + count, x, y, parts, critics), models=models, rebuild=again)


def neural(
    space: str, x: Tensor, y: Tensor, parts: list[Part], base: Candidate, settings: CriticSettings, context: Context
) -> Candidate:
    """A neural critic that learns what to add to the best of the others."""
    critics: list[Scores] = []
    flat_x, flat_y = (z / z.std(0).max() for z in (x, y))
    for i, part in enumerate(parts):
        own = base.critics[i] if base.complexity else None

        # The base sees the samples in its own scale, the network in unit scale.
        def below(a: Tensor, b: Tensor, own: Scores | None = own) -> Tensor:
            assert own is not None
            return own(a * x.std(0).max(), b * y.std(0).max())

        critic, _ = fit_critic(
            (flat_x[part.train], flat_y[part.train]),
            (flat_x[part.stop], flat_y[part.stop]),
            "infonce",
            settings,
            context.child("neural", i),
            below if own is not None else None,
        )

        def together(a: Tensor, b: Tensor, own: Scores | None = own, critic=critic) -> Tensor:  # type: ignore[no-untyped-def]
            added = critic.scores(a / x.std(0).max(), b / y.std(0).max())
            return added if own is None else added + own(a, b)

        scale = calibration(together, x[part.stop], y[part.stop])
        critics.append(lambda a, b, f=together, c=scale: c * f(a, b))  # type: ignore[misc]
    name = f"neural critic on {space}" + (f" over {base.name}" if base.complexity else "")
    judged = judge(name, space, NEURAL, x, y, parts, critics)

    # What a network remembers of its training part says nothing about fresh pairs; what its base lost to fitting does.
    def again(others: list[Part]) -> Candidate:
        below = base.rebuild(others) if base.rebuild else base
        return neural(space, x, y, others, below, settings, context)

    return replace(judged, optimism=base.optimism if base.complexity else 0.0, rebuild=again)


def calibration(scores: Scores, x: Tensor, y: Tensor) -> float:
    """The factor on the scores that makes the bound on these pairs largest: over-confident critics are turned down."""
    f = scores(x, y)
    factors = (0.3, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1)
    values = [float(held_out(lambda a, b, c=c: c * f, x, y).dv.mean()) for c in factors]  # type: ignore[misc]
    return factors[max(range(len(factors)), key=values.__getitem__)]


def take(found: list[Candidate]) -> Candidate:
    """The simplest candidate that no more complex one beats by more than two standard errors of the difference."""
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


def ksg_corrected(
    nats: float,
    error: float,
    taken: Candidate,
    found: list[Candidate],
    spaces: dict[str, tuple[Tensor, Tensor]],
    parts: list[Part],
    context: Context,
    k: int = 5,
    draws: int = 2,
) -> tuple[float, float, float]:
    """Add what KSG finds beyond the model: KSG of the samples minus KSG of draws from the model, if it is significant.

    Both are measured on normal scores; subtracting the model's own pointwise terms takes most of the noise off.
    """
    space = taken.space or "ranks"
    x, y = spaces[space]
    n = x.shape[0]
    few = torch.randperm(n, generator=context.generator("ksg samples"))[:10_000]
    x, y = x[few], y[few]
    generator = context.generator("ksg draws")
    model: Mixture | None = None
    if taken.complexity:
        densities = [c for c in found if c.models and c.space == space]
        if taken.models:
            model = _refit(taken, x, y, context)
        elif taken.rank or not densities:
            model = fit_mixture(x, y, 1, generator, heavy=False)
        else:
            model = _refit(max(densities, key=lambda c: c.bound), x, y, context)
    differences = []
    for _ in range(draws):
        if model is None:
            a, b = x, y[torch.randperm(x.shape[0], generator=generator)]
        else:
            a, b = model.sample(x.shape[0], generator)
        differences.append(_beyond(a, b, model, k))
    own = _beyond(x, y, model, k)
    expected = torch.cat(differences)
    correction = float(own.mean() - expected.mean())
    noise = math.sqrt(float(own.var()) / own.numel() + float(expected.var()) / expected.numel())
    rich = model is not None and taken.models and model.centres.shape[0] > 2
    if abs(correction) < 2.5 * noise and not rich:
        return nats, math.hypot(error, 0.3 * noise), 0.0
    terms = ksg_pointwise(normal_scores(x), normal_scores(y), k)
    if model is not None:
        nats = float(model.ratio(x, y).mean())
    # Neighbours see only a part of what the density misses, so a share of the correction is in doubt.
    error = max(error, math.hypot(float(terms.std()) / n**0.5, noise))
    return nats + correction, math.hypot(error, 0.3 * correction), correction


def _refit(candidate: Candidate, x: Tensor, y: Tensor, context: Context) -> Mixture:
    count = candidate.models[0].centres.shape[0]
    return fit_mixture(
        x[:FIT_SAMPLES], y[:FIT_SAMPLES], count, context.generator("refit"), iterations=100, tolerance=1e-4
    )


def _beyond(x: Tensor, y: Tensor, model: Mixture | None, k: int) -> Tensor:
    terms = ksg_pointwise(normal_scores(x), normal_scores(y), k)
    return terms if model is None else terms - model.ratio(x, y)


def doubts(
    nats: float,
    error: float,
    taken: Candidate,
    rivals: list[Candidate],
    corrected: float,
    n: int,
    dims: int,
    dropped: list[str],
    tied: bool,
    rising: float,
) -> list[tuple[str, float]]:
    """Reasons not to trust the estimate, each with how much it weighs: 1 is enough for doubt, 3 for abstaining."""
    reasons: list[tuple[str, float]] = []
    limit = math.log(n / 4)
    if nats > 0.75 * limit:
        weight = 3.0 if nats > limit and not taken.rank else 1.0
        reasons.append((f"the estimate is near what {n} samples can show ({limit:.1f} nats)", weight))
    # On a line each neighbours are exact enough to be believed; in more dimensions they see only a part of what is missing.
    tolerance = 0.15 if dims <= 2 else 0.03
    if abs(corrected) > tolerance:
        reasons.append((f"nearest neighbours and the fitted density disagree by {abs(corrected):.2f} nats", 1.0))
    apart = nats - taken.bound
    if taken.complexity and apart > max(0.2 * nats, 4 * error, 0.06) and nats < limit - 2:
        reasons.append(
            (f"fresh pairs confirm only {taken.bound:.2f} of {nats:.2f} nats", 3.0 if apart > 0.7 * nats else 1.0)
        )
    if taken.complexity >= NEURAL:
        others = [c.bound for c in rivals if c.complexity < NEURAL]
        if not others or taken.bound - max(others) > max(0.1 * nats, 0.04):
            reasons.append(("only a neural critic finds this much, and its value is a lower bound", 1.0))
    if rising > max(0.05 * nats, error, 0.02):
        reasons.append((f"half of the training samples find {rising:.2f} nats less, so more would find more", 1.0))
    if n < 20 * dims and not taken.complexity:
        reasons.append((f"{n} samples in {dims} dimensions could hide a dependence that is not linear", 1.0))
    if error > max(0.25 * abs(nats), 0.05):
        reasons.append((f"its standard error is {error:.2f} nats", 1.0))
    if tied:
        reasons.append(("more than 5% of the rows repeat: densities do not exist there", 1.0))
    reasons += [(words, 0.5) for words in dropped]
    return reasons


def level_of(reasons: list[tuple[str, float]]) -> Level:
    """Reliable, doubtful or abstain."""
    weight = sum(own for _, own in reasons)
    return "reliable" if weight < 1 else "doubtful" if weight < 3 else "abstain"
