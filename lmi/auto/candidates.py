"""The candidates of ``auto``: each a way to score pairs, fitted on some folds and judged by bounds on the others."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lmi.auto.judging import NEURAL, Candidate, Part, judge
from lmi.estimators.bounds.heldout import Scores, held_out
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.gaussian.gaussian import (
    DETERMINED,
    canonical_fit,
    gaussian_bias,
    gaussian_pointwise,
    gaussian_standard_error,
)
from lmi.estimators.gaussian.linear import RANKS, fit_linear
from lmi.neural.critic import CriticSettings, fit_critic
from lmi.types import Context

VARIATES = 4  # canonical variates of each side that a mixture is fitted to where there are many dimensions
FIT_SAMPLES = 4000


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
    if float(canonical_fit(x[:, : best.rank], y[:, : best.rank]).correlations[0]) > DETERMINED:
        raise ValueError("x and y have a common part, to which the normal closed form gives infinitely many nats")
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
    candidate = judge(f"{kind} on {where}", space, 1 + count, x, y, parts, critics)
    return replace(candidate, models=models if few else [], rebuild=again)


def heavy_tailed(space: str, x: Tensor, y: Tensor, parts: list[Part], rank: int, context: Context) -> Candidate:
    """One t density of the leading ``rank`` components of each side: what the normal closed form is with heavy tails."""
    x, y = x[:, :rank], y[:, :rank]
    models = [
        fit_mixture(
            x[part.fit[:FIT_SAMPLES]], y[part.fit[:FIT_SAMPLES]], 1, context.generator("t density", space, i),
            iterations=100, tolerance=1e-4,
        )
        for i, part in enumerate(parts)
    ]  # fmt: skip
    critics: list[Scores] = [
        lambda a, b, model=model: model.scores(a[:, :rank], b[:, :rank])  # type: ignore[misc]
        for model in models
    ]

    def again(others: list[Part]) -> Candidate:
        return heavy_tailed(space, x, y, others, rank, context)

    name = f"t density of {rank} components of {space}"
    return replace(judge(name, space, 2, x, y, parts, critics), models=models, rebuild=again)


def codes(space: str, x: Tensor, y: Tensor, parts: list[Part], count: int, context: Context) -> Candidate:
    """``count`` clusters of each side alone, and a table of how often they meet, shrunk a little towards independence."""
    from sklearn.cluster import KMeans

    def centres(z: Tensor, side: str) -> Tensor:
        seed = context.derive("codes", space, side, count) % 2**32
        means = KMeans(count, n_init=3, random_state=seed).fit(z[:FIT_SAMPLES].numpy())
        return torch.from_numpy(means.cluster_centers_).to(z)

    centres_x, centres_y = centres(x, "x"), centres(y, "y")

    def coded(z: Tensor, own: Tensor) -> Tensor:
        return torch.cdist(z, own).argmin(1)

    critics: list[Scores] = []
    for part in parts:
        pairs = coded(x[part.fit], centres_x) * count + coded(y[part.fit], centres_y)
        joint = torch.bincount(pairs, minlength=count**2).double().reshape(count, count)
        chance = joint.sum(1, keepdim=True) @ joint.sum(0, keepdim=True) / joint.sum() ** 2
        table = (((joint + count * chance) / (joint.sum() + count)) / chance.clamp(min=1e-300)).log()
        table = torch.where(chance > 0, table, torch.zeros_like(table))
        critics.append(lambda a, b, t=table: t[coded(a, centres_x)][:, coded(b, centres_y)])  # type: ignore[misc]

    def again(others: list[Part]) -> Candidate:
        return codes(space, x, y, others, count, context)

    # Each cell of a table costs about 1 / 2n, which clear-cut clusters do not show in their terms.
    name = f"{count} clusters a side on {space}"
    return replace(judge(name, space, 2, x, y, parts, critics), cost=count**2 / (2 * x.shape[0]), rebuild=again)


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

    own_base = base if base.complexity else None
    return replace(judged, optimism=base.optimism, base=own_base, rebuild=again)


def calibration(scores: Scores, x: Tensor, y: Tensor) -> float:
    """The factor on the scores that makes the bound on these pairs largest: over-confident critics are turned down."""
    f = scores(x, y)
    factors = (0.3, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1)
    values = [float(held_out(lambda a, b, c=c: c * f, x, y).dv.mean()) for c in factors]  # type: ignore[misc]
    return factors[max(range(len(factors)), key=values.__getitem__)]
