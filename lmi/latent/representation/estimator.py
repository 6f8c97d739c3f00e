"""``representation``: encoders that learn what to measure, judged on pairs that trained none of them.

Functions of fresh samples share no more than the samples do (the data processing inequality), so the number is a lower
bound, up to the errors of its measure; the interval is opened upwards by what a learning curve says is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from lmi.activations.extract import CACHE
from lmi.estimators.folds import Fold
from lmi.estimators.trust.row_order import time_doubts
from lmi.estimators.trust.thresholds import LATENT_SHORTFALL
from lmi.estimators.trust.verdict import worst
from lmi.evidence import Verdict
from lmi.latent.measures import measure_latents, pool_folds
from lmi.latent.representation.doubts import learned_doubts, normal_doubts, raw_neighbours
from lmi.latent.representation.encoders.pretrained import pretrained_features
from lmi.latent.representation.fold import Fitted, fit_ways
from lmi.latent.representation.learning_curve import LearningCurve, learning_curve
from lmi.latent.representation.levels import measured_as_levels
from lmi.latent.representation.second_measure import raised_towards, second_measure, settled_by
from lmi.latent.representation.settings import RepresentationSettings
from lmi.latent.training import three_way_folds
from lmi.types import Context, Estimate

SMALLEST_PART = 40


@dataclass(frozen=True, kw_only=True)
class RepresentationEstimator(RepresentationSettings):
    """See the module: paired encoders of pictures, sequences or columns, then ``measure`` in their leading latents."""

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``. The model is a tuple, one for each fold, or several one after the other."""
        return self.estimate_shaped(x, y, context)

    def estimate_shaped(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """The same for pictures (n, channels, height, width) and sequences (n, length, channels) as well as columns (n, d).

        Raises:
            ValueError: where a part of the split would have too few samples, or an encoder does not take such samples.
        """
        names = (self.encoder, self.encoder_y or self.encoder)
        x, y = (self._readable(z.float().cpu(), name) for z, name in zip((x, y), names))
        n = x.shape[0]
        folds = three_way_folds(self, n, SMALLEST_PART, context)
        estimates, fits, curve = [], [], None
        ways: tuple[RepresentationSettings, ...] = (self,)
        labels = [f"learned latents, fold {i + 1} of {len(folds)}" for i in range(len(folds))]
        for i, (_, fold) in enumerate(zip(context.stages(labels), folds)):
            stream = (
                context if len(folds) == 1 else replace(context.child("fold", i), loggers=() if i else context.loggers)
            )
            fit, estimate = self._fit_and_measure(ways, x, y, fold, stream)
            ways = fit.ways
            if i == 0 and self.learning_curve:
                curve = learning_curve(fit, x, y, fold, stream)
            fits.append(fit)
            estimates.append(estimate)
        if self.measure == "auto":
            variates, in_latents = [fit.leading.variates(*fit.latents) for fit in fits], estimates
            estimates = measured_as_levels(in_latents, variates, folds, self.permutations, context)
            has_levels = any(a is not b for a, b in zip(estimates, in_latents, strict=True))
        whole = pool_folds(estimates, folds, n)
        raw = raw_neighbours(x, y, context.generator("raw"))
        details = details_of(fits, curve)
        if self.measure == "auto":
            second = second_measure(fits, folds, context)
            details |= {"first_measure_nats": whole.nats, "second_measure_nats": second}
            count = max(fit.leading.count for fit in fits)
            whole = settled_by(second, whole, count)
            if not has_levels:  # neighbours inside a clump know nothing of the other side
                whole = raised_towards(second, whole, count)
        doubts = (
            *learned_doubts(self, fits, estimates, whole, curve, raw),
            *normal_doubts(x, y, whole, context.generator("linear")),
            *time_doubts(x.flatten(1), y.flatten(1)),
        )
        zx, zy = (z.clone() for z in fits[0].latents)
        for fit, fold in zip(fits, folds):
            zx[fold.test], zy[fold.test] = (z[fold.test] for z in fit.latents)
        verdict = whole.verdict or Verdict("doubtful")
        return replace(
            opened_upwards(whole, curve, raw),
            latents=(zx, zy),
            model=tuple(model for fit in fits for model in fit.models),
            details=whole.details | details,
            verdict=worst(verdict, Verdict("doubtful", doubts)) if doubts else verdict,
            choice=f"{self.measure} in "
            + " and ".join(f"{fit.leading.count} of {fit.latents[0].shape[1]}" for fit in fits)
            + " learned latents "
            + " beside ".join(f"({in_words(way)})" for way in ways)
            + "; a lower bound by the data processing inequality"
            + "".join(f"; fold {i + 1}: {each.choice}" for i, each in enumerate(estimates) if each.choice),
        )

    def _readable(self, z: Tensor, encoder: str) -> Tensor:
        """Samples z (n, *shape) as encoders take them: with ``pretrained`` what the frozen network says of them."""
        return pretrained_features(self.pretrained, z, cache=CACHE) if encoder == "pretrained" else z

    def _fit_and_measure(
        self, ways: tuple[RepresentationSettings, ...], x: Tensor, y: Tensor, fold: Fold, context: Context
    ) -> tuple[Fitted, Estimate]:
        """Encoders of a fold and the information of its test part, measured in the first process for all.

        Args:
            ways: settings of the fits: those of this estimator, or what the first fold chose.
            x: (n, *shape of X) float32.
            y: (n, *shape of Y) float32.
            fold: what is fitted to and what is measured.
            context: seeds, folder, loggers.
        """
        fit = fit_ways(ways, x, y, fold, context)
        trainer, estimate = fit.trainer, None
        if trainer is None or trainer.is_global_zero:
            estimate = measure_latents(
                self.measure, fit.leading.variates(*fit.latents), fold, self.permutations, context
            )
        if trainer is not None:
            estimate = trainer.strategy.broadcast(estimate)
        assert estimate is not None
        return fit, estimate


def in_words(settings: RepresentationSettings) -> str:
    """How a fit was made, for ``choice``."""
    return (
        f"{settings.objective}, {settings.members} members"
        + (f", width {settings.width}, dropout {settings.dropout:g}" if settings.dropout else "")
        + (", pooled" if "pooled" in (settings.encoder, settings.encoder_y) else "")
        + (", mirrored pairs" if settings.augmentation == "mirror" else "")
    )


def opened_upwards(estimate: Estimate, curve: LearningCurve | None, raw: tuple[float, float]) -> Estimate:
    """The interval reaches up to what infinitely many training samples, or members, might find, by the learning curve.

    At least by ``LATENT_SHORTFALL``: encoders that lack capacity or training, or overlook what is faint beside
    what is plain, find no more with more samples either.

    Args:
        estimate: with an interval for what its latents share.
        curve: of the first fold; ``None`` leaves the least opening.
        raw: what neighbours find in samples as they come, and its error, nats: no less can be there.
    """
    if estimate.interval is None:
        return estimate
    low, high = estimate.interval
    share, surplus = (0.0, 0.0) if curve is None else (curve.missing, curve.surplus)
    missing = max(max(estimate.nats, 0.0) * max(share, LATENT_SHORTFALL), surplus)
    return replace(estimate, interval=(low, max(high + missing, raw[0])))


def details_of(fits: list[Fitted], curve: LearningCurve | None) -> dict[str, float]:
    """Numbers of the fits and of the learning curve, each with its unit in its name."""
    details: dict[str, float] = {
        "epochs": float(sum(len(model.curves["stop_loss"]) for fit in fits for model in fit.models))
    }
    for i, fit in enumerate(fits):
        details[f"fold_{i + 1}_leading_latents_count"] = float(fit.leading.count)
        details[f"fold_{i + 1}_leading_bound_nats"] = fit.leading.bound
        details[f"fold_{i + 1}_stop_bound_nats"] = max(-min(model.curves["stop_loss"]) for model in fit.models)
    if curve is not None:
        for name, value in zip(("quarter", "half", "all"), curve.nats):
            details[f"learned_from_{name}_nats"] = value
        details["learned_by_members_nats"] = curve.together
        if curve.missing_range is not None:
            names = ("still_missing_ratio", "still_missing_least_ratio", "still_missing_most_ratio")
            details.update(zip(names, (curve.missing, *curve.missing_range)))
    return details
