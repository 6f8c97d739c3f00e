"""What do activations cost: time in the first run and the second, disk, and does memory grow with the text?"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from lmi.activations import Activations, LanguageModel
from lmi.activations.text import read_documents
from lmi.experiments.measure import peak_memory_gib
from lmi.results import Result, Scalar
from lmi.types import Context

MEGABYTE = 1e6


LEGEND = {
    "tokens": "rows, one a token",
    "layers": "that were extracted",
    "dims": "of each",
    "first_seconds": "wall time into an empty cache",
    "second_seconds": "wall time from the cache",
    "cache_megabytes": "on the disk, 10^6 bytes",
    "peak_gib": "most memory that the process has held so far",
}


@dataclass(frozen=True)
class ActivationCost:
    """Extract a model's activations from longer and longer texts, each once into an empty cache and once from it.

    Args:
        model: which model.
        num_tokens: rows of each run, in rising order, since the process's peak memory only ever rises.
        batch_size: windows a forward pass.
        window: tokens a window.
    """

    model: LanguageModel = field(default_factory=LanguageModel)
    num_tokens: tuple[int, ...] = (1_000, 10_000, 50_000, 200_000)
    batch_size: int = 8
    window: int = 256

    def run(self, context: Context) -> Result:
        texts = [document.text for document in read_documents()]
        rows: list[dict[str, Scalar]] = []
        with tempfile.TemporaryDirectory(prefix="lmi-activation-cost-") as cache:
            settings = Activations(self.model, batch_size=self.batch_size, window=self.window, cache=cache)
            self._measure(replace(settings, max_tokens=100), context)  # imports and first allocations, not the text's
            for count in context.bar(self.num_tokens, "texts"):
                repeats = 1 + 2 * count // sum(len(text.split()) for text in texts)
                longer = tuple(f"{number}. {' '.join(texts)}" for number in range(repeats))
                rows.append(self._measure(replace(settings, texts=longer, max_tokens=count), context))
        return Result(
            "activation_cost",
            metrics={
                "first_run_tokens_per_second": float(str(rows[-1]["tokens"])) / float(str(rows[-1]["first_seconds"])),
                "second_run_seconds": rows[-1]["second_seconds"],
                "peak_growth_gib": float(str(rows[-1]["peak_gib"])) - float(str(rows[0]["peak_gib"])),
            },
            tables={"cost": rows},
            legend=LEGEND,
            answer=f"{rows[-1]['tokens']} tokens take {float(str(rows[-1]['first_seconds'])):.3g} s the first time and "
            f"{float(str(rows[-1]['second_seconds'])):.3g} s from the cache.",
        )

    def _measure(self, activations: Activations, context: Context) -> dict[str, Scalar]:
        assert activations.cache is not None
        started = time.perf_counter()
        layers = _shapes(activations, context)
        between = time.perf_counter()
        _shapes(activations, context)
        ended = time.perf_counter()
        files = Path(activations.cache).rglob("*.safetensors")
        return {
            "tokens": layers[0][0],
            "layers": len(layers),
            "dims": layers[0][1],
            "first_seconds": between - started,
            "second_seconds": ended - between,
            "cache_megabytes": sum(file.stat().st_size for file in files) / MEGABYTE,
            "peak_gib": peak_memory_gib(),
        }


def _shapes(activations: Activations, context: Context) -> list[tuple[int, int]]:
    return [(layer.shape[0], layer.shape[1]) for _, layer, _ in activations.layers(context)]
