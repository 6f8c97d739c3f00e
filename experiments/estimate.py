"""How much do X and Y share, and how far is that from the truth?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from lmi.api import estimate
from lmi.estimators.neighbors.ksg import KSGEstimator
from lmi.evidence import Verdict
from lmi.report.estimate import Mark, comparison, latents, pointwise_distribution, training, typical_images
from lmi.report.legend import COMMON
from lmi.results import Result, Scalar
from lmi.types import NATS_PER_BIT, Context, Estimate, Estimator, Pairs, Source


@dataclass(frozen=True)
class EstimateExperiment:
    """One source, one estimator, one number with all that is known about it.

    Args:
        source: where the pairs come from.
        estimator: what measures them.
        num_samples: how many; ``None`` takes all that a finite source has.
        oracle_k: neighbours of KSG on the true low-dimensional variables, where the source has them.
    """

    source: Source
    estimator: Estimator
    num_samples: Annotated[int, Field(ge=2)] | None = None
    oracle_k: Annotated[int, Field(ge=1)] = 3

    def run(self, context: Context) -> Result:
        """Sample, measure, hold against truth, oracle and null."""
        started = time.perf_counter()
        pairs = self.source.sample(self.num_samples, context.generator("samples"))
        measuring = time.perf_counter()
        est = estimate(pairs.x, pairs.y, self.estimator, groups=pairs.groups, context=context)
        seconds = time.perf_counter() - measuring
        oracle = None
        if pairs.core is not None:
            oracle = estimate(
                *pairs.core, KSGEstimator(k=self.oracle_k, permutations=0), context=context.child("oracle")
            )
        metrics = estimate_metrics(est, pairs.truth)
        metrics |= {"num_samples_count": pairs.x.shape[0], "estimate_seconds": seconds}
        if oracle is not None:
            metrics |= {"oracle_nats": oracle.nats, "oracle_bits": oracle.bits}
        metrics["total_seconds"] = time.perf_counter() - started
        notes = tuple(pairs.notes)
        if pairs.truth is None:
            notes += (
                "Nobody knows the true mutual information of these samples: nothing to hold the estimate against.",
            )
        figures, captions = draw(est, oracle, pairs)
        return Result(
            experiment="estimate",
            metrics=metrics,
            arrays=arrays_of(est),
            tables={"estimate": summary(est, oracle, pairs.truth)},
            legend=COMMON,
            figures=figures,
            captions=captions,
            notes=(*notes, *unsaid(est)),
            **judgement(est, pairs.truth),
        )


def judgement(est: Estimate, truth: float | None) -> dict[str, Any]:
    """``answer``, ``verdict`` and ``reasons`` of a ``Result`` that is one estimate."""
    answer = f"X and Y share {_bits(est.nats):.4f} bits"
    if est.interval is not None:
        answer += f" (90% interval {_bits(est.interval[0]):.4f} to {_bits(est.interval[1]):.4f})"
    if truth is not None:
        answer += f"; the truth is {_bits(truth):.4f}"
    verdict = est.verdict or Verdict("abstain", ("the estimator gave no verdict",))
    return {"answer": answer + ".", "verdict": verdict.level, "reasons": verdict.reasons}


def unsaid(est: Estimate) -> tuple[str, ...]:
    """The choice that was made and the warnings that are not among the verdict's reasons."""
    reasons = () if est.verdict is None else est.verdict.reasons
    return (*filter(None, [est.choice]), *(warning for warning in est.warnings if warning not in reasons))


def estimate_metrics(est: Estimate, truth: float | None) -> dict[str, Scalar]:
    """The flat numbers of an estimate, each in nats and in bits."""
    nats = {"estimate": est.nats, "ceiling": est.ceiling}
    if truth is not None:
        nats |= {"truth": truth, "error": est.nats - truth}
    if est.interval is not None:
        nats |= {"interval_low": est.interval[0], "interval_high": est.interval[1]}
    if est.null is not None:
        nats |= {"null_mean": est.null.mean, "null_high": est.null.high}
    metrics: dict[str, Scalar] = {}
    for name, value in nats.items():
        metrics |= {f"{name}_nats": value, f"{name}_bits": value / NATS_PER_BIT}
    if est.null is not None:
        metrics["null_p_value"] = est.null.p_value
    metrics |= {"measured_samples_count": est.num_samples, "choice": est.choice}
    if est.verdict is not None:
        metrics |= {"verdict": est.verdict.level, "verdict_reasons": "; ".join(est.verdict.reasons)}
    metrics |= {f"share_{name}_ratio": share for name, share in est.normalised.items()}
    return metrics | dict(est.details)


