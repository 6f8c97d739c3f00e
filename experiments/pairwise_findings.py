"""From the arrays that each layer left to one result: discoveries over all pairs of all layers, tables, figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lmi.estimators.significance.pair_significance import benjamini_hochberg
from lmi.report.pairwise_layers import figures_of_layers, off_diagonal
from lmi.results import Result
from lmi.types import NATS_PER_BIT

LEGEND = {
    "layer": "of the model, or a matrix of the file",
    "dim_a": "a dimension: its number, or the name of the column",
    "dim_b": "the other",
    "column_a": "the name of a column",
    "column_b": "of the other",
    "read": "the columns that were taken from the files, and what for",
    "tokens": "rows",
    "pairs": "pairs of dimensions that vary",
    "mean_bits": "mean over pairs",
    "max_bits": "of the strongest pair",
    "g_test_surviving": "pairs with a q-value up to the rate by the G-test",
    "source": "where the activations come from",
    "num_layers": "layers made",
    "num_documents": "documents made",
    "autocorrelation": "correlation of a token with the next",
    "linear_pairs": "planted pairs on a line",
    "parabola_pairs": "planted pairs on a parabola",
    "correlation": "of the pairs on a line",
    "mi_bits": "mutual information of the pair",
    "gaussian_bits": "what correlation of the normal scores alone explains",
    "missed_bits": "what covariance misses: KSG of the normal scores less that",
    "q_value": "share of false discoveries among all pairs up to this one, against the null",
    "g_test_q_value": "the same by the G-test at the effective number of rows",
    "effective_tokens": "independent rows that the pair's autocorrelation leaves",
    "dims": "columns that vary",
    "surviving": "pairs with a q-value up to the rate",
    "surviving_ratio": "the same as a share of the pairs",
    "median_effective_tokens": "median over pairs of the independent rows that autocorrelation leaves",
    "null": "documents: each is paired with another; shift: each is turned by a random number of rows",
}
Layers = Mapping[str, Mapping[str, np.ndarray]]


def findings(
    layers: Layers, estimator: str, rate: float, top: int, source: Mapping[str, Any], seconds: float
) -> Result:
    """The result of an all-to-all run.

    Args:
        layers: name -> what ``lmi.experiments.pairwise`` keeps of a layer.
        estimator: what measured them, in words.
        rate: false-discovery rate, over all pairs of all layers together.
        top: rows of the table of strongest pairs.
        source: where the activations came from.
        seconds: what measuring took.
    """
    off = {name: off_diagonal(layer) for name, layer in layers.items()}
    for values, adjusted in (("p", "q"), ("g_p", "g_q")):
        if all(values in layer for layer in off.values()):
            joint = benjamini_hochberg(torch.from_numpy(np.concatenate([layer[values] for layer in off.values()])))
            ends = np.cumsum([len(layer[values]) for layer in off.values()])[:-1]
            for layer, q in zip(off.values(), np.split(joint.numpy(), ends)):
                layer[adjusted] = q
    rows = _layer_rows(layers, off, rate)
    total = rows[-1]
    metrics: dict[str, Any] = {
        "layers_count": len(layers),
        "pairs_count": total["pairs"],
        "strongest_bits": total["max_bits"],
    }
    if "surviving" in total:
        metrics |= {"surviving_pairs_count": total["surviving"], "surviving_ratio": total["surviving_ratio"]}
    if "g_test_surviving" in total:
        metrics["g_test_surviving_pairs_count"] = total["g_test_surviving"]
    figures, captions = figures_of_layers(layers, off, estimator, rate)
    return Result(
        "pairwise",
        metrics | {"seconds": seconds},
        _arrays(layers, off),
        {
            "strongest": _strongest(layers, off, top),
            "layers": rows,
            "source": [{k: v if isinstance(v, (int, float, str, bool)) else str(v) for k, v in source.items()}],
        },
        figures,
        captions,
        tuple(_notes(layers, rows, estimator, rate)),
        legend=LEGEND,
        answer=_answer(total, rate, metrics["strongest_bits"]),
    )


def _answer(total: Mapping[str, Any], rate: float, strongest: float) -> str:
    pairs = total["pairs"]
    if "surviving" not in total:
        return f"The strongest of {pairs} pairs shares {strongest:.3f} bits; nothing says how much of it is chance."
    return (
        f"{total['surviving']} of {pairs} pairs share more than chance would (false-discovery rate {rate:g}); "
        f"the strongest shares {strongest:.3f} bits."
    )


def _layer_rows(layers: Layers, off: Layers, rate: float) -> list[dict[str, Any]]:
    """A row a layer, and the last for all of them."""
    rows: list[dict[str, Any]] = []
    every = {
        key: np.concatenate([layer[key] for layer in off.values()]) for key in ("nats", "q", "g_q") if _all(off, key)
    }
    for name, values in [*off.items(), ("all layers", every)]:
        layer = layers.get(name, {})
        row: dict[str, Any] = {"layer": name}
        if layer:
            row |= {"tokens": int(layer["tokens"]), "dims": len(layer["dims"])}
        row["pairs"] = len(values["nats"])
        row["mean_bits"] = float(values["nats"].mean()) / NATS_PER_BIT
        row["max_bits"] = float(values["nats"].max()) / NATS_PER_BIT
        if "q" in values:
            row["surviving"] = int((values["q"] <= rate).sum())
            row["surviving_ratio"] = row["surviving"] / row["pairs"]
        if "g_q" in values:
            row["g_test_surviving"] = int((values["g_q"] <= rate).sum())
        if "null" in layer:
            row |= {"null": str(layer["null"]), "median_effective_tokens": float(np.median(values["effective"]))}
        rows.append(row)
    return rows


def _all(off: Layers, key: str) -> bool:
    return all(key in layer for layer in off.values())


def _arrays(layers: Layers, off: Layers) -> dict[str, np.ndarray]:
    """float32 (d, d) matrices: MI in nats, q-values (1 on the diagonal), what covariance misses in nats; and dims."""
    arrays: dict[str, np.ndarray] = {}
    for name, layer in layers.items():
        arrays[f"{name}.nats"] = layer["nats"].astype(np.float32)
        if "q" in off[name]:
            q = np.ones(layer["nats"].shape, np.float32)
            a, b = off[name]["pairs"].T
            q[a, b] = q[b, a] = off[name]["q"]
            arrays[f"{name}.q"] = q
        if "atlas" in layer:
            arrays[f"{name}.atlas"] = layer["atlas"].astype(np.float32)
        arrays[f"{name}.dims"] = layer["dims"]
    return arrays


def _strongest(layers: Layers, off: Layers, top: int) -> list[dict[str, Any]]:
    rows = []
    for name, layer in layers.items():
        for index in np.argsort(-off[name]["nats"])[:top]:
            a, b = off[name]["pairs"][index]
            row: dict[str, Any] = {"layer": name}
            if "columns" in layer:
                row |= {"column_a": str(layer["columns"][a]), "column_b": str(layer["columns"][b])}
            else:
                row |= {"dim_a": int(layer["dims"][a]), "dim_b": int(layer["dims"][b])}
            for key, label in (("nats", "mi_bits"), ("gaussian", "gaussian_bits"), ("atlas", "missed_bits")):
                if key in off[name]:
                    row[label] = float(off[name][key][index]) / NATS_PER_BIT
            for key, label in (("q", "q_value"), ("g_q", "g_test_q_value"), ("effective", "effective_tokens")):
                if key in off[name]:
                    row[label] = float(off[name][key][index])
            rows.append(row)
    return sorted(rows, key=lambda row: -row["mi_bits"])[:top]


def _notes(layers: Layers, rows: list[dict[str, Any]], estimator: str, rate: float) -> list[str]:
    notes = []
    total = rows[-1]
    if "surviving" in total:
        by_layer = ", ".join(f"{row['layer']} {row['surviving']}" for row in rows[:-1])
        nulls = "/".join(dict.fromkeys(row["null"] for row in rows[:-1]))
        notes.append(
            f"{total['surviving']} of {total['pairs']} pairs survive at a false-discovery rate of {rate:g} "
            f"(Benjamini-Hochberg over all pairs of all layers together; null: {nulls}): {by_layer}"
        )
        if nulls == "shift":
            notes.append(
                "fewer than 6 documents: each is turned by a random offset, a null that is too narrow for columns which "
                "stay correlated over most of a document"
            )
    if "g_test_surviving" in total:
        notes.append(
            f"G-test at the effective number of tokens: {total['g_test_surviving']} pairs survive at the same rate; its "
            "chi-squared law wants five tokens or more in every cell, so where the two differ trust the null"
        )
    if estimator.startswith("KSG"):
        notes.append("KSG may be negative where there is nothing to find; it is not clipped")
    for name, layer in layers.items():
        if layer["constant"].size:
            notes.append(f"{name}: {layer['constant'].size} constant columns left out: {_listed(layer['constant'])}")
        if layer["tied"].size:
            notes.append(
                f"{name}: {layer['tied'].size} columns are full of ties (over a tenth of the tokens share their value with "
                f"k others or more): {_listed(layer['tied'])}; where tokens coincide KSG takes its mixture form"
            )
    return notes


def _listed(dims: np.ndarray, most: int = 12) -> str:
    return ", ".join(map(str, dims[:most].tolist())) + (", ..." if dims.size > most else "")
