"""InfoNCE: a neural critic that picks each partner out of a batch. van den Oord, Li, Vinyals (2018)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lmi.neural.neural import NeuralSettings, neural_estimate
from lmi.types import Context, Estimate


@dataclass(frozen=True, kw_only=True)
class InfoNCEEstimator(NeuralSettings):
    """Low variance, and never above the log of the held-out block (6.9 nats for 1000), which is its ceiling."""

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``."""
        return neural_estimate("infonce", self, x, y, context)
