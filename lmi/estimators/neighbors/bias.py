"""Where KSG of samples like these is off: values that repeat, and draws from the normal with their correlations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.gaussian.canonical import gaussian_bias
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.plain_thresholds import KSG_BIASED, KSG_BIASED_LEAST, NEIGHBOURS_TIED

SAMPLES_A_COLUMN = 20  # fewer do not tell the correlations that draws need
DETERMINED = 1e-9  # smallest eigenvalue of the correlations of columns that do not determine each other


@dataclass(frozen=True)
class Bias:
    """How far KSG is off at samples like these.

    Args:
        tied: largest share of a column's values that more than k rows have.
        drawn: what KSG says of draws from the normal with the samples' correlations, nats; 0 where they cannot be drawn.
        held: what these draws hold, nats.
        noise: by which ``drawn`` may differ from ``held`` by chance and by fitting the correlations, nats.
    """

    tied: float
    drawn: float
    held: float
    noise: float

    def opened(self, interval: tuple[float, float]) -> tuple[float, float]:
        """The interval, opened by what neighbours miss of the draws, or add to them.

        >>> Bias(0.0, 0.4, 0.5, 0.02).opened((0.3, 0.4))
        (0.3, 0.5)
        """
        missing = self.held - self.drawn
        return interval[0] + min(missing, 0.0), interval[1] + max(missing, 0.0)

    def doubts(self, k: int, half_width: float) -> tuple[str, ...]:
        """Reasons, in words, beside the 90% interval of this half width, nats; of KSG with ``k`` neighbours."""
        if self.tied > NEIGHBOURS_TIED:
            return (
                f"more than {k} rows share a value in {self.tied:.0%} of a column, and neighbours at distance 0 mislead",
            )
        if abs(self.drawn - self.held) <= max(half_width, KSG_BIASED * self.held, KSG_BIASED_LEAST, self.noise):
            return ()
        return (
            f"neighbours say {self.drawn:.2f} nats of draws from the normal with the correlations of these columns, "
            f"which hold {self.held:.2f}",
        )


def ksg_bias(x: Tensor, y: Tensor, k: int, generator: torch.Generator) -> Bias:
    """Ties, and KSG of as many draws from the normal with the correlations of normal scores.

    Nothing is drawn where the samples are too few to know the correlations, or a column is determined by others.

    Args:
        x: (n, dx).
        y: (n, dy).
        k: neighbours.
        generator: draws.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(1000, 3, generator=g, dtype=torch.float64)
    >>> y = x + 0.3 * torch.randn(1000, 3, generator=g, dtype=torch.float64)
    >>> ksg_bias(x, y, 3, g).doubts(3, 0.05)[0][:35]
    'neighbours say 3.09 nats of draws f'
    >>> ksg_bias(x.round(), y, 3, g).doubts(3, 0.05)[0][-32:]
    'neighbours at distance 0 mislead'
    """
    n, dx = x.shape
    columns = dx + y.shape[1]
    tied = max(tied_share(x, k), tied_share(y, k))
    if tied > NEIGHBOURS_TIED or n < SAMPLES_A_COLUMN * columns:
        return Bias(tied, 0.0, 0.0, 0.0)
    correlations = torch.corrcoef(normal_scores(torch.cat((x, y), 1)).T).reshape(columns, columns).nan_to_num()
    variances, axes = torch.linalg.eigh(correlations)
    if variances[0] < DETERMINED:
        return Bias(tied, 0.0, 0.0, 0.0)
    sides = (
        torch.linalg.slogdet(correlations[:dx, :dx]).logabsdet + torch.linalg.slogdet(correlations[dx:, dx:]).logabsdet
    )
    held = 0.5 * float(sides - variances.log().sum())
    z = torch.randn(n, columns, generator=generator, dtype=torch.float64) @ (axes * variances.sqrt()).T
    drawn = float(ksg_pointwise(z[:, :dx], z[:, dx:], k, "ksg1").mean())
    return Bias(tied, drawn, held, gaussian_bias(n, dx, columns - dx))


def tied_share(z: Tensor, k: int) -> float:
    """The largest share of values in a column of z (n, d) that more than k rows have.

    >>> tied_share(torch.tensor([[0.0], [0.0], [0.0], [1.0]]), 2)
    0.75
    """
    ordered = z.sort(0).values
    n = ordered.shape[0]
    if n <= k:
        return 0.0
    starts = ordered[k:] == ordered[:-k]  # the run that starts here is longer than k
    inside = torch.zeros(ordered.shape, dtype=torch.bool)
    for step in range(k + 1):
        inside[step : n - k + step] |= starts
    return float(inside.double().mean(0).max())
