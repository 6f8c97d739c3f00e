"""All figures of an all-to-all run, with their captions, from the arrays that each layer left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lmi.report import pairwise as draw
from lmi.types import NATS_PER_BIT

Layer = Mapping[str, np.ndarray]


def off_diagonal(layer: Layer) -> dict[str, np.ndarray]:
    """What a layer says of each pair a < b, as vectors, the (d, d) matrices above their diagonals; ``pairs`` (p, 2)."""
    upper = np.triu_indices(len(layer["nats"]), 1)
    off = {name: layer[name][upper] for name in ("nats", "atlas") if name in layer}
    off |= {name: layer[name] for name in ("p", "z", "effective", "g_p", "gaussian") if name in layer}
    return off | {"pairs": np.stack(upper, 1)}


def figures_of_layers(
    layers: Mapping[str, Layer], off: Mapping[str, Layer], estimator: str, rate: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures and captions: one pair, matrices, distributions, depth; significance and atlas where they were measured.

    Args:
        layers: name -> what ``lmi.experiments.pairwise`` keeps of a layer: ``nats``, ``dims``, ``top_pairs`` (p, 2) with
            ``top_values`` (tokens, p, 2), and, where there are any, ``columns`` (names), ``null_z``, ``null_nats``, ``atlas``,
            ``missed_pairs``, ``missed_values``.
        off: name -> the same above the diagonal, from ``off_diagonal``, with ``q`` where there is a null.
        estimator: what measured them, in words.
        rate: false-discovery rate of the survivors.
    """
    bits = {name: layer["nats"] / NATS_PER_BIT for name, layer in off.items()}
    best = max(off, key=lambda name: off[name]["nats"].max())
    pair = layers[best]["top_pairs"][0]
    a, b = (str(name) for name in layers[best].get("columns", layers[best]["dims"])[pair])
    kind = "columns" if "columns" in layers[best] else "dimensions"
    x, y = layers[best]["top_values"][:, 0].T
    strongest = float(layers[best]["nats"][tuple(pair)]) / NATS_PER_BIT
    figures = {
        "pair": draw.pair_in_full(x, y, f"{best} [{a}]", f"{best} [{b}]", strongest, estimator),
        "matrices": draw.matrices({name: layer["nats"] / NATS_PER_BIT for name, layer in layers.items()}),
        "distributions": draw.distributions(
            bits, {name: layer["null_nats"] / NATS_PER_BIT for name, layer in layers.items() if "null_nats" in layer}
        ),
        "depth": draw.overlaid(bits),
    }
    captions = {
        "pair": f"The strongest pair of all layers, {kind} {a} and {b} of {best}: every token, and their 2-D "
        f"histogram. {strongest:.2f} bits by {estimator}.",
        "matrices": "MI between every two dimensions, one panel a layer, all on one colour scale, which ends at the "
        "99.5th percentile of all pairs. Dimensions stand in clustered order, the same in every panel where layers are "
        "equally wide.",
        "distributions": "MI of all pairs in each layer (filled) and under the null (line). Where the null pairs documents "
        "position by position, its tail is what columns share only through the position.",
        "depth": "The distributions of all layers over one another, coloured by depth.",
    }
    if all("q" in layer for layer in off.values()):
        figures["significance"] = draw.significance(
            {name: layer["q"] for name, layer in off.items()},
            {name: layer["z"] for name, layer in off.items()},
            {name: layer["null_z"] for name, layer in layers.items()},
            rate,
        )
        captions["significance"] = (
            f"Left: pairs that survive at a false-discovery rate of {rate:g} over all pairs of all layers, share and "
            "count by layer. Right: standardised MI of all pairs of all layers and of the pooled null; what rises above "
            "the null's tail survives. The last bin holds everything beyond it."
        )
    if all("atlas" in layer for layer in layers.values()):
        where = max(off, key=lambda name: off[name]["atlas"].max())
        missed = layers[where]["missed_pairs"]
        gaussian = np.concatenate([layer["gaussian"] for layer in off.values()]) / NATS_PER_BIT
        figures["atlas"] = draw.atlas(
            gaussian,
            gaussian + np.concatenate([layer["atlas"] for layer in off.values()]) / NATS_PER_BIT,
            layers[where]["missed_values"],
            [(int(a), int(b)) for a, b in layers[where]["dims"][missed]],
            [float(layers[where]["atlas"][tuple(pair)]) / NATS_PER_BIT for pair in missed],
            where,
        )
        captions["atlas"] = (
            "What covariance misses. Left: KSG against Gaussian MI of the rank-normalised pair, all pairs of all "
            f"layers; on the line covariance says everything. Right: the pairs of {where} furthest above it, a dot a "
            "token, axes in normal scores of the ranks."
        )
    return figures, captions
