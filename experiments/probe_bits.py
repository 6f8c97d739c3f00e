"""The second half of the probe: bits against sparsity, each neuron's own MI, stability and stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lmi.estimators.probes.bits import Curve, Layer, bits_curve, layer_probe, path_strengths, refit, scale
from lmi.estimators.probes.probe import (
    effect_size,
    entropy_bits,
    folds,
    gained_bits,
    label_information,
    shuffled_documents,
)
from lmi.estimators.probes.stability import stability_selection, stand_ins
from lmi.report import probe_bits as figures
from lmi.report.probes import LEGEND
from lmi.results import Result
from lmi.sources.planted.labelled import Labelled
from lmi.types import NATS_PER_BIT, Context

if TYPE_CHECKING:
    from lmi.experiments.probes import Probe


def run(settings: Probe, data: Labelled, label: Any, context: Context) -> Result:
    """Everything that is measured in bits."""
    h = scale(data.h, data.h)
    splits = folds(label, data.documents, settings.num_folds, context.derive("folds"))
    strengths = path_strengths(h, label, settings.path_points, settings.path_ratio)
    curve = bits_curve(data.h, label, data.documents, strengths, splits, settings.most_kept, context.bar)
    layer = layer_probe(data.h, label, data.documents, splits, settings.precisions, context.bar)
    single = label_information(h, label, settings.k) / NATS_PER_BIT
    shuffle = np.random.default_rng(context.derive("null"))
    null = np.concatenate(
        [
            label_information(h, shuffled_documents(label, data.documents, shuffle), settings.k)
            for _ in context.bar(range(settings.null_shuffles), "shuffled labels")
        ]
    )
    null_bits = float(np.quantile(null, 0.99)) / NATS_PER_BIT
    readouts = label_information(np.stack([curve.logits, layer.logits], axis=1), label, settings.k) / NATS_PER_BIT
    entropy = entropy_bits(label)
    metrics: dict[str, Any] = {
        "label_bits": entropy,
        "sparse_bits": curve.known_bits,
        "sparse_error_bits": curve.known_error,
        "sparse_readout_bits": float(readouts[0]),
        "saturated_count": float(curve.kept[curve.saturated]),
        "layer_bits": layer.bits,
        "layer_error_bits": layer.error,
        "layer_readout_bits": float(readouts[1]),
        "best_neuron_bits": float(single.max()),
        "best_neuron": int(single.argmax()),
        "null_neuron_bits": null_bits,
        "above_null_count": int((single > null_bits).sum()),
    }
    if data.truth_bits is not None:
        metrics |= {"truth_bits": data.truth_bits, "sparse_minus_truth_bits": curve.known_bits - data.truth_bits}
    rows: list[dict[str, Any]] = [
        {"C": float(c), "kept_count": float(m), "l1_bits": float(a), "refitted_bits": float(b), "error_bits": float(e)}
        for c, m, a, b, e in zip(curve.strengths, curve.kept, curve.l1_bits, curve.bits, curve.error)
    ]
    result = Result(
        experiment="bits",
        metrics=metrics,
        arrays={
            "curve_kept": curve.kept,
            "curve_bits": curve.bits,
            "curve_l1_bits": curve.l1_bits,
            "curve_error_bits": curve.error,
            "own_bits": single,
        },
        tables={"bits": rows},
        legend=LEGEND,
        figures={
            "bits": figures.bits_against_sparsity(
                curve.kept, curve.bits, curve.error, curve.l1_bits, curve.saturated, single, null_bits, layer.bits,
                entropy, data.truth_bits,
            )
        },
        captions={"bits": bits_caption(curve, layer, readouts)},
        notes=bits_notes(curve, layer),
    )  # fmt: skip
    if not settings.stability_pairs:
        return result
    more = stable_part(settings, data, h, label, single, curve, splits, context)
    return Result(
        experiment="bits",
        metrics={**result.metrics, **more.metrics},
        arrays={**result.arrays, **more.arrays},
        tables={"bits": rows, **more.tables},
        legend=LEGEND,
        figures={**result.figures, **more.figures},
        captions={**result.captions, **more.captions},
        notes=(*result.notes, *more.notes),
    )


def one_vs_rest(settings: Probe, data: Labelled, label: Any, context: Context) -> dict[str, Any]:
    """One class against the rest in a few numbers."""
    splits = folds(label, data.documents, settings.num_folds, context.derive("folds"))
    strengths = path_strengths(scale(data.h, data.h), label, settings.path_points, settings.path_ratio)
    curve = bits_curve(data.h, label, data.documents, strengths, splits, settings.most_kept, lambda items, _: items)
    return {
        "told_from": "the rest",
        "label_bits": entropy_bits(label),
        "sparse_bits": curve.known_bits,
        "sparse_error_bits": curve.known_error,
        "saturated_count": float(curve.kept[curve.saturated]),
    }


def stable_part(
    settings: Probe, data: Labelled, h: Any, label: Any, single: Any, curve: Curve, splits: Any, context: Context
) -> Result:
    """Selection frequencies, and for the steadiest neurons their nearest stand-ins and what a swap costs."""
    stability = stability_selection(
        h, label, data.documents, settings.stability_pairs, settings.threshold, settings.false_bound,
        context.derive("halves") % 2**31, context.bar,
    )  # fmt: skip
    shown = stability.stable if stability.stable.size else np.argsort(-stability.frequency, kind="stable")
    others = np.setdiff1d(np.arange(h.shape[1]), shown if stability.stable.size else shown[: settings.most_shown])
    shown = shown[: settings.most_shown]
    generator = context.generator("stand-ins")
    rows = torch.randperm(label.size, generator=generator).numpy()[: settings.stand_in_rows]
    shared = stand_ins(h[rows], shown, others, settings.k) / NATS_PER_BIT
    within = h - np.where(label[:, None], h[label].mean(axis=0), h[~label].mean(axis=0))
    effects = effect_size(h, label)
    base = subset_bits(data.h[:, shown], label, splits)
    table: list[dict[str, Any]] = []
    for place, j in enumerate(shown):
        rest = np.delete(shown, place)
        row: dict[str, Any] = {
            "neuron": int(j),
            "selected_ratio": float(stability.frequency[j]),
            "effect_size": float(effects[j]),
            "own_bits": float(single[j]),
            "lost_without_bits": base - subset_bits(data.h[:, rest], label, splits),
        }
        if others.size:
            stand_in = others[shared[place].argmax()]
            swapped = np.append(rest, stand_in)
            inside = stand_ins(within[rows], np.array([j]), np.array([stand_in]), settings.k)
            row |= {
                "stand_in": int(stand_in),
                "shared_bits": float(shared[place].max()),
                "shared_within_classes_bits": float(inside[0, 0]) / NATS_PER_BIT,
                "lost_by_swap_bits": base - subset_bits(data.h[:, swapped], label, splits),
            }
        table.append(row)
    metrics: dict[str, Any] = {
        "stable_count": int(stability.stable.size),
        "stable_false_bound_count": stability.false_bound,
        "selected_per_half_count": stability.num_selected,
        "shown_neurons_bits": base,
    }
    if data.informative is not None:
        metrics["planted_stable_count"] = int(np.isin(data.informative, stability.stable).sum())
        metrics["planted_count"] = int(data.informative.size)
    notes: tuple[str, ...] = ()
    if not stability.stable.size:
        notes = (
            f"no neuron is selected in {stability.threshold:.0%} of the half-samples: which neurons the probe keeps is "
            "an accident of the sample, since others do as well",
        )
    return Result(
        experiment="stability",
        metrics=metrics,
        arrays={
            "selection_frequency": stability.frequency,
            "stable_neurons": stability.stable,
            "stand_in_bits": shared,
        },
        tables={"neurons": table},
        legend=LEGEND,
        figures={
            "stability": figures.stability(stability.frequency, single, settings.threshold, data.informative),
            "stand_ins": figures.stand_ins(shared, shown, others, table),
        },
        captions={
            "stability": f"How often each neuron is among the first {stability.num_selected} to enter the path, over "
            f"{2 * settings.stability_pairs} half-samples, against its own MI with the label. Above the line at most "
            f"{stability.false_bound:.2f} false neurons are expected.",
            "stand_ins": "MI between the steadiest neurons (rows) and the dropped ones that share most with any of "
            "them; right, the held-out bits lost when a neuron is removed, and when its stand-in takes its place.",
        },
        notes=notes,
    )


def subset_bits(h: Any, label: Any, splits: Any) -> float:
    """Held-out bits of a few neurons together, refitted in every fold."""
    logits = np.empty(label.size)
    for rest, fold in splits:
        coefficients, intercept = refit(scale(h[rest], h[rest]), label[rest])
        logits[fold] = scale(h[fold], h[rest]) @ coefficients + intercept
    return float(gained_bits(logits, label).mean())


def bits_caption(curve: Curve, layer: Layer, readouts: Any) -> str:
    return (
        "Held-out information about the label that m neurons give, H(Y) minus cross-entropy, along the L1 path: as the "
        "penalty leaves the weights, and refitted without it (band: two standard errors by document). It saturates at "
        f"{curve.kept[curve.saturated]:.0f} neurons. The sparse probe knows {curve.known_bits:.3f} +- "
        f"{curve.known_error:.3f} bits, a probe of all neurons {layer.bits:.3f} +- {layer.error:.3f}; the MI of their "
        f"read-outs with the label, by KSG, is {readouts[0]:.3f} and {readouts[1]:.3f}. Right: neurons by their own "
        "MI, not held out, beside the 99th percentile under labels of whole documents shuffled."
    )


def bits_notes(curve: Curve, layer: Layer) -> tuple[str, ...]:
    notes: list[str] = []
    spread = max(2 * float(np.hypot(curve.known_error, layer.error)), 0.01)
    if curve.known_bits > layer.bits + spread:
        notes.append("the sparse probe knows more than the probe of all neurons: noise neurons cost it bits")
    elif layer.bits > curve.known_bits + spread:
        notes.append("the probe of all neurons knows more than any sparse one on the path: the code is spread out")
    return tuple(notes)
