"""What a network's edges say: the strongest, hubs, figures, and how many of a planted network came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.stats import false_discovery_control
from scipy.stats import t as student
from torch import Tensor

from lmi.arguments import checked_device
from lmi.estimators.network.edges import Edges
from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.report import network as draw
from lmi.sources.planted.planted_network import PlantedNetwork
from lmi.types import NATS_PER_BIT, Context

if TYPE_CHECKING:
    from lmi.experiments.network import Network

DRAWN = 300  # columns whose pairs stand in the distribution
HUBS = 6  # columns with the most edges that are drawn with their neighbours


def strongest_rows(edges: Edges, count: int) -> list[dict[str, Any]]:
    """The edges with the most MI, with what pruning and consensus add to them."""
    frame = edges.frame().head(count)
    extra = list(edges.extra)
    return [
        {"a": row["a"], "b": row["b"], "mi_bits": float(row["bits"]), "q_value": float(row["q"])}
        | {name: float(row[name]) for name in extra}
        for _, row in frame.iterrows()
    ]


def figures_of(settings: Network, edges: Edges, h: Tensor, context: Context) -> tuple[dict[str, Any], dict[str, str]]:
    """The MI against the null, the hubs and their neighbours, and how many edges columns have; with captions."""
    generator = context.generator("drawn columns")
    drawn = torch.randperm(h.shape[1], generator=generator)[:DRAWN]
    rows = torch.roll(torch.arange(len(h)), 1 + int(torch.randint(len(h) - 1, (), generator=generator)))
    measured: dict[str, Any] = {
        "k": settings.k,
        "bins": settings.bins,
        "binning": settings.binning,
        "device": checked_device(settings.device),
    }
    upper = torch.triu_indices(len(drawn), len(drawn), 1)
    bits = pairwise_mi(h[:, drawn], None, settings.estimator, **measured)[upper[0], upper[1]] / NATS_PER_BIT
    null = (
        pairwise_mi(h[:, drawn], h[rows][:, drawn], settings.estimator, **measured)[upper[0], upper[1]] / NATS_PER_BIT
    )
    figures: dict[str, Any] = {"distribution": draw.against_null(bits.numpy(), null.numpy(), edges.nats / NATS_PER_BIT)}
    captions = {
        "distribution": "MI of pairs drawn at random (blue), of the same with the rows of one side moved (orange: what "
        "chance gives) and of the edges (black)."
    }
    if len(edges):
        degrees = edges.degrees()
        hubs = np.argsort(-degrees, kind="stable")[: min(HUBS, int((degrees > 0).sum()))]
        around = [neighbours(edges, hub) for hub in hubs]
        figures["hubs"] = draw.hub_panels([edges.names[hub] for hub in hubs], *zip(*around))
        captions["hubs"] = "The columns with the most edges and their neighbours; lines as wide as their MI."
        first = np.argsort(-degrees, kind="stable")[: min(settings.top, int((degrees > 0).sum()))]
        figures["degrees"] = draw.degree_bars([edges.names[hub] for hub in first], degrees[first], degrees)
        captions["degrees"] = "Edges of the columns that have the most (left), and of all columns (right)."
    return figures, captions


def hub_rows(edges: Edges, count: int) -> list[dict[str, Any]]:
    """The columns with the most edges: name, edges, strongest neighbour and what they share."""
    degrees = edges.degrees()
    rows = []
    for hub in np.argsort(-degrees, kind="stable")[:count]:
        if degrees[hub]:
            names, bits = neighbours(edges, hub)
            rows.append(
                {"hub": edges.names[hub], "edges": int(degrees[hub]), "strongest": names[0], "mi_bits": float(bits[0])}
            )
    return rows


def neighbours(edges: Edges, column: int) -> tuple[list[str], np.ndarray]:
    """Names of a column's neighbours, the strongest first, and the MI with each in bits."""
    here = np.flatnonzero((edges.a == column) | (edges.b == column))
    here = here[np.argsort(-edges.nats[here], kind="stable")]
    others = np.where(edges.a[here] == column, edges.b[here], edges.a[here])
    return [edges.names[other] for other in others], edges.nats[here] / NATS_PER_BIT


def correlation_edges(h: np.ndarray, rate: float) -> Edges:
    """Pairs of columns of h (n, d) whose Pearson correlation differs from 0 at a false-discovery rate, by its t-test."""
    n, d = h.shape
    a, b = np.triu_indices(d, 1)
    r = np.corrcoef(h, rowvar=False)[a, b].clip(-1 + 1e-15, 1 - 1e-15)
    p = 2 * student.sf(np.abs(r) * np.sqrt((n - 2) / (1 - r**2)), n - 2)
    q = false_discovery_control(p)
    kept = np.flatnonzero(q <= rate)
    kept = kept[np.argsort(-np.abs(r[kept]), kind="stable")]
    nats = -0.5 * np.log1p(-(r[kept] ** 2))
    names = tuple(map(str, range(d)))
    return Edges(a[kept], b[kept], nats, p[kept], q[kept], names, len(a), n, "correlation", "t-test")


def recovery(edges: Edges, planted: PlantedNetwork, way: str) -> dict[str, Any]:
    """Precision and recall of ``edges`` against what was planted."""
    size = planted.dims
    truth = planted.edges()
    codes = np.minimum(edges.a, edges.b) * size + np.maximum(edges.a, edges.b)
    hits = int(np.isin(codes, truth[:, 0] * size + truth[:, 1]).sum())
    origin = planted.dependent()
    dependent = (origin[edges.a] == origin[edges.b]) & (origin[edges.a] >= 0)
    total = max(1, len(edges))
    return {
        "way": way,
        "edges": len(edges),
        "precision": hits / total,
        "precision_any": float(dependent.sum()) / total,
        "recall": hits / len(truth),
    }
