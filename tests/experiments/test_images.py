"""``experiment=images``: the number, the pictures that tell most, and the learning curve."""

import pytest

from lmi.experiments.images import ImagesExperiment
from lmi.latent.representation.estimator import RepresentationEstimator
from lmi.sources.pictures.bumps import Bumps
from lmi.types import Context


@pytest.mark.slow
def test_pictures_and_learning_curve_are_shown():
    estimator = RepresentationEstimator(folds=2, max_epochs=6, permutations=0, measure="ksg", latent_dim=4)
    result = ImagesExperiment(Bumps(size=8, bits=2.0), estimator, 1000).run(Context(seed=1))
    assert {"images", "learning", "training", "latents"} <= set(result.figures)
    assert set(result.figures) == set(result.captions)
    assert "side by side" in result.captions["images"]
    assert result.metrics["truth_bits"] == 2.0 and result.metrics["estimate_bits"] > 0.5
    assert len(result.figures["learning"].axes[0].lines[0].get_xdata()) == 3
