"""Columns with known dependence and known autocorrelation, in layers: what a language model would give, without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from lmi.types import Context


@dataclass(frozen=True)
class PlantedColumns:
    """Gaussian columns of which pairs (0, 1), (2, 3), ... depend on each other, linearly first, then as a parabola.

    Along a document each column is a stationary first-order autoregression; documents start afresh.

    Args:
        dims: columns.
        num_layers: independent repetitions; the planted dependence grows over them to its full strength.
        num_documents: documents.
        tokens: rows of a document.
        autocorrelation: correlation of neighbouring rows of a column.
        linear_pairs: pairs with correlation ``correlation``.
        parabola_pairs: pairs (x, x^2 + noise), which covariance does not see.
        correlation: correlation of the linear pairs in the last layer.
    """

    dims: int = 32
    num_layers: int = 3
    num_documents: int = 8
    tokens: int = 64
    autocorrelation: float = 0.5
    linear_pairs: int = 4
    parabola_pairs: int = 4
    correlation: float = 0.9

    def layers(self, context: Context) -> Iterator[tuple[str, Tensor, Tensor]]:
        """(name, values (n, dims), documents (n,)) of each layer.

        >>> name, h, documents = next(PlantedColumns(dims=16, tokens=5).layers(Context()))
        >>> name, h.shape, documents[:6].tolist()
        ('planted.0', torch.Size([40, 16]), [0, 0, 0, 0, 0, 1])
        """
        if 2 * (self.linear_pairs + self.parabola_pairs) > self.dims:
            raise ValueError(
                f"{self.linear_pairs} linear and {self.parabola_pairs} parabola pairs need more than dims={self.dims}"
            )
        documents = torch.arange(self.num_documents).repeat_interleave(self.tokens)
        for layer in range(self.num_layers):
            h = self._columns(context.generator("planted", layer))
            rho = self.correlation * (layer + 1) / self.num_layers
            for pair in range(self.linear_pairs):
                h[:, 2 * pair + 1] = rho * h[:, 2 * pair] + (1 - rho**2) ** 0.5 * h[:, 2 * pair + 1]
            for pair in range(self.linear_pairs, self.linear_pairs + self.parabola_pairs):
                bent = (h[:, 2 * pair].square() - 1) / 2**0.5
                h[:, 2 * pair + 1] = rho * bent + (1 - rho**2) ** 0.5 * h[:, 2 * pair + 1]
            yield f"planted.{layer}", h, documents

    def _columns(self, generator: torch.Generator) -> Tensor:
        noise = torch.randn(self.tokens, self.num_documents, self.dims, generator=generator, dtype=torch.float64)
        rows = [noise[0]]
        for step in noise[1:]:
            rows.append(self.autocorrelation * rows[-1] + (1 - self.autocorrelation**2) ** 0.5 * step)
        return torch.stack(rows, 1).flatten(0, 1)

    def describe(self) -> dict[str, Any]:
        """The settings, for the record."""
        return {"source": "planted columns", **asdict(self)}
