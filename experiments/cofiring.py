"""Which sparse features of a layer fire together, in which clusters, and for which tokens?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from lmi.estimators.modules.modularity import find_modules
from lmi.estimators.network.cofiring import cofiring
from lmi.estimators.network.edges import Edges
from lmi.experiments.features import (
    Activity,
    FeatureTraining,
    corpus_activations,
    encoded,
    fit_dictionary,
    load_dictionary,
    one_layer,
)
from lmi.experiments.firing import FiringTable, read_firing_table
from lmi.latent.trainer import TrainerSettings
from lmi.report import cofiring as draw
from lmi.results import Result
from lmi.sources.files.array_layers import ArrayLayers
from lmi.types import NATS_PER_BIT, Context

CONTEXT = 6  # tokens shown on each side
EXAMPLES = 3  # tokens shown of a cluster


@dataclass(frozen=True)
class Cofiring:
    """Pairs of features of a dictionary that fire together more often than chance, and their clusters.

    Args:
        activations: of one layer; or files (``activations=arrays``).
        dictionary: folder of a dictionary, from ``experiment=pretrain_features`` or SAELens. ``None`` trains one; of
            files it takes the columns themselves as the features, which fire where they are not 0.
        training: of the dictionary that is trained.
        trainer: where it is trained.
        packages: without texts, files and folder in ``activations``, the docstrings of these are read.
        max_documents: of them, at most.
        null: "documents", "shift", "g_test" or "auto", see ``lmi.cofiring``.
        draws: times that documents are moved.
        rate: false-discovery rate.
        grouped: features that are put into clusters: those in the strongest pairs.
        clusters: how many.
        top: rows of the table of strongest pairs.
    """

    activations: Activity
    dictionary: str | None = None
    training: FeatureTraining = field(default_factory=FeatureTraining)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    packages: tuple[str, ...] = ("scipy", "sklearn")
    max_documents: int | None = 600
    null: Literal["auto", "g_test", "documents", "shift"] = "auto"
    draws: int = 4
    rate: float = 0.05
    grouped: int = 120
    clusters: int = 12
    top: int = 20

    def run(self, context: Context) -> Result:
        """Encode every token, count, test, group, and look up the tokens."""
        started = time.perf_counter()
        table, words = self._features(context)
        features, documents, counted = table.features, table.documents, time.perf_counter()
        count = features.shape[0]
        grouped = documents if len(documents.unique()) > 1 else None
        try:
            edges = cofiring(
                features, documents=grouped, null=self.null, draws=self.draws, rate=self.rate, seed=context.seed
            )
        except ValueError as error:
            raise ValueError(
                f"{table.name}: {error}. A feature fires where it is not 0; of activations, experiment.dictionary=<folder> "
                "makes features"
            ) from error
        if table.columns is not None:
            edges = replace(edges, names=table.columns)
        metrics: dict[str, Any] = {
            "tokens_count": count,
            "features_count": features.shape[1],
            "tested_pairs_count": edges.tested,
            "together_pairs_count": len(edges),
            "count_seconds": time.perf_counter() - counted,
        }
        fires = np.bincount(features.indices, minlength=features.shape[1])
        figures = {"firing": draw.firing_rates(fires / count)}
        captions = {"firing": "How often each feature fires, the most frequent first."}
        tables: dict[str, Any] = {"strongest": self._strongest(edges)}
        if len(edges) >= 2:
            figures["pairs"] = draw.together_against_chance(
                edges.extra["expected"], edges.extra["together"], edges.tested
            )
            captions["pairs"] = (
                "The pairs found: rows (tokens of a text) where both fire against those that chance gives (dashed: equal)."
            )
            groups = feature_clusters(edges, self.grouped, self.clusters, context.seed)
            tables["clusters"] = [
                cluster_row(index, group, features, words, documents, edges.names) for index, group in enumerate(groups)
            ]
            order = np.concatenate(groups)
            figures["clusters"] = draw.clusters(lift_table(edges, order), [len(group) for group in groups])
            captions["clusters"] = (
                "Pointwise MI of the features in the strongest pairs, clusters framed; darkest: not above chance."
            )
        if context.folder is not None:
            edges.to_csv(context.folder / "pairs.csv")
        return Result(
            "cofiring",
            metrics | {"seconds": time.perf_counter() - started},
            {"a": edges.a, "b": edges.b, "nats": edges.nats, "q": edges.q, "fires": fires},
            tables,
            figures,
            captions,
            (f"{table.words}; null: {edges.null}", *edges.warnings),
            legend=draw.LEGEND,
            answer=(
                f"{len(edges)} of {edges.tested} pairs of features fire together more often than chance would have it "
                f"(false-discovery rate {self.rate:g})."
            ),
        )

    def _features(self, context: Context) -> tuple[FiringTable, list[str] | None]:
        """Features, and the token of each row where there are tokens."""
        if isinstance(self.activations, ArrayLayers) and self.dictionary is None:
            return read_firing_table(self.activations, context), None
        activations = corpus_activations(self.activations, self.packages, self.max_documents)
        layer, h, documents = one_layer(activations, context)
        if self.dictionary is None:
            dictionary: Any = fit_dictionary(h, self.training, self.trainer, context)
        else:
            dictionary = load_dictionary(self.dictionary)
        words = None if isinstance(activations, ArrayLayers) else activations.tokens(context)
        return FiringTable(layer, encoded(dictionary, h), documents, None, layer), words

    def _strongest(self, edges: Edges) -> list[dict[str, Any]]:
        frame = edges.frame().head(self.top)
        return [
            {
                "a": row["a"],
                "b": row["b"],
                "mi_bits": float(row["bits"]),
                "together": int(row["together"]),
                "expected": float(row["expected"]),
                "lift": float(row["lift"]),
                "pmi_bits": float(row["pmi"]) / NATS_PER_BIT,
                "q_value": float(row["q"]),
            }
            for _, row in frame.iterrows()
        ]


def feature_clusters(edges: Edges, features: int, clusters: int, seed: int) -> list[np.ndarray]:
    """The features of the strongest pairs in clusters, the largest first: spectral clustering of their MI.

    Args:
        edges: pairs, the strongest first.
        features: at most.
        clusters: at most.
        seed: of the clustering.
    """
    seen = list(dict.fromkeys(np.stack([edges.a, edges.b], 1).ravel().tolist()))[:features]
    place = {feature: index for index, feature in enumerate(seen)}
    table = torch.zeros(len(seen), len(seen), dtype=torch.float64)
    for a, b, nats in zip(edges.a.tolist(), edges.b.tolist(), edges.nats.tolist()):
        if a in place and b in place:
            table[place[a], place[b]] = table[place[b], place[a]] = nats
    count = min(clusters, len(seen) // 2)
    if count < 2:
        labels = connected_components(sparse.csr_matrix(table.numpy()))[1]
    else:
        labels = find_modules(table, count, seed).numpy()
    groups = [np.asarray(seen)[labels == label] for label in np.unique(labels)]
    return sorted(groups, key=len, reverse=True)


def cluster_row(
    index: int, group: np.ndarray, features: Any, words: list[str] | None, documents: torch.Tensor, names: Sequence[str]
) -> dict[str, Any]:
    """A cluster's features, and the tokens for which they fire most, in their context; without tokens, the rows.

    Args:
        index: of the cluster.
        group: its features.
        features: (n, f) sparse.
        words: n tokens, or ``None``.
        documents: (n,) the document of each.
        names: of the f features.
    """
    of_group = abs(features[:, group])
    share = np.asarray(of_group.sum(1)).ravel() * np.asarray((of_group > 0).sum(1)).ravel()
    listed = " ".join(names[feature] for feature in group[:12]) + (" ..." if len(group) > 12 else "")
    cluster: dict[str, Any] = {"cluster": index, "size": len(group), "features": listed}
    if words is None:
        rows = np.argsort(-share, kind="stable")[:EXAMPLES]
        return {**cluster, "rows": ", ".join(str(row) for row in rows if share[row] > 0)}
    shown: list[str] = []
    for row in np.argsort(-share, kind="stable"):
        if share[row] <= 0 or len(shown) == EXAMPLES:
            break
        text = in_context(words, documents, int(row))
        if all(text.partition("[")[2] != other.partition("[")[2] for other in shown):
            shown.append(text)
    return {**cluster, "tokens": " | ".join(shown)}


def in_context(words: list[str], documents: torch.Tensor, row: int) -> str:
    """A token in brackets among those around it in its document, on one line.

    >>> in_context(["a ", "b ", "c"], torch.tensor([0, 0, 1]), 1)
    'a [b]'
    """
    around = [other for other in range(max(0, row - CONTEXT), min(len(words), row + CONTEXT + 1))]
    here = [other for other in around if documents[other] == documents[row]]
    text = " ".join(f"[{words[other].strip()}]" if other == row else words[other] for other in here)
    return " ".join(text.split())


def lift_table(edges: Edges, order: np.ndarray) -> np.ndarray:
    """(f, f) lift between features ``order`` (f,), 1 where a pair is none of the edges."""
    place = {int(feature): index for index, feature in enumerate(order)}
    table = np.ones((len(order), len(order)))
    for a, b, lift in zip(edges.a.tolist(), edges.b.tolist(), edges.extra["lift"].tolist()):
        if a in place and b in place:
            table[place[a], place[b]] = table[place[b], place[a]] = lift
    return table
