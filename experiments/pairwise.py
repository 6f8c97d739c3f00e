"""Which pairs of hidden dimensions share information, layer by layer, and which of it does covariance miss?"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import checked_device
from lmi.estimators.pairwise.column_sorts import sort_columns
from lmi.estimators.pairwise.constant import constant_columns
from lmi.estimators.pairwise.histogram import Binning, Correction
from lmi.estimators.pairwise.histogram_pairs import HistogramPairs, HistogramPairsTorch, g_test_columns
from lmi.estimators.pairwise.matrix import pairwise_measure, rows_needed, score_tables, tiled
from lmi.estimators.pairwise.prepared import TILE, PreparedColumns
from lmi.estimators.significance.document_nulls import chosen_scheme
from lmi.estimators.significance.effective import LAGS, bartlett_samples
from lmi.estimators.significance.pair_significance import drawn_significance
from lmi.estimators.significance.pooled_null import null_plans
from lmi.evidence import MOST_PERMUTATIONS
from lmi.experiments.pairwise_findings import findings
from lmi.files import whole_file
from lmi.inputs import read_columns
from lmi.labels import read_groups
from lmi.results import Result
from lmi.types import Context

SHOWN_TOKENS = 4000  # tokens in a scatter plot, at most
ABOVE_DIAGONAL = {"p", "z", "effective", "g_p", "gaussian"}  # kept as vectors, which halves them
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


@runtime_checkable
class NamedColumns(Protocol):
    """Activations whose columns have names."""

    def columns(self) -> dict[str, list[str]]:
        """The names of the columns of each layer that has them."""
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
        null: "documents" pairs each document with another, "shift" turns each by a random offset, "auto" takes the
            first where there are at least 6 documents, "none" leaves significance out.
        draws: null draws of up to 32 x 32 pairs each.
        rate: false-discovery rate of the survivors among all pairs of all layers.
        atlas: whether to measure what covariance misses.
        top: rows of the table of strongest pairs.
        device: a torch device; "auto" is a CUDA device where there is one, else the CPU.
        devices: processes (or GPUs) that share each layer's tiles.
    """

    activations: ActivationSource
    estimator: Literal["ksg", "histogram", "gaussian"] = "ksg"
    k: int = 3
    bins: int = 15
    binning: Binning = "width"
    correction: Correction = "none"
    null: Literal["auto", "shift", "documents", "none"] = "auto"
    draws: Annotated[int, Field(ge=2, le=MOST_PERMUTATIONS)] = 32
    rate: float = 0.05
    atlas: bool = True
    top: int = 20
    device: str = "auto"
    devices: Annotated[int, Field(ge=1)] = 1

    def run(self, context: Context) -> Result:
        """Measure every layer (a layer measured before is read back), then draw and tabulate."""
        started = time.perf_counter()
        if context.folder is None:
            with tempfile.TemporaryDirectory() as folder:
                layers = self._layers(replace(context, folder=Path(folder)))
        else:
            layers = self._layers(context)
        return findings(
            layers,
            {"ksg": f"KSG, k = {self.k}", "histogram": f"{self.bins} bins", "gaussian": "Gaussian"}[self.estimator],
            self.rate,
            self.top,
            self.activations.describe(),
            time.perf_counter() - started,
        )

    def _layers(self, context: Context) -> dict[str, dict[str, np.ndarray]]:
        assert context.folder is not None
        if self.devices == 1:
            self._measure(None, context)
        else:
            from lightning.fabric import Fabric

            for _ in self.activations.layers(context):  # fills the cache once, before the ranks read it
                pass
            accelerator = "cpu" if checked_device(self.device) == "cpu" else "cuda"
            fabric = Fabric(accelerator=accelerator, devices=self.devices, strategy="ddp_spawn")
            fabric.launch(partial(self._measure, context=replace(context, loggers=())))
        layers = {}
        for path in sorted((context.folder / "layers").glob("*.npz")):
            with np.load(path, allow_pickle=False) as stored:
                layers[str(stored["name"])] = {name: stored[name] for name in stored.files}
        return layers

    def _measure(self, fabric: Any, context: Context) -> None:
        """Leave one file a layer in ``context.folder / "layers"``; runs in every rank."""
        assert context.folder is not None
        folder = context.folder / "layers"
        folder.mkdir(parents=True, exist_ok=True)
        first = fabric is None or fabric.global_rank == 0
        device = checked_device(self.device)
        if fabric is not None and device != "cpu":
            device = str(fabric.device)
        if fabric is not None:  # the ranks of a machine share its cores
            import numba  # here, since lmi says how many threads it may start

            numba.set_num_threads(max(1, numba.get_num_threads() // fabric.world_size))
        current = []
        columns = self.activations.columns() if isinstance(self.activations, NamedColumns) else {}
        for depth, (name, h, documents) in enumerate(self.activations.layers(context)):
            key = self._key(name, h, documents, context)
            path = folder / f"{depth:03d}-{key}.npz"
            current.append(path.name)
            if fabric is not None:
                fabric.barrier()
            if path.is_file():
                continue
            arrays = self._measure_layer(name, h, documents, columns, context, device, fabric)
            if first:
                with whole_file(path) as partial, partial.open("wb") as file:
                    np.savez(file, allow_pickle=False, name=np.asarray(name), **arrays)
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
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _measure_layer(
        self, name: str, h: Tensor, documents: Tensor, columns: Any, context: Context, device: str, fabric: Any
    ) -> dict[str, np.ndarray]:
        constant = set(constant_columns(h))
        dims = torch.tensor([dim for dim in range(h.shape[1]) if dim not in constant])
        if len(dims) < 2:
            raise ValueError(f"{name}: {len(dims)} of {h.shape[1]} columns vary, and pairs need two")
        least, why = rows_needed(self.estimator, self.k)
        (side,) = read_columns((name, h[:, dims] if constant else h), least=least, why=why)
        h, documents = side.values, read_groups(documents, "documents", side)
        measure = pairwise_measure(
            self.estimator, k=self.k, bins=self.bins, binning=self.binning, correction=self.correction, device=device
        )
        prepared = PreparedColumns(measure, h)
        nats = tiled(measure, h, None, fabric, context.bar, f"{self.estimator} {name}", prepared)
        sorts = sort_columns(h.cpu(), self.k, with_scores=self.atlas)
        arrays: dict[str, Any] = {
            "nats": nats,
            "dims": dims,
            "constant": torch.tensor(sorted(constant)),
            "tokens": torch.tensor(len(h)),
            "tied": dims[sorts.mostly_tied()],
        }
        if name in columns:
            arrays["columns"] = np.asarray(columns[name])[dims]
        if self.null != "none":
            scheme = chosen_scheme(documents, self.null)
            arrays["null"] = scheme
            plans = null_plans(documents, scheme, context.generator("null", name), self.draws, len(nats))
            significance = drawn_significance(nats, prepared, plans, fabric, context.bar)
            arrays |= {"p": significance.p, "null_nats": significance.null_nats}
            arrays |= {"z": significance.z, "null_z": significance.null_z}
            arrays["effective"] = bartlett_samples(h, documents, LAGS)
            if isinstance(measure, HistogramPairs | HistogramPairsTorch):
                plug_in, uncorrected = nats, replace(measure, correction="none")
                if self.correction != "none":
                    plug_in = tiled(uncorrected, h, None, fabric, context.bar, f"plug-in {name}", prepared)
                occupied = [measure.occupied(prepared.take(block)) for block in torch.arange(len(nats)).split(TILE)]
                arrays["g_p"] = g_test_columns(plug_in, torch.cat(occupied), arrays["effective"])
        ranked = [("top", nats)]
        if self.atlas:
            scores = torch.from_numpy(sorts.scores).T.to(device)
            ksg, gaussian = score_tables(scores, self.k, device, fabric, context.bar)
            arrays["atlas"], arrays["gaussian"] = (ksg - gaussian).fill_diagonal_(0.0), gaussian.fill_diagonal_(0.0)
            ranked.append(("missed", arrays["atlas"]))
        shown = torch.arange(len(h))
        if len(h) > SHOWN_TOKENS:
            shown = torch.randperm(len(h), generator=context.generator("shown", name))[:SHOWN_TOKENS].sort().values
        for label, matrix in ranked:
            pairs = top_pairs(matrix, TOP)
            arrays[f"{label}_pairs"] = pairs
            arrays[f"{label}_values"] = h[shown][:, pairs].double()  # (tokens, pairs, 2)
        upper = torch.triu_indices(len(nats), len(nats), 1)
        for key in ABOVE_DIAGONAL & arrays.keys():
            arrays[key] = arrays[key][upper[0], upper[1]]
        return {key: np.asarray(value) for key, value in arrays.items()}


def top_pairs(matrix: Tensor, count: int) -> Tensor:
    """(count, 2) indices a < b of the largest entries above the diagonal of a (d, d) matrix."""
    upper = torch.triu_indices(len(matrix), len(matrix), 1)
    best = matrix[upper[0], upper[1]].argsort(descending=True)[:count]
    return upper[:, best].T.contiguous()
