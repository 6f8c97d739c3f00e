"""The latent estimator: KSG in learned latents of the part of the samples that the encoders never saw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.estimators.neighbors.ksg import require_neighbours
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.lower_bounds import lower_bound_verdict
from lmi.estimators.trust.row_order import time_doubts
from lmi.estimators.trust.second_opinion import linear_doubts
from lmi.estimators.trust.thresholds import LATENT_OPTIMISM, LATENT_OPTIMISM_LEAST, LATENT_SHORTFALL
from lmi.estimators.trust.uncertainty import SUBSAMPLE_PARTS, Spread, doubts
from lmi.estimators.trust.verdict import worst
from lmi.evidence import Null, Permutations, Verdict
from lmi.latent.fitting import SMALLEST_PART, fit_and_read_all, gathered
from lmi.latent.linear_latents import best_latents
from lmi.latent.measures import Measure, measure_latents, pool_folds
from lmi.latent.readings import form_for, latent_ksg
from lmi.latent.settings import EncoderSettings
from lmi.latent.training import three_way_folds
from lmi.types import Context, Estimate

UNMEASURED_LOSS = "a lower bound: what the encoders lose is not measured and not in the interval"


@dataclass(frozen=True, kw_only=True)
class LatentEstimator(EncoderSettings):
    """Latent MI: KSG in a learned representation of each side.

    Args:
        k: neighbours of KSG on the held-out latents.
        permutations: size of the permutation null on the held-out latents; 0 leaves it out.
        null_samples: most samples that the null is measured on.
        measure: of the held-out latents: ``ksg``, as published; ``auto`` or ``bounds``, of which every sample is measured
            with ``folds``, in whatever fresh pairs are told apart by best: the learned latents, canonical variates of the
            columns, or both.
    """

    k: Annotated[int, Field(ge=1)] = 5
    permutations: Permutations = 20
    null_samples: Annotated[int, Field(ge=2)] = 5000
    measure: Measure = "ksg"

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``. With ``folds`` the model is a tuple, one for each fold.

        Raises:
            ValueError: where a part of the split would have too few samples.
        """
        n = x.shape[0]
        folds = three_way_folds(self, n, SMALLEST_PART, context)
        for fold in folds:
            require_neighbours(fold.test.numel(), self.k)
        if self.measure != "ksg":
            return self._measured(x, y, folds, context)
        fits = fit_and_read_all(self, x, y, folds, partial(read_fold, self), context)
        estimate = fits[0] if len(fits) == 1 else pool(fits, folds, n)
        generator = context.generator("second opinion")
        return lower_bound_verdict(estimate, x, y, generator, reasons=_overfit(estimate), share=LATENT_SHORTFALL)

    def _measured(self, x: Tensor, y: Tensor, folds: list[Fold], context: Context) -> Estimate:
        """``auto`` or ``bounds`` in the same latents: a lower bound by the data processing inequality."""

        def read(learned: tuple[Tensor, Tensor], fold: Fold, fold_context: Context) -> Estimate:
            latents = best_latents(x, y, learned, fold, fold_context)
            estimate = measure_latents(self.measure, latents.sides, fold, self.permutations, fold_context)
            took = estimate.choice.split(": ")[0]
            estimate = replace(
                estimate, choice=f"{latents.name} ({latents.nats:.3f} nats held out)" + (took and f", {took}")
            )
            if estimate.pointwise is None:
                return replace(estimate, pointwise=torch.full((fold.test.numel(),), torch.nan, dtype=torch.float64))
            return estimate

        fits = fit_and_read_all(self, x, y, folds, read, context)
        whole = pool_folds([replace(fit, pointwise=None) for fit in fits], folds, x.shape[0])
        pointwise, latents = gathered(fits, folds)
        details = {name: sum(fit.details[name] for fit in fits) / len(fits) for name in ("epochs", "best_stop_loss")}
        error = whole.details.get("standard_error_nats", 0.0)
        linear = linear_doubts(x, y, whole.nats, error, context.generator("second opinion"))
        reasons = (UNMEASURED_LOSS, *linear, *time_doubts(x, y))
        verdict = whole.verdict or Verdict("doubtful")
        return replace(
            whole,
            estimator="latent",
            pointwise=None if bool(pointwise.isnan().all()) else pointwise,
            latents=latents,
            model=fits[0].model if len(fits) == 1 else tuple(fit.model for fit in fits),
            details=whole.details | details,
            choice=f"{self.measure} in latents, a lower bound by the data processing inequality: "
            + "; ".join(fit.choice for fit in fits),
            verdict=worst(verdict, Verdict("doubtful", reasons)),
        )


