"""Which pairs of hidden dimensions share information, layer by layer, and which of it does covariance miss?"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numba
import numpy as np
import torch
from torch import Tensor

from lmi.estimators.histogram import Binning, Correction
from lmi.estimators.pairwise import (
    GaussianPairs,
    constant_columns,
    nonlinearity,
    pairwise_measure,
    pairwise_mi,
    rank_normal,
    tiled,
)
from lmi.estimators.significance import chosen_scheme, effective_samples, pairwise_significance
from lmi.report.pairwise_layers import figures_of_layers, off_diagonal
from lmi.results import Result
from lmi.types import NATS_PER_BIT, Context

SHOWN_TOKENS = 4000  # tokens in a scatter plot, at most
TOP = 6  # pairs kept with their tokens, by layer


@runtime_checkable
class ActivationSource(Protocol):
    """Anything that yields activations layer by layer."""

    def layers(self, context: Context) -> Iterator[tuple[str, Tensor, Tensor]]:
        """(name, activations (n, d), documents (n,)) of each layer, in depth order."""
        ...

    def describe(self) -> dict[str, Any]:
        """What was read from what, for the record."""
        ...


@dataclass(frozen=True)
class Pairwise:
    """All-to-all MI in every layer, with its significance and the nonlinearity atlas.

    Args:
        activations: where they come from.
        estimator: "ksg", "histogram" or "gaussian".
        k: neighbours of KSG, here and in the atlas.
        bins: bins a column of the histogram.
        binning: "width" or "mass".
        correction: "none" or "miller_madow", of the histogram.
        null: "documents" re-pairs whole documents, "shift" turns them by random offsets, "auto" takes the first where
            there are at least 6 equally long documents, "none" leaves it out.
        draws: null draws of up to 64 x 64 pairs each.
        rate: false-discovery rate of the survivors.
        atlas: whether to measure what covariance misses.
        top: rows of the table of strongest pairs.
        device: "cpu" for compiled loops, otherwise a torch device.
        devices: processes (or GPUs) that share each layer's tiles.
    """

    activations: ActivationSource
    estimator: Literal["ksg", "histogram", "gaussian"] = "ksg"
    k: int = 3
    bins: int = 15
    binning: Binning = "width"
    correction: Correction = "none"
    null: Literal["auto", "shift", "documents", "none"] = "auto"
    draws: int = 64
    rate: float = 0.05
    atlas: bool = True
    top: int = 20
    device: str = "cpu"
    devices: int = 1

    def run(self, context: Context) -> Result:
        """Measure every layer (a layer measured before is read back), then draw and tabulate."""
        started = time.perf_counter()
        if context.folder is None:
            with tempfile.TemporaryDirectory() as folder:
                layers = self._layers(replace(context, folder=Path(folder)))
        else:
            layers = self._layers(context)
        return self._result(layers, time.perf_counter() - started)

    def _layers(self, context: Context) -> dict[str, dict[str, np.ndarray]]:
        assert context.folder is not None
        if self.devices == 1:
            self._measure(None, context)
        else:
            from lightning.fabric import Fabric

            for _ in self.activations.layers(context):  # fills the cache once, before the ranks read it
                pass
            accelerator = "cpu" if self.device == "cpu" else "cuda"
            fabric = Fabric(accelerator=accelerator, devices=self.devices, strategy="ddp_spawn")
            fabric.launch(partial(self._measure, context=replace(context, loggers=())))
        found = {}
        for path in sorted((context.folder / "layers").glob("*.npz")):
            with np.load(path, allow_pickle=False) as stored:
                found[str(stored["name"])] = {name: stored[name] for name in stored.files}
        return found

    def _measure(self, fabric: Any, context: Context) -> None:
        """Leave one file a layer in ``context.folder / "layers"``; runs in every rank."""
        assert context.folder is not None
        folder = context.folder / "layers"
        folder.mkdir(parents=True, exist_ok=True)
        first = fabric is None or fabric.global_rank == 0
        device = self.device if fabric is None or self.device == "cpu" else str(fabric.device)
        if fabric is not None:  # the ranks of a machine share its cores
            numba.set_num_threads(max(1, numba.get_num_threads() // fabric.world_size))
        current = []
        for depth, (name, h, documents) in enumerate(self.activations.layers(context)):
            key = self._key(name, h, documents, context)
            path = folder / f"{depth:03d}-{key}.npz"
            current.append(path.name)
            if fabric is not None:
                fabric.barrier()
            if path.is_file():
                continue
            found = self._measure_layer(name, h, documents, context, device, fabric)
            if first:
                unfinished = path.with_suffix(".partial")
                with unfinished.open("wb") as file:
                    np.savez(file, allow_pickle=False, name=np.asarray(name), **found)
                os.replace(unfinished, path)
        if first:
            for path in folder.glob("*.npz"):
                if path.name not in current:
                    path.unlink()
        if fabric is not None:
            fabric.barrier()

    def _key(self, name: str, h: Tensor, documents: Tensor, context: Context) -> str:
        settings = replace(self, activations=None, devices=1, device="", top=0, rate=0.0)  # type: ignore[arg-type]
        digest = hashlib.blake2b(repr((name, settings, context.seed, tuple(h.shape))).encode(), digest_size=8)
        for tensor in (h, documents):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _measure_layer(
        self, name: str, h: Tensor, documents: Tensor, context: Context, device: str, fabric: Any
    ) -> dict[str, np.ndarray]:
        constant = set(constant_columns(h))
        dims = torch.tensor([dim for dim in range(h.shape[1]) if dim not in constant])
        h = h[:, dims]
        settings: dict[str, Any] = {"k": self.k, "bins": self.bins, "binning": self.binning, "device": device}
        nats = pairwise_mi(
            h, None, self.estimator, correction=self.correction, fabric=fabric, bar=context.bar, name=name, **settings
        )
        found: dict[str, Any] = {
            "nats": nats,
            "dims": dims,
            "constant": torch.tensor(sorted(constant)),
            "tokens": torch.tensor(len(h)),
        }
        if self.null != "none":
            measure = pairwise_measure(self.estimator, correction=self.correction, **settings)
            scheme = chosen_scheme(documents, self.null)
            found["null"] = scheme
            significance = pairwise_significance(
                nats, h, measure, documents, context.generator("null", name), scheme, self.draws, fabric, context.bar
            )
            found |= {"p": significance.p, "q": significance.q, "null_nats": significance.null_nats}
            found |= {"z": significance.z, "null_z": significance.null_z}
            found["effective"] = effective_samples(h, documents)
        ranked = [("top", nats)]
        if self.atlas:
            found["atlas"] = nonlinearity(h, self.k, device, fabric, context.bar)
            found["gaussian"] = tiled(GaussianPairs(device), rank_normal(h)).fill_diagonal_(0.0)
            ranked.append(("missed", found["atlas"]))
        shown = torch.arange(len(h))
        if len(h) > SHOWN_TOKENS:
            shown = torch.randperm(len(h), generator=context.generator("shown", name))[:SHOWN_TOKENS].sort().values
        for label, matrix in ranked:
            pairs = top_pairs(matrix, TOP)
            found[f"{label}_pairs"] = pairs
            found[f"{label}_values"] = h[shown][:, pairs].double()  # (tokens, pairs, 2)
        return {key: np.asarray(value) for key, value in found.items()}

    def _result(self, layers: dict[str, dict[str, np.ndarray]], seconds: float) -> Result:
        rows: list[dict[str, Any]] = []
        notes: list[str] = []
        arrays: dict[str, np.ndarray] = {}
        off: dict[str, dict[str, np.ndarray]] = {}
        for name, layer in layers.items():
            off[name] = off_diagonal(layer)
            for key in ("nats", "q", "atlas"):
                if key in layer:
                    arrays[f"{name}.{key}"] = layer[key].astype(np.float32)
            arrays[f"{name}.dims"] = layer["dims"]
            if layer["constant"].size:
                notes.append(
                    f"{name}: {layer['constant'].size} constant columns left out: {layer['constant'][:8].tolist()}"
                )
            row: dict[str, Any] = {
                "layer": name,
                "tokens": int(layer["tokens"]),
                "dims": len(layer["dims"]),
                "pairs": len(off[name]["nats"]),
                "mean_bits": float(off[name]["nats"].mean()) / NATS_PER_BIT,
                "max_bits": float(off[name]["nats"].max()) / NATS_PER_BIT,
            }
            if "q" in layer:
                row["surviving"] = int((off[name]["q"] <= self.rate).sum())
                row["surviving_ratio"] = row["surviving"] / row["pairs"]
                row["null"] = str(layer["null"])
                row["median_effective_tokens"] = float(np.median(off[name]["effective"]))
            rows.append(row)
        strongest = self._strongest(layers, off)
        metrics: dict[str, Any] = {
            "layers_count": len(rows),
            "pairs_count": sum(row["pairs"] for row in rows),
            "strongest_bits": max(row["max_bits"] for row in rows),
            "seconds": seconds,
        }
        if self.null != "none":
            metrics["surviving_pairs_count"] = sum(row["surviving"] for row in rows)
            metrics["surviving_ratio"] = metrics["surviving_pairs_count"] / metrics["pairs_count"]
            notes.append(
                f"{metrics['surviving_pairs_count']} of {metrics['pairs_count']} pairs survive at a false-discovery "
                f"rate of {self.rate:g} (null: {rows[0]['null']}, Benjamini-Hochberg within each layer)"
            )
        if self.estimator == "ksg":
            notes.append("KSG may be negative where there is nothing to find; it is not clipped")
        label = {"ksg": f"KSG, k = {self.k}", "histogram": f"{self.bins} bins", "gaussian": "Gaussian"}[self.estimator]
        figures, captions = figures_of_layers(layers, label, self.rate)
        return Result(
            "pairwise",
            metrics,
            arrays,
            {"layers": rows, "strongest": strongest, "source": [_scalars(self.activations.describe())]},
            figures,
            captions,
            tuple(notes),
        )

    def _strongest(
        self, layers: dict[str, dict[str, np.ndarray]], off: dict[str, dict[str, np.ndarray]]
    ) -> list[dict[str, Any]]:
        rows = []
        for name, layer in layers.items():
            for index in np.argsort(-off[name]["nats"])[: self.top]:
                a, b = layer["dims"][off[name]["pairs"][index]]
                row = {
                    "layer": name,
                    "dim_a": int(a),
                    "dim_b": int(b),
                    "mi_bits": off[name]["nats"][index] / NATS_PER_BIT,
                }
                for key, label in (("gaussian", "gaussian_bits"), ("atlas", "missed_bits")):
                    if key in off[name]:
                        row[label] = off[name][key][index] / NATS_PER_BIT
                if "q" in off[name]:
                    row["q_value"] = off[name]["q"][index]
                rows.append(
                    {key: float(value) if isinstance(value, np.floating) else value for key, value in row.items()}
                )
        return sorted(rows, key=lambda row: -row["mi_bits"])[: self.top]


def top_pairs(matrix: Tensor, count: int) -> Tensor:
    """(count, 2) indices a < b of the largest entries above the diagonal of a (d, d) matrix."""
    upper = torch.triu_indices(len(matrix), len(matrix), 1)
    best = matrix[upper[0], upper[1]].argsort(descending=True)[:count]
    return upper[:, best].T.contiguous()


def _scalars(description: dict[str, Any]) -> dict[str, Any]:
    return {k: v if isinstance(v, (int, float, str, bool, type(None))) else str(v) for k, v in description.items()}
