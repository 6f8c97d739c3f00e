"""MINE: a neural critic fitted to the Donsker-Varadhan bound. Belghazi et al., ICML (2018)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lmi.neural.neural import NeuralSettings, neural_estimate
from lmi.types import Context, Estimate


@dataclass(frozen=True, kw_only=True)
class MINEEstimator(NeuralSettings):
    """E_joint[f] - log E_product[exp f]: a lower bound whose variance grows as exp(I)."""

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``."""
        return neural_estimate("mine", self, x, y, context)
