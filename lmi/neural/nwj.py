"""NWJ: a neural critic fitted to the f-divergence bound. Nguyen, Wainwright, Jordan, IEEE Trans. Inf. Theory (2010)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lmi.neural.neural import NeuralSettings, neural_estimate
from lmi.types import Context, Estimate


@dataclass(frozen=True, kw_only=True)
class NWJEstimator(NeuralSettings):
    """E_joint[f] - E_product[exp(f - 1)]: unbiased for its critic; its variance grows as exp(I)."""

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``."""
        return neural_estimate("nwj", self, x, y, context)
