"""The cases of the accuracy suites: sources with a known truth, each with a number of samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from lmi.experiments.benchmarks.accuracy.case import Case
from lmi.experiments.benchmarks.accuracy.composed import composed_cases
from lmi.experiments.benchmarks.accuracy.field import field_cases
from lmi.experiments.benchmarks.accuracy.unstructured import unstructured_cases
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.normal.mixtures import NormalMixture
from lmi.sources.normal.pushforward import Pushforward
from lmi.sources.normal.student import StudentT
from lmi.sources.pictures.digits_channel import DigitsChannel
from lmi.types import NATS_PER_BIT

Suite = Literal[
    "gaussian_grid",
    "nuisance_grid",
    "latents",
    "samples",
    "high_mi",
    "collinear",
    "heavy_tails",
    "mixtures",
    "real",
    "field",
    "composed",
    "unstructured",
]

# Every so-manieth case: a few spread over the suite.
STEP_OF_A_FEW: dict[Suite, int] = {
    "gaussian_grid": 47,
    "nuisance_grid": 47,
    "latents": 3,
    "samples": 11,
    "high_mi": 7,
    "collinear": 5,
    "heavy_tails": 5,
    "mixtures": 5,
    "real": 3,
}


def cases_of(suite: Suite, every: int = 1) -> list[Case]:
    """Every so-manieth case of a suite, in a fixed order; 0 takes a few spread over it, of long groups one a group."""
    if suite in ("field", "composed", "unstructured") and not every:
        return list({case.group: case for case in reversed(SUITES[suite]())}.values())[::-1]
    return SUITES[suite]()[:: every or STEP_OF_A_FEW[suite]]


def _twins(name: str, group: str, source: LowRankGaussian, num_samples: int) -> list[Case]:
    return [
        Case(f"{name}-linear", f"{group}linear", source, num_samples),
        Case(f"{name}-nonlinear", f"{group}nonlinear", Pushforward(source, ("coordinates",)), num_samples),
    ]


def _gaussian_grid() -> list[Case]:
    return [
        case
        for dim in (10, 100, 1000, 5000)
        for rank in (1, 3, 5, 7, 9)
        for bits in (0.0, 0.5, 1.0, 1.5, 2.0)
        for case in _twins(
            f"d{dim}-r{rank}-{bits:g}bits", "", LowRankGaussian(rank=rank, bits=bits, x_dim=dim, y_dim=dim), 2000
        )
    ]


def _nuisance_grid() -> list[Case]:
    return [
        case
        for dim in (20, 100, 1000, 5000)
        for rank in (1, 3, 5, 7, 9)
        for bits in (0.0, 0.5, 1.0, 1.5, 2.0)
        for case in _twins(
            f"d{dim}-r{rank}-{bits:g}bits-loud",
            "loud ",
            LowRankGaussian(rank=rank, bits=bits, x_dim=dim, y_dim=dim, nuisance_dims=rank, nuisance_scale=2.0),
            2000,
        )
    ]


def _latents() -> list[Case]:
    return [
        case
        for rank, bits in ((1, 0.0), (1, 2.0), (4, 2.0), (8, 2.0), (8, 4.0))
        for case in _twins(
            f"r{rank}-{bits:g}bits", "", LowRankGaussian(rank=rank, bits=bits, x_dim=200, y_dim=200), 2000
        )
    ]


def _samples() -> list[Case]:
    return [
        case
        for n in (250, 500, 1000, 2000, 5000, 10_000, 20_000)
        for rank in (1, 4, 8)
        for case in _twins(f"n{n}-r{rank}", f"n={n} ", LowRankGaussian(rank=rank, bits=1.5, x_dim=50, y_dim=50), n)
    ]


def _high_mi() -> list[Case]:
    return [
        case
        for dim in (1, 2, 3)
        for nats in (1, 2, 3, 4, 5, 6, 8, 10)
        for case in _twins(
            f"d{dim}-{nats}nats",
            "up to 5 nats " if nats <= 5 else "above 5 nats ",
            LowRankGaussian(rank=dim, bits=nats / NATS_PER_BIT, x_dim=dim, y_dim=dim),
            10_000,
        )
    ]


def _collinear() -> list[Case]:
    return [
        case
        for condition in (10, 100, 1000)
        for dim in (2, 3, 5, 8)
        for nats in (1, 3)
        for case in _twins(
            f"c{condition}-d{dim}-{nats}nats",
            f"condition {condition} ",
            LowRankGaussian(rank=dim, bits=nats / NATS_PER_BIT, x_dim=dim, y_dim=dim, condition=condition),
            5000,
        )
    ]


def _heavy_tails() -> list[Case]:
    return [
        Case(f"d{dim}-df{degrees}-rho{rho:g}", f"d={dim}", StudentT(dim, degrees, rho), 5000)
        for dim in (1, 2, 3, 5)
        for degrees in (1, 2, 3, 5)
        for rho in (0.0, 0.5, 0.8)
    ]


def _mixtures() -> list[Case]:
    return [
        Case(f"d{dim}-m{count}-s{apart:g}", f"d={dim}", NormalMixture(dim, count, apart, 100 * dim + count), 5000)
        for dim in (1, 2, 3, 5)
        for count in (2, 3, 5)
        for apart in (1.0, 2.0, 4.0)
    ]


def _real() -> list[Case]:
    return [
        Case(f"digits{zero}{one}-{bits:g}bits", f"digits {zero} and {one}", DigitsChannel(bits, zero, one), 1500)
        for zero, one in ((0, 1), (3, 8))
        for bits in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]


SUITES: dict[str, Callable[[], list[Case]]] = {
    "gaussian_grid": _gaussian_grid,
    "nuisance_grid": _nuisance_grid,
    "latents": _latents,
    "samples": _samples,
    "high_mi": _high_mi,
    "collinear": _collinear,
    "heavy_tails": _heavy_tails,
    "mixtures": _mixtures,
    "real": _real,
    "field": field_cases,
    "composed": composed_cases,
    "unstructured": unstructured_cases,
}
