"""Held-out lower bounds in learned latents: encoders and critics fitted on one part, judged on another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.bounds.heldout import BoundName
from lmi.estimators.columns import normal_scores
from lmi.estimators.folds import Fold
from lmi.estimators.trust.lower_bounds import lower_bound_verdict
from lmi.evidence import Null
from lmi.latent.bounds_reading import BoundsSettings, doubted, read_bounds
from lmi.latent.fitting import SMALLEST_PART, fit_and_read_all, gathered
from lmi.latent.settings import EncoderSettings
from lmi.latent.training import three_way_folds
from lmi.types import Context, Estimate

SMALLEST_STOP = 20  # pairs on which a critic can still be turned up or down


@dataclass(frozen=True, kw_only=True)
class LatentBoundsEstimator(EncoderSettings, BoundsSettings):
    """Lower bounds on I(Zx; Zy) <= I(X; Y) that hold on pairs which trained neither encoders nor critics.

    The encoders and then the critics are fitted to the training part. The stopping part ends the fits, scales the scores
    of each critic (over-confident ones are turned down) and chooses among the critics. The estimate part is only measured.
    """

    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.6
    stop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``. With ``folds`` the model is a tuple, one for each fold.

        Raises:
            ValueError: where a part of the split would have too few samples.
        """
        folds = three_way_folds(self, x.shape[0], SMALLEST_PART, context)
        smallest = min(fold.stop.numel() for fold in folds)
        if smallest < SMALLEST_STOP:
            raise ValueError(
                f"{x.shape[0]} samples are too few to choose a critic: the stop part would have {smallest}, "
                f"expected at least {SMALLEST_STOP}"
            )
        raw = normal_scores(x), normal_scores(y)
        fits = fit_and_read_all(self, x, y, folds, partial(read_bounds, self, raw=raw), context)
        estimate = fits[0] if len(fits) == 1 else pool(fits, folds, self.bound)
        missing = estimate.details["unexplained_nats"]
        return lower_bound_verdict(estimate, x, y, context.generator("second opinion"), missing)


def pool(fits: list[Estimate], folds: list[Fold], bound: BoundName) -> Estimate:
    """One estimate from those of the folds, each sample bounded by encoders and critics that never saw it."""
    pointwise, latents = gathered(fits, folds)
    n, nats = pointwise.numel(), float(pointwise.mean())
    shares = torch.tensor([fold.test.numel() / n for fold in folds], dtype=torch.float64)

    def shared(name: str) -> Tensor:
        return shares * torch.tensor([fit.details[name] for fit in fits], dtype=shares.dtype)

    # The folds' critics differ: where their bounds differ by more than their errors, that is what the number is worth.
    between = torch.tensor([fit.nats for fit in fits], dtype=shares.dtype)
    error = max(float(shared("standard_error_nats").norm()), float((between.var() / len(fits)).sqrt()))
    optimism = float(shared("optimism_nats").sum())
    null = None
    if all(fit.null is not None for fit in fits):
        values = torch.stack([share * fit.null.nats for share, fit in zip(shares, fits, strict=True) if fit.null])
        null = Null(values.sum(0), nats)
    estimate = Estimate(
        nats=nats,
        estimator="latent_bounds",
        num_samples=n,
        pointwise=pointwise,
        null=null,
        ceiling=min(fit.ceiling for fit in fits),
        warnings=tuple(dict.fromkeys(words for fit in fits for words in fit.warnings if "unexplained" in words)),
        latents=latents,
        model=tuple(fit.model for fit in fits),
        details={
            "standard_error_nats": error,
            "unexplained_nats": float(shared("unexplained_nats").sum()),
            "optimism_nats": optimism,
            "ksg_nats": float(shared("ksg_nats").sum()),
            "ksg_standard_error_nats": float(shared("ksg_standard_error_nats").norm()),
            "epochs": sum(fit.details["epochs"] for fit in fits),
        },
        choice="; ".join(f"fold {i + 1} {fit.choice}" for i, fit in enumerate(fits)),
    )
    return doubted(estimate, bound)
