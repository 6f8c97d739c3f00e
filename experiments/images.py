"""How much do two pictures (or sequences) share, which pairs tell most, and would more data find more?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from lmi.experiments.estimate import EstimateExperiment
from lmi.report.learning import learning_curve_figure
from lmi.results import Result
from lmi.types import NATS_PER_BIT, Context, Estimator, Source


@dataclass(frozen=True)
class ImagesExperiment:
    """One source of pictures, one estimator that learns: the number, its evidence, and its learning curve.

    Pairs are shown as two pictures side by side: those that are most and those that are least informative of their partners,
    by the pointwise terms of the estimate.

    Args:
        source: where the pairs come from.
        estimator: what measures them.
        num_samples: how many; ``None`` takes all that a finite source has.
    """

    source: Source
    estimator: Estimator
    num_samples: Annotated[int, Field(ge=2)] | None = None

    def run(self, context: Context) -> Result:
        """Sample, learn, measure, hold against the truth; then draw what the encoders learned from how much."""
        result = EstimateExperiment(self.source, self.estimator, self.num_samples).run(context)
        figures, captions = dict(result.figures), dict(result.captions)
        if "images" in figures:
            captions["images"] = (
                "Pairs of pictures, side by side: those that tell most about their partners, and those that tell least, by "
                "pointwise mutual information."
            )
        shares = {name: result.metrics.get(f"learned_from_{name}_nats") for name in ("quarter", "half", "all")}
        values = [value for value in shares.values() if isinstance(value, float)]
        if len(values) == 3:
            least, most = (result.metrics.get(f"still_missing_{end}_ratio") for end in ("least", "most"))
            missing = (least, most) if isinstance(least, float) and isinstance(most, float) else None
            figures["learning"] = learning_curve_figure([value / NATS_PER_BIT for value in values], missing)
            captions["learning"] = (
                "What encoders of a quarter, a half and all of the training pairs find in the same fresh pairs (KSG, by itself "
                "too low). The band is what infinitely many would find, if what is missing falls as a power of the number "
                "of pairs between -1/2 and -3/2; there is none where the curve does not bend yet."
            )
        return replace(result, experiment="images", figures=figures, captions=captions)
