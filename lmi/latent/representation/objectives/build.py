"""Which objective, by its name."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from lmi.estimators.bounds.bounds import donsker_varadhan, infonce
from lmi.latent.representation.encoders.weights import seeded
from lmi.latent.representation.objectives.cca import CanonicalObjective
from lmi.latent.representation.objectives.cross import CrossObjective
from lmi.latent.representation.objectives.scored import ScoredObjective
from lmi.latent.representation.objectives.smile import smile_that_trains

ObjectiveName = Literal["cca", "cross", "infonce", "mine", "smile"]
# latents (b, l), (b, l) and the scaled samples (b, *shape), (b, *shape) that they are of -> () nats to be maximised
Objective = nn.Module
# Samples a step: a covariance wants many; a critic is the better regularised by many steps on few.
BATCHES: dict[ObjectiveName, int] = {"cca": 500, "cross": 125, "infonce": 125, "mine": 500, "smile": 250}
Shapes = tuple[tuple[int, ...], tuple[int, ...]]


def build_objective(name: ObjectiveName, latent_dim: int, shapes: Shapes, generator: torch.Generator) -> Objective:
    """The objective of latents of both sides; its networks, where it has some, start from ``generator``.

    Args:
        name: which.
        latent_dim: latents of each side.
        shapes: of a sample of X and of Y, which ``cross`` predicts; the others do not look at them.
        generator: draws the first weights.
    """
    if name == "cca":
        return CanonicalObjective()
    if name == "cross":
        return seeded(lambda: CrossObjective(latent_dim, shapes), generator)
    bound = {"infonce": infonce, "mine": donsker_varadhan, "smile": smile_that_trains}[name]
    return seeded(lambda: ScoredObjective(bound, latent_dim), generator)