def read_fold(settings: LatentEstimator, latents: tuple[Tensor, Tensor], fold: Fold, context: Context) -> Estimate:
    """``latent_ksg`` of the test part of a fold, and how much more it says of as many pairs that trained the encoders.

    Args:
        settings: neighbours and null.
        latents: (n, lx), (n, ly) of all samples.
        fold: its test part is measured.
        context: seeds.
    """
    few = min(fold.train.numel(), fold.test.numel())
    seen, fresh = ((latents[0][part[:few]], latents[1][part[:few]]) for part in (fold.train, fold.test))
    estimate = latent_ksg(settings, latents[0][fold.test], latents[1][fold.test], context)
    of_seen, of_fresh = (ksg_pointwise(*sides, settings.k, form_for(*sides)).mean() for sides in (seen, fresh))
    return replace(estimate, details={**estimate.details, "optimism_nats": float(of_seen - of_fresh)})


def _overfit(estimate: Estimate) -> tuple[str, ...]:
    """A reason where the pairs that trained the encoders share clearly more in their latents than fresh ones."""
    optimism = estimate.details["optimism_nats"]
    if optimism <= max(LATENT_OPTIMISM * (estimate.nats + optimism), LATENT_OPTIMISM_LEAST):
        return ()
    return (
        f"the encoders are overfit: of pairs that trained them neighbours find {optimism:.2f} nats more in the latents than "
        "of fresh ones",
    )


def pool(fits: list[Estimate], folds: list[Fold], n: int) -> Estimate:
    """One estimate from those of the folds: the mean over all samples, each measured by encoders that never saw it."""
    pointwise, latents = gathered(fits, folds)
    nats = float(pointwise.mean())
    shares = torch.tensor([fold.test.numel() / n for fold in folds], dtype=torch.float64)

    def across(name: str) -> Tensor:
        return torch.tensor([fit.details[name] for fit in fits], dtype=shares.dtype)

    details = {
        "epochs": float(across("epochs").sum()),
        "optimism_nats": float((shares * across("optimism_nats")).sum()),
    }
    spread = None
    if all(fit.interval is not None for fit in fits):
        spread = Spread(
            standard_error=float((shares * across("standard_error_nats")).norm()),
            drift=float((shares * across("drift_nats")).sum()),
            drift_error=float((shares * across("drift_error_nats")).norm()),
            parts=SUBSAMPLE_PARTS[0],
        )
        details |= {"standard_error_nats": spread.standard_error, "drift_nats": spread.drift}
    ceiling = min(fit.ceiling for fit in fits)
    each = min(fold.test.numel() for fold in folds)
    null = None
    if all(fit.null is not None for fit in fits):
        values = torch.stack([share * fit.null.nats for share, fit in zip(shares, fits, strict=True) if fit.null])
        null = Null(values.sum(0), nats)
    return Estimate(
        nats=nats,
        estimator="latent",
        num_samples=n,
        pointwise=pointwise,
        interval=None if spread is None else spread.opened(nats, float(across("latent_dims_count").mean())),
        null=null,
        ceiling=ceiling,
        warnings=doubts(nats, spread, ceiling, each, float(across("latent_dims_count").mean())),
        latents=latents,
        model=tuple(fit.model for fit in fits),
        details=details,
    )
