"""A network that is known: hubs that drive their targets through curves, among columns that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.types import Context

CURVES = ("line", "parabola", "wave", "step")


@dataclass(frozen=True)
class PlantedNetwork:
    """Independent rows of ``dims`` columns: hub h is normal, its targets are curves of it with noise, the rest is noise.

    The curves are a line, a parabola, a wave and a step in turn, each standardised; of these, the parabola leaves no
    correlation at all. Targets of one hub share something through it: those pairs are dependent but not edges.

    Args:
        dims: columns in all.
        hubs: columns that drive others.
        targets: of each hub.
        rows: samples.
        noise: standard deviation of the noise added to a target, whose curve has 1.
    """

    dims: int = 1000
    hubs: int = 40
    targets: int = 12
    rows: int = 500
    noise: float = 0.5

    def __post_init__(self) -> None:
        if min(self.hubs, self.targets) < 1 or self.hubs * (1 + self.targets) > self.dims or self.rows < 10:
            raise ValueError(
                f"{self.hubs} hubs with {self.targets} targets each need {self.hubs * (1 + self.targets)} columns and "
                f"10 rows; got dims={self.dims} and rows={self.rows}"
            )

    def layers(self, context: Context) -> Iterator[tuple[str, Tensor, Tensor]]:
        """("network", values (rows, dims), documents (rows,)): every row is a document of its own.

        >>> name, h, documents = next(PlantedNetwork(dims=60, hubs=4, rows=20).layers(Context()))
        >>> name, h.shape, len(documents.unique())
        ('network', torch.Size([20, 60]), 20)
        """
        generator = context.generator("planted network")
        h = torch.randn(self.rows, self.dims, generator=generator, dtype=torch.float64)
        for place, (hub, target) in enumerate(self.edges().tolist()):
            h[:, target] = curve(h[:, hub], CURVES[place % len(CURVES)]) + self.noise * h[:, target]
        yield "network", h, torch.arange(self.rows)

    def columns(self) -> dict[str, list[str]]:
        """The names of the columns: hub0, hub0.line0, ..., noise0, ...: what each is."""
        names = [f"hub{hub}" for hub in range(self.hubs)]
        for place in range(self.hubs * self.targets):
            names.append(f"hub{place // self.targets}.{CURVES[place % len(CURVES)]}{place % self.targets}")
        return {"network": names + [f"noise{index}" for index in range(self.dims - len(names))]}

    def edges(self) -> np.ndarray:
        """(hubs * targets, 2) hub and target of each planted edge."""
        hub = np.repeat(np.arange(self.hubs), self.targets)
        return np.stack([hub, self.hubs + np.arange(len(hub))], axis=1)

    def dependent(self) -> np.ndarray:
        """(dims,) the hub that each column goes back to, -1 for noise: pairs with the same one are dependent."""
        origin = np.full(self.dims, -1)
        origin[: self.hubs] = np.arange(self.hubs)
        origin[self.edges()[:, 1]] = self.edges()[:, 0]
        return origin

    def describe(self) -> dict[str, Any]:
        """The settings, for the record."""
        return {"source": "planted network", **asdict(self)}


def curve(x: Tensor, kind: str) -> Tensor:
    """A curve of standard normal x (n,) with mean 0 and variance 1.

    >>> x = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> [bool((curve(x, kind).mean().abs() < 0.02) & ((curve(x, kind).std() - 1).abs() < 0.02)) for kind in CURVES]
    [True, True, True, True]
    """
    if kind == "line":
        return x
    if kind == "parabola":
        return (x.square() - 1) / 2**0.5
    if kind == "wave":
        return (2.0 * x).sin() / ((1 - np.exp(-8.0)) / 2) ** 0.5
    return (x > 0).to(x) * 2 - 1
