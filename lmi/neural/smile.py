"""SMILE: Donsker-Varadhan with a clipped partition term. Song and Ermon, ICLR (2020)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lmi.neural.neural import NeuralSettings, neural_estimate
from lmi.types import Context, Estimate


@dataclass(frozen=True, kw_only=True)
class SMILEEstimator(NeuralSettings):
    """Clipping to +-5 keeps the variance small and gives up the guarantee of a lower bound where I exceeds 5 nats."""

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``."""
        return neural_estimate("smile", self, x, y, context)
