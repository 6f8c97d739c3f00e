"""Which of many columns are joined to which: a network of a table's columns, its hubs, and files for other programs."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from lmi.arguments import checked_device
from lmi.estimators.network.consensus import consensus_edges
from lmi.estimators.network.direct import direct_edges
from lmi.estimators.network.edges import Edges
from lmi.estimators.network.pairwise_edges import pairwise_edges
from lmi.estimators.pairwise.constant import constant_columns
from lmi.estimators.pairwise.histogram import Binning
from lmi.estimators.pairwise.matrix import PairEstimator
from lmi.experiments.network_findings import correlation_edges, figures_of, hub_rows, recovery, strongest_rows
from lmi.experiments.pairwise import ActivationSource, NamedColumns
from lmi.report import network as draw
from lmi.results import Result
from lmi.sources.planted.planted_network import PlantedNetwork
from lmi.types import Context


@dataclass(frozen=True)
class Network:
    """The network of a table's columns at a false-discovery rate, less what passes through a third column.

    The run folder gets ``edges.csv`` and ``edges.graphml``.

    Args:
        activations: where the table comes from: a source with one layer.
        estimator: "ksg", "histogram", "gaussian" or "bspline".
        targets: names of columns; only pairs with one of them are measured. Empty for all pairs.
        rate: false-discovery rate.
        most: the strongest so many edges; ``None`` for all.
        prune: nats by which the weakest edge of a triangle has to be weaker to be left out (ARACNE); ``None`` keeps all.
        conditional: whether triangles that this leaves open are judged by conditional MI, and the false-discovery rate
            is held among the edges left, see ``lmi.direct_edges``.
        clr: whether edges are ranked by context likelihood in place of MI.
        resamples: networks of 63.2% of the rows; 0 leaves consensus out.
        agreement: share of these networks that an edge has to be in.
        null: "documents", "shift" or "auto", see ``lmi.pairwise``.
        draws: null draws; ``None`` draws each column four times or more.
        k: neighbours of KSG.
        bins: of the histogram and of the splines.
        binning: "width" or "mass".
        top: rows of the table of strongest edges, and of hubs.
        device: a torch device; "auto" is a CUDA device where there is one, else the CPU.
        devices: processes that share the pairs.
    """

    activations: ActivationSource
    estimator: PairEstimator = "ksg"
    targets: tuple[str, ...] = ()
    rate: float = 0.05
    most: int | None = None
    prune: float | None = 0.1
    conditional: bool = True
    clr: bool = False
    resamples: int = 0
    agreement: float = 0.5
    null: Literal["auto", "shift", "documents"] = "auto"
    draws: int | None = None
    k: int = 3
    bins: int = 10
    binning: Binning = "mass"
    top: int = 20
    device: str = "auto"
    devices: Annotated[int, Field(ge=1)] = 1

    def run(self, context: Context) -> Result:
        """Read the table, find the edges, draw and write them."""
        started = time.perf_counter()
        h, documents, names, notes = self._table(context)
        with tempfile.TemporaryDirectory() as passing:
            folder = Path(passing) if context.folder is None else context.folder
            search = partial(
                self._search, h=h, documents=documents, names=names, folder=folder / "units", context=context
            )
            if self.devices > 1:
                from lightning.fabric import Fabric

                accelerator = "cpu" if checked_device(self.device) == "cpu" else "cuda"
                fabric = Fabric(accelerator=accelerator, devices=self.devices, strategy="ddp_spawn")
                fabric.launch(search)  # each rank leaves its share of the pairs in the folder
            every = search(None)
            edges = self._consensus(every, h, documents, names, folder / "units", context)
            edges = self._direct(edges, h, context)
            edges = edges if self.most is None else edges.strongest(self.most)
        if self.clr:
            edges = edges.clr()
        if context.folder is not None:
            edges.to_csv(context.folder / "edges.csv")
            edges.to_graphml(context.folder / "edges.graphml")
        tables: dict[str, Any] = {"strongest": strongest_rows(edges, self.top), "hubs": hub_rows(edges, self.top)}
        figures, captions = figures_of(self, edges, h, context)
        metrics: dict[str, Any] = {
            "columns_count": h.shape[1],
            "rows_count": len(h),
            "tested_pairs_count": every.tested,
            "dependent_pairs_count": len(every),
            "edges_count": len(edges),
        }
        if isinstance(self.activations, PlantedNetwork):
            rows = [recovery(edges, self.activations, f"this run ({self.estimator})")]
            if self.prune is not None:
                rows.append(recovery(every.pruned(), self.activations, f"{self.estimator}, ARACNE alone"))
                rows.append(recovery(every, self.activations, f"{self.estimator}, not pruned"))
            rows += self._others(h, documents, context)
            tables["planted"] = rows
            scores = recovery(every, self.activations, "")
            metrics |= {"precision_at_rate": scores["precision_any"], "recall_at_rate": scores["recall"]}
            metrics |= {"edges_precision": rows[0]["precision"], "edges_recall": rows[0]["recall"]}
            figures["planted"] = draw.recovery_bars(rows)
            captions["planted"] = (
                "Precision and recall against the planted edges (dashed: .95). Correlation and Gaussian MI do not see "
                "parabolas; without pruning, targets of one hub are joined to each other as well."
            )
        return Result(
            "network",
            metrics | {"seconds": time.perf_counter() - started},
            {"a": edges.a, "b": edges.b, "nats": edges.nats, "q": edges.q, "names": np.asarray(edges.names)},
            tables,
            figures,
            captions,
            (*notes, *every.warnings, *self._notes(every, edges)),
            legend=draw.LEGEND,
            answer=(
                f"{len(every)} of {every.tested} pairs share more than chance would (false-discovery rate {self.rate:g}); "
                f"{len(edges)} of them are edges of the network."
            ),
        )

    def _table(self, context: Context) -> tuple[Tensor, Tensor, list[str], list[str]]:
        layers = list(self.activations.layers(context))
        if len(layers) != 1:
            listed = ", ".join(name for name, _, _ in layers[:5])
            raise ValueError(
                f"a network is of one table, got {len(layers)} ({listed}); pick one: activations.files=[path:name]"
            )
        name, h, documents = layers[0]
        names = [str(column) for column in range(h.shape[1])]
        if isinstance(self.activations, NamedColumns):
            names = self.activations.columns().get(name, names)
        constant = constant_columns(h)
        if not constant:
            return h, documents, names, []
        varying = [column for column in range(h.shape[1]) if column not in set(constant)]
        note = f"{len(constant)} constant columns are left out: {', '.join(names[column] for column in constant[:8])}"
        return h[:, varying], documents, [names[column] for column in varying], [note]

    def _settings(self, documents: Tensor, context: Context) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in ("rate", "null", "draws", "k", "bins", "binning")}
        is_grouped = 1 < len(documents.unique()) < len(documents)
        return settings | {
            "targets": list(self.targets) or None,
            "documents": documents if is_grouped else None,
            "device": checked_device(self.device),
            "seed": context.seed,
        }

    def _search(
        self, fabric: Any, h: Tensor, documents: Tensor, names: list[str], folder: Path, context: Context
    ) -> Edges:
        """All pairs at the rate; ``fabric`` is that of a rank, which shares them with others."""
        import pandas

        settings = self._settings(documents, context)
        if fabric is not None:
            import numba  # here, since lmi says how many threads it may start

            numba.set_num_threads(max(1, numba.get_num_threads() // fabric.world_size))
            if settings["device"] != "cpu":
                settings["device"] = str(fabric.device)
        table, progress = pandas.DataFrame(h.numpy(), columns=names), context.progress and fabric is None
        return pairwise_edges(table, self.estimator, folder=folder, fabric=fabric, progress=progress, **settings)

    def _consensus(
        self, every: Edges, h: Tensor, documents: Tensor, names: list[str], folder: Path, context: Context
    ) -> Edges:
        import pandas

        if not self.resamples:
            return every
        prune = None if self.conditional else self.prune
        return consensus_edges(
            pandas.DataFrame(h.numpy(), columns=names), self.estimator, resamples=self.resamples,
            agreement=self.agreement, prune=prune, folder=folder, progress=context.progress,
            **self._settings(documents, context),
        )  # fmt: skip

    def _direct(self, edges: Edges, h: Tensor, context: Context) -> Edges:
        if self.prune is None:
            return edges
        if not self.conditional:
            return edges.pruned(self.prune)
        return direct_edges(edges, h, tolerance=self.prune, rate=self.rate, seed=context.seed)

    def _others(self, h: Tensor, documents: Tensor, context: Context) -> list[dict[str, Any]]:
        """Gaussian MI and plain correlation on the same planted network, pruned likewise."""
        assert isinstance(self.activations, PlantedNetwork)
        gaussian = pairwise_edges(h, "gaussian", **{**self._settings(documents, context), "targets": None})
        correlated = correlation_edges(h.numpy(), self.rate)
        rows = []
        for name, edges in (("Gaussian MI", gaussian), ("correlation", correlated)):
            edges = self._direct(edges, h, context)
            rows.append(recovery(edges, self.activations, name))
        return rows

    def _notes(self, every: Edges, edges: Edges) -> list[str]:
        notes = [f"null: {every.null}; Benjamini-Hochberg over all {every.tested} measured pairs"]
        if self.prune is not None:
            notes.append(
                f"pruned by the data processing inequality: the weakest edge of a triangle goes where it is weaker by more "
                f"than {self.prune:g} nats"
            )
            if self.conditional:
                notes.append(
                    "triangles that this leaves open are judged by conditional MI, whose null takes rows as independent; "
                    "q-values are worked out anew among the edges left"
                )
        if self.resamples:
            notes.append(
                f"consensus: an edge stays where at least {self.agreement:.0%} of {self.resamples} networks of 63.2% of the "
                "rows have it, found and pruned in the same way"
            )
        return notes
