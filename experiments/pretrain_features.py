"""How much of a layer's activations does a dictionary of sparse features explain?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch

from lmi.experiments.features import (
    Activity,
    FeatureTraining,
    corpus_activations,
    encoded,
    fit_dictionary,
    one_layer,
    save_dictionary,
    settings_of,
)
from lmi.latent.trainer import TrainerSettings
from lmi.report.cofiring import LEGEND, firing_rates
from lmi.results import Result
from lmi.types import Context

FOLDER = "dictionary"


@dataclass(frozen=True)
class PretrainFeatures:
    """Train a top-k dictionary on the activations of one layer; ``experiment=cofiring`` reads the folder it leaves.

    Args:
        activations: of one layer; or files, of one matrix (``activations=arrays``).
        training: the dictionary and how it is trained.
        trainer: where.
        packages: without texts, files and folder in ``activations``, the docstrings of these are read.
        max_documents: of them, at most.
    """

    activations: Activity
    training: FeatureTraining = field(default_factory=FeatureTraining)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    packages: tuple[str, ...] = ("scipy", "sklearn")
    max_documents: int | None = 600

    def run(self, context: Context) -> Result:
        """Train on nine tenths of the documents, judge on the others."""
        started = time.perf_counter()
        layer, h, documents = one_layer(
            corpus_activations(self.activations, self.packages, self.max_documents), context
        )
        held_out = documents % 10 == 9
        if held_out.all() or not held_out.any():
            held_out = torch.arange(len(h)) % 10 == 9
        dictionary = fit_dictionary(h[~held_out], self.training, self.trainer, context)
        fresh = h[held_out].float()
        with torch.no_grad():
            missed = (dictionary(fresh) - fresh).square().sum() / (fresh - fresh.mean(0)).square().sum()
        fires = np.bincount(encoded(dictionary, h).indices, minlength=self.training.features)
        if context.folder is not None:
            save_dictionary(dictionary, context.folder / FOLDER, settings_of(self.training, layer))
        metrics = {
            "explained_ratio": 1 - float(missed),
            "features_count": self.training.features,
            "silent_features_count": int((fires == 0).sum()),
            "tokens_count": len(h),
            "seconds": time.perf_counter() - started,
        }
        return Result(
            "pretrain_features",
            metrics,
            {"fires": fires},
            {"dictionary": [{"layer": layer, **metrics}]},
            {"firing": firing_rates(fires / len(h))},
            {"firing": "How often each feature fires, the most frequent first."},
            legend=LEGEND,
            answer=(
                f"{self.training.active} of {self.training.features} features explain {metrics['explained_ratio']:.1%} of "
                f"the variance of {layer} on documents that training never saw."
            ),
        )