def summary(est: Estimate, oracle: Estimate | None, truth: float | None) -> list[dict[str, Scalar]]:
    """The table that ends a run, in bits."""
    rows: list[dict[str, Scalar]] = [_row(f"estimate ({est.estimator})", est)]
    if truth is not None:
        rows += [{"": "truth", "bits": _bits(truth)}, {"": "error", "bits": _bits(est.nats - truth)}]
    if oracle is not None:
        rows.append(_row("KSG on the true variables", oracle))
    if est.null is not None:
        p = est.null.p_value
        rows.append(
            {
                "": f"shuffled pairs, mean of {est.null.nats.numel()}",
                "bits": _bits(est.null.mean),
                "90% interval (bits)": f"95% below {_bits(est.null.high):.4f}, p = {p:.2g}",
            }
        )
    return rows


def _row(label: str, est: Estimate) -> dict[str, Scalar]:
    interval = ""
    if est.interval is not None:
        interval = f"{_bits(est.interval[0]):.4f} to {_bits(est.interval[1]):.4f}"
    return {
        "": label,
        "bits": _bits(est.nats),
        "90% interval (bits)": interval,
        "samples": est.num_samples,
    }


def _bits(nats: float) -> float:
    return round(nats / NATS_PER_BIT, 4)


def arrays_of(est: Estimate) -> dict[str, np.ndarray]:
    """Per-sample results: ``pointwise_nats`` (n,), ``latents_x`` and ``latents_y``, ``null_nats``, training curves."""
    arrays: dict[str, np.ndarray] = {}
    if est.pointwise is not None:
        arrays["pointwise_nats"] = est.pointwise.numpy()
    if est.latents is not None:
        arrays["latents_x"], arrays["latents_y"] = (z.numpy() for z in est.latents)
    if est.null is not None:
        arrays["null_nats"] = est.null.nats.numpy()
    return arrays | curves_of(est.model)


def _is_mean(est: Estimate) -> bool:
    assert est.pointwise is not None
    return abs(float(est.pointwise.nanmean()) - est.nats) < 1e-3


def curves_of(model: Any) -> dict[str, np.ndarray]:
    """Training curves of a model, or of each fold's."""
    if model is None:
        return {}
    if isinstance(model, tuple):
        return {f"{name}_{i}": np.asarray(c) for i, fold in enumerate(model) for name, c in fold.curves.items()}
    return {name: np.asarray(curve) for name, curve in model.curves.items()}


def draw(est: Estimate, oracle: Estimate | None, pairs: Pairs) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures and captions of one estimate."""

    def mark(label: str, value: Estimate) -> Mark:
        low, high = value.interval or (value.nats, value.nats)
        return Mark(label, value.bits, low / NATS_PER_BIT, high / NATS_PER_BIT)

    marks = [mark(f"estimate ({est.estimator})", est)]
    if oracle is not None:
        marks.append(mark("KSG on the true variables", oracle))
    null = None if est.null is None else est.null.nats.numpy() / NATS_PER_BIT
    truth = None if pairs.truth is None else pairs.truth / NATS_PER_BIT
    figures: dict[str, Any] = {"comparison": comparison(marks, truth, null)}
    captions = {
        "comparison": "The estimate with its 90% interval (sampling error)"
        + ("; the dashed line is the analytic truth" if truth is not None else "")
        + ("; below it KSG on the true low-dimensional variables" if oracle is not None else "")
        + ("; grey dots are the same estimate on shuffled pairs, which share nothing." if null is not None else ".")
    }
    if est.pointwise is not None:
        measured = ~est.pointwise.isnan()
        pointwise = est.pointwise[measured].numpy() / NATS_PER_BIT
        figures["pointwise"] = pointwise_distribution(pointwise, _is_mean(est))
        captions["pointwise"] = (
            "Pointwise MI of the samples that were measured: positive where a pair is likelier together than apart. "
            + (
                "The estimate is their mean."
                if _is_mean(est)
                else "The estimate is not their mean alone: see the choice."
            )
        )
        if est.latents is not None:
            # Each fold has a representation of its own: the first one's is shown.
            shown = est.model[0].held_out if isinstance(est.model, tuple) else measured.nonzero().flatten()
            zx, zy = (z[shown].numpy() for z in est.latents)
            figures["latents"] = latents(zx, zy, est.pointwise[shown].numpy() / NATS_PER_BIT)
            captions["latents"] = (
                "Held-out samples in the learned representation (its first pair of canonical directions"
                + (", of the first fold" if isinstance(est.model, tuple) else "")
                + "), coloured by pointwise MI: red pairs are likelier together than apart, blue ones the reverse."
            )
        if pairs.images is not None:
            figures["images"] = typical_images(pairs.images[measured].numpy(), pointwise)
            captions["images"] = "Images whose halves tell most about one another, and those whose halves tell least."
    curves = curves_of(est.model)
    if curves:
        figures["training"] = training(curves)
        captions["training"] = (
            "Loss on the training part and on the part that decides when to stop; its best weights are kept."
        )
    return figures, captions
