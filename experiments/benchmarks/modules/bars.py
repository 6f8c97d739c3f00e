"""How exact and how fast are Jacobian MI and the search for modules? Every bar in one run, ratios side by side."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

import numpy as np
import torch
from pydantic import Field
from sklearn.metrics import adjusted_rand_score
from torch import Tensor, nn

from lmi.estimators.modules.closed_form import gaussian_mi
from lmi.estimators.modules.derivatives import jacobians
from lmi.estimators.modules.jacobian import jacobian_mi
from lmi.estimators.modules.modularity import find_modules
from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.experiments.benchmarks.modules.legend import LEGEND
from lmi.experiments.measure import bar_row, bars_answer, bars_met, peak_memory_gib
from lmi.results import Result, Scalar
from lmi.sources.normal.linear import LinearModules, NormalLinear
from lmi.types import Context

Rows = list[dict[str, Scalar]]
T = TypeVar("T")
LINEAR = ((15, 7, 2), (64, 16, 2), (200, 60, 4), (512, 128, 8))


@dataclass(frozen=True)
class ModulesBars:
    """The measured bars.

    Args:
        ranks: shared directions whose count the noise curve has to find.
        batch: samples of the speed comparison.
        repeats: runs of each side of it; the fastest counts.
        tokens: samples of the block of GPT-2's size; 0 leaves it out.
        planted_seeds: layers with planted modules to recover.
        planted_samples: samples of each.
    """

    ranks: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 5, 10, 20)
    batch: Annotated[int, Field(ge=1)] = 64
    repeats: Annotated[int, Field(ge=1)] = 5
    tokens: Annotated[int, Field(ge=0)] = 128
    planted_seeds: Annotated[int, Field(ge=0)] = 10
    planted_samples: Annotated[int, Field(ge=100)] = 5000

    def run(self, context: Context) -> Result:
        """A table for each bar."""
        tables: dict[str, Rows] = {
            "Jacobian against closed form": self._linear(context),
            "slope of I(sigma) for a known shared rank": self._slopes(context),
            "batched Jacobian against the autograd loop": self._speed(context),
        }
        if self.tokens:
            tables["block of GPT-2's size"] = self._block(context)
        if self.planted_seeds:
            tables["planted modules"] = self._planted(context)
        bars = _judge(tables)
        answer, tables = bars_answer(bars), {"bars": bars, **tables}
        return Result("modules_bars", bars_met(bars), tables=tables, legend=LEGEND, answer=answer)

    def _linear(self, context: Context) -> Rows:
        rows: Rows = []
        for inputs, outputs, count in LINEAR:
            layer, labels = LinearModules(
                inputs, (outputs // count,) * (count - 1) + (outputs - outputs // count * (count - 1),)
            ).build()
            truth = gaussian_mi(layer.cov, labels)
            x = layer.inputs(4, context.generator("linear", inputs))
            errors = [
                abs(jacobian_mi(layer, x.to(dtype), labels).nats / truth - 1)
                for dtype in (torch.float64, torch.float32)
            ]
            rows.append(
                {
                    "layer": f"{inputs} -> {outputs}",
                    "modules": count,
                    "closed form (nats)": truth,
                    "float64 error (ratio)": errors[0],
                    "float32 error (ratio)": errors[1],
                }
            )
        return rows

    def _slopes(self, context: Context) -> Rows:
        rows: Rows = []
        for rank in self.ranks:
            layer, labels = shared_layer(rank, 2 * max(self.ranks) + 4, context.generator("shared", rank))
            x = layer.inputs(2, context.generator("linear"))
            for dtype, sigmas in (
                (torch.float64, torch.logspace(-6, 0, 25)),
                (torch.float32, torch.logspace(-3.5, 0, 15)),
            ):
                curve = jacobian_mi(layer, x.to(dtype), labels, noise=sigmas)
                rows.append(
                    {
                        "shared rank": rank,
                        "type": str(dtype).removeprefix("torch."),
                        "slope": curve.shared_directions,
                        "error (ratio)": abs(curve.shared_directions / rank - 1),
                        "finite part (nats)": curve.finite_nats,
                        "warnings": len(curve.warnings),
                    }
                )
        return rows

    def _speed(self, context: Context) -> Rows:
        net = mlp((256, 512, 256), context.generator("weights"))
        x = torch.randn(self.batch, 256, generator=context.generator("inputs"))

        def loop() -> Tensor:
            return torch.stack([torch.autograd.functional.jacobian(net, sample) for sample in x])

        def batched() -> Tensor:
            return torch.cat([block for _, block in jacobians(net, x)])

        batched()  # the first call pays for one-off set-up of torch.func
        looped = [_timed(loop) for _ in range(self.repeats)]
        chunked = [_timed(batched) for _ in range(self.repeats)]
        expected, value = looped[0][0], chunked[0][0]
        (loop_wall, loop_cpu), (wall, cpu) = (
            (min(run[1] for run in runs), min(run[2] for run in runs)) for runs in (looped, chunked)
        )
        return [
            {
                "network": "256-512-256",
                "batch": self.batch,
                "loop (s)": loop_wall,
                "batched (s)": wall,
                "times faster": loop_wall / wall,
                "loop (CPU s)": loop_cpu,
                "batched (CPU s)": cpu,
                "times less CPU": loop_cpu / cpu,
                "largest difference": float((value - expected).abs().max() / expected.abs().max()),
            }
        ]

    def _block(self, context: Context) -> Rows:
        net = mlp((768, 3072, 768), context.generator("block"))
        x = torch.randn(self.tokens, 768, generator=context.generator("tokens"))
        labels = torch.arange(768) // 192
        rows: Rows = []
        for name, noise, dtype in (
            ("I(sigma), 9 values", torch.logspace(-3, 1, 9), torch.float32),
            ("noiseless", None, torch.float64),
        ):
            local, wall, cpu = _timed(partial(jacobian_mi, net, x, labels, noise, dtype=dtype))
            rows.append(
                {
                    "block": "768-3072-768",
                    "tokens": self.tokens,
                    "asked": name,
                    "type": str(dtype).removeprefix("torch."),
                    "seconds": wall,
                    "CPU seconds": cpu,
                    "peak of the process (GiB)": peak_memory_gib(),
                    "nats": local.nats,
                }
            )
        return rows

    def _planted(self, context: Context) -> Rows:
        rows: Rows = []
        graphs: dict[str, Callable[[Tensor], Tensor]] = {
            "KSG, 30 neighbours": lambda y: pairwise_mi(y, k=30),
            "Gaussian": lambda y: pairwise_mi(y, estimator="gaussian"),
        }
        for coupling, graph in itertools.product((0.0, 0.1, 0.2, 0.4), graphs):
            exact, agreement = 0, []
            for seed in range(self.planted_seeds):
                here = context.child("planted", seed)
                source = LinearModules(80, (12, 12, 12, 12), coupling, here.derive("weights"), shuffled=True)
                layer, labels = source.build()
                y = layer(layer.inputs(self.planted_samples, here.generator("samples")))
                partition = find_modules(graphs[graph](y), 4, seed)
                agreement.append(float(adjusted_rand_score(labels.numpy(), partition.numpy())))
                exact += agreement[-1] == 1.0
            rows.append(
                {
                    "weights from other modules' inputs": coupling,
                    "graph": graph,
                    "recovered exactly": exact,
                    "of": self.planted_seeds,
                    "mean adjusted Rand index": float(np.mean(agreement)),
                }
            )
        return rows


def _timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """Its result, wall seconds and CPU seconds: the second say what other load on the machine hides."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def shared_layer(rank: int, side: int, generator: torch.Generator) -> tuple[NormalLinear, Tensor]:
    """Two modules of ``side`` neurons whose weights span spaces with exactly ``rank`` common dimensions, and labels."""
    width = 2 * side - rank
    basis = torch.linalg.qr(torch.randn(2 * side, 2 * side, generator=generator, dtype=torch.float64)).Q[:width]
    mix = torch.randn(2, side, side, generator=generator, dtype=torch.float64)
    other = torch.cat([basis[:rank], basis[side:]])
    return NormalLinear(torch.cat([mix[0] @ basis[:side], mix[1] @ other])), torch.arange(2).repeat_interleave(side)


