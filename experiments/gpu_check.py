"""Do the GPU paths of this machine give the CPU's numbers, how fast, and how near to what the card can do?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmi.api import estimate
from lmi.arguments import checked_device
from lmi.estimators.modules.jacobian import jacobian_mi
from lmi.estimators.neighbors.search import nearest
from lmi.estimators.pairwise.gaussian import rank_normal
from lmi.estimators.pairwise.histogram_pairs import HistogramPairsTorch
from lmi.estimators.pairwise.matrix import PairEstimator, pairwise_measure, tiled
from lmi.estimators.pairwise.prepared import Measure
from lmi.estimators.significance.effective import effective_samples
from lmi.experiments.gpu_ddp import spread_training
from lmi.experiments.measure import bars_met
from lmi.latent.trainer import TrainerSettings
from lmi.report.legend import GPU
from lmi.results import Result
from lmi.types import Context

KSG_STEPS = 58  # steps of a 32-lane warp for a point at 1,024 rows, simulated
KSG_INSTRUCTIONS = 25  # of a step, counted in the compiled kernel: an estimate


@dataclass(frozen=True)
class Path:
    """One way through the device.

    Args:
        name: of it.
        unit: what is counted.
        count: how many of it.
        work: on a device, gives what is compared.
        tolerance: largest difference from the CPU; ``None`` where there is nothing to compare.
        limit: units a second at most; ``None`` where no limit is known.
    """

    name: str
    unit: str
    count: float
    work: Callable[[str], Any]
    tolerance: float | None = 1e-9
    limit: float | None = None


@dataclass(frozen=True)
class GpuCheck:
    """Every GPU path: parity with the CPU, time, units a second, share of the roofline.

    Args:
        device: "auto" is the first CUDA device, and an error where there is none; "cpu" runs the parity of what runs
            anywhere, without a GPU.
        dims: columns.
        rows: of KSG, neighbours and the trained latents.
        long_rows: of histogram, Gaussian and the rest.
        repeats: times each is run; the fastest counts.
        train: whether a latent is trained in float32 and bfloat16.
    """

    device: str = "auto"
    dims: int = 768
    rows: int = 1024
    long_rows: int = 100_000
    repeats: int = 3
    train: bool = True

    def run(self, context: Context) -> Result:
        """Measure.

        Raises:
            ValueError: where device is "auto" and there is no GPU.
        """
        if self.device == "auto" and not torch.cuda.is_available():
            raise ValueError(
                "gpu_check found no CUDA device on this machine, so nothing was checked; experiment.device=cpu checks the "
                "parity of the paths that run anywhere"
            )
        device = checked_device(self.device)
        peaks = measured_peaks(device)
        rows = [self._measured(path, device) for path in self._paths(context, device, peaks)]
        bars = [{"what": row["path"], "met": row["equal"]} for row in rows if row["equal"] is not None]
        unequal = [str(row["what"]) for row in bars if not row["met"]]
        name = torch.cuda.get_device_name() if device.startswith("cuda") else "CPU, no GPU"
        return Result(
            "gpu_check",
            {"device": name, **bars_met(bars), **{f"peak_{key}": value for key, value in peaks.items()}},
            tables={"paths": rows},
            legend=GPU,
            notes=(
                f"{name}; peaks are measured on it: products of 4,096 x 4,096 matrices and a copy of 1 GiB",
                f"the limit of KSG is an estimate: {KSG_STEPS} warp steps of {KSG_INSTRUCTIONS} instructions for 32 points",
            ),
            answer=(
                f"{len(bars) - len(unequal)} of {len(bars)} paths on {name} give the CPU's numbers"
                + (f"; these do not: {', '.join(unequal)}." if unequal else ".")
            ),
        )

    def _measured(self, path: Path, device: str) -> dict[str, Any]:
        path.work(device)  # compiled before anything is timed
        seconds = []
        for _ in range(self.repeats):
            started = time.perf_counter()
            values = path.work(device)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
        difference, equal = None, None
        if path.tolerance is not None:
            difference = float((values.cpu().double() - path.work("cpu").double()).nan_to_num(posinf=0.0).abs().max())
            equal = difference <= path.tolerance
        per_second = path.count / min(seconds)
        return {
            "path": path.name,
            "difference": difference,
            "equal": equal,
            "seconds": min(seconds),
            "unit": path.unit,
            "per_second": per_second,
            "roofline_ratio": None if path.limit is None else per_second / path.limit,
        }

    def _paths(self, context: Context, device: str, peaks: dict[str, float]) -> list[Path]:
        generator = context.generator("gpu check")
        short = torch.randn(self.rows, self.dims, generator=generator, dtype=torch.float64)
        long = torch.randn(self.long_rows, self.dims, generator=generator, dtype=torch.float64)
        long[:, 1::2] = 0.5 * long[:, ::2][:, : long[:, 1::2].shape[1]] + long[:, 1::2]
        short[:, ::7] = short[:, ::7].round(decimals=1)  # ties
        documents = torch.arange(self.long_rows) // max(1, self.long_rows // 100)
        pairs = self.dims * (self.dims - 1) / 2
        wide = self.dims * 16

        def pairs_of(measure: Callable[[str], Measure], h: Tensor) -> Callable[[str], Tensor]:
            return lambda where: tiled(measure(where), h.to(where))

        def named(estimator: PairEstimator) -> Callable[[str], Measure]:
            return lambda where: pairwise_measure(estimator, device=where)

        def one_hot(where: str) -> Measure:
            is_reference = where == "cpu" and device != "cpu"
            return pairwise_measure("histogram", device="cpu") if is_reference else HistogramPairsTorch(device=where)

        small, large = f"{self.dims} x {self.rows}", f"{self.dims} x {self.long_rows}"
        splined = (15 * self.dims) ** 2 * self.rows
        limits = {
            "ksg": peaks["ksg"] / self.rows if "ksg" in peaks else None,
            "histogram": peaks["int8"] * pairs / (2 * wide**2 * self.long_rows),
            "gaussian": peaks["float64"] * pairs / (2 * self.dims**2 * self.long_rows),
            "bspline": peaks["float64"] * pairs / (2 * splined),
        }
        positive = short.clamp(min=0)
        checks = [
            (f"ksg, {small}", "ksg", pairs_of(named("ksg"), short)),
            (f"histogram, {large}", "histogram", pairs_of(one_hot, long)),
            (f"gaussian, {large}", "gaussian", pairs_of(named("gaussian"), long)),
            (f"bspline, {small}", "bspline", pairs_of(named("bspline"), short)),
            (f"cofiring, {small}", "cofiring", pairs_of(named("cofiring"), positive)),
        ]
        paths = [Path(name, "pairs", pairs, work, 1e-9, limits.get(key)) for name, key, work in checks]
        values = self.long_rows * self.dims

        def autocorrelated(where: str) -> Tensor:
            return torch.as_tensor(effective_samples(long.to(where), documents))

        paths += [
            Path("normal scores", "values", values, lambda where: rank_normal(long.to(where)), 0.0),
            Path("effective samples", "pairs", pairs, autocorrelated, 1e-6),
            Path(
                "neighbours, 16 dimensions", "points", self.rows, lambda where: nearest(short[:, :16].to(where), 3)[0]
            ),
            Path("Jacobians", "rows", self.rows, _jacobians(short[:, :32]), 1e-6),
        ]
        if self.train and device.startswith("cuda"):
            for precision in ("32-true", "bf16-mixed"):
                paths.append(
                    Path(f"latent training, {precision}", "fits", 1.0, _training(short, precision, context), None)
                )
        cards = torch.cuda.device_count() if device.startswith("cuda") else 1
        if cards > 1:
            paths.append(Path(f"DDP, {cards} GPUs, processes started too", "fits", 1.0, _spread(short, cards)))
        return paths


def _spread(h: Tensor, cards: int) -> Callable[[str], Tensor]:
    rows = h[: len(h) // cards * cards]
    return lambda where: spread_training(rows, 1, "cpu") if where == "cpu" else spread_training(rows, cards, "cuda")


def measured_peaks(device: str) -> dict[str, float]:
    """Operations a second of products in float64 and int8, bytes a second of a copy, and KSG points a second at most."""
    is_gpu = device.startswith("cuda")
    side = 4096 if is_gpu else 256

    def rate(work: Callable[[], Any], amount: float) -> float:
        work()
        best = float("inf")
        for _ in range(3):
            started = time.perf_counter()
            work()
            if is_gpu:
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - started)
        return amount / best

    doubles = torch.ones(side, side, dtype=torch.float64, device=device)
    bytes_ = torch.ones(side, side, dtype=torch.int8, device=device)
    copied = torch.ones(2**27 if is_gpu else 2**20, dtype=torch.float64, device=device)
    peaks = {
        "float64": rate(lambda: doubles @ doubles, 2 * side**3),
        "int8": rate(lambda: torch._int_mm(bytes_, bytes_.T), 2 * side**3),
        "bytes": rate(copied.clone, 2 * 8 * copied.numel()),
    }
    if is_gpu:
        card = torch.cuda.get_device_properties(torch.device(device))
        clock = 1e3 * getattr(card, "clock_rate", 1.7e6)
        peaks["ksg"] = card.multi_processor_count * 4 * clock * 32 / (KSG_STEPS * KSG_INSTRUCTIONS)
    return peaks


def _jacobians(x: Tensor) -> Callable[[str], Tensor]:
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(x.shape[1], 16, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))

    def work(where: str) -> Tensor:
        network = torch.nn.Sequential(layer, torch.nn.Tanh()).to(where)
        local = jacobian_mi(network, x.to(where), [0] * 8 + [1] * 8, noise=0.1)
        return torch.as_tensor(local.pointwise)

    return work


def _training(h: Tensor, precision: Any, context: Context) -> Callable[[str], Any]:
    trainer = TrainerSettings(accelerator="gpu", precision=precision)
    half = h.shape[1] // 2
    return lambda where: estimate(h[:, :half], h[:, half:], "latent", trainer=trainer, context=Context(context.seed))