def mlp(widths: tuple[int, int, int], generator: torch.Generator) -> nn.Sequential:
    """Linear, GELU, linear with Gaussian weights of variance 1 / inputs."""
    net = nn.Sequential(nn.Linear(widths[0], widths[1]), nn.GELU(), nn.Linear(widths[1], widths[2]))
    for layer in (net[0], net[2]):
        assert isinstance(layer, nn.Linear)
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
        nn.init.zeros_(layer.bias)
    return net


def _judge(tables: dict[str, Rows]) -> Rows:
    def worst(table: str, column: str, **only: Scalar) -> float:
        rows = [row for row in tables[table] if all(row[name] == value for name, value in only.items())]
        return max(float(row[column] or 0.0) for row in rows)

    linear, slope = "Jacobian against closed form", "slope of I(sigma) for a known shared rank"
    speed = tables["batched Jacobian against the autograd loop"][0]
    closed = "Jacobian against closed form"
    errors = [worst(linear, f"{kind} error (ratio)") for kind in ("float64", "float32")]
    faster, difference = (float(speed[name] or 0.0) for name in ("times faster", "largest difference"))
    bars = [
        bar_row(f"float64 {closed}", errors[0], "of the value", "<=", 1e-8),
        bar_row(f"float32 {closed}", errors[1], "of the value", "<=", 1e-4),
        bar_row("slope against shared rank", worst(slope, "error (ratio)"), "of the rank", "<=", 0.02),
        bar_row("batched Jacobian than the loop", faster, "times faster", ">=", 10.0),
        bar_row("batched Jacobian from the loop", difference, "of the value", "<=", 1e-5),
    ]
    block = "block of GPT-2's size"
    if block in tables:
        bars.append(bar_row(block, worst(block, "seconds"), "s", "<=", 60.0))
        bars.append(bar_row(block, worst(block, "peak of the process (GiB)"), "GiB", "<=", 3.7))
    if "planted modules" in tables:
        rows = tables["planted modules"][:4]
        missed = sum(int(row["of"] or 0) - int(row["recovered exactly"] or 0) for row in rows)
        bars.append(bar_row("planted modules missed, coupling up to 0.1", missed, "modules", "<=", 0))
    return bars
