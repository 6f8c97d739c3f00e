"""Which objective, by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from lmi.latent.encoders.weights import seeded
from lmi.latent.objectives.cca import CanonicalObjective
from lmi.latent.objectives.infonce import InfoNCEObjective
from lmi.latent.objectives.mine import MINEObjective
from lmi.latent.objectives.smile import SMILEObjective

ObjectiveName = Literal["cca", "infonce", "mine", "smile"]
Objective = nn.Module  # (b, l), (b, l) -> () nats to be maximised

OBJECTIVES: dict[str, Callable[[int], nn.Module]] = {
    "cca": lambda latent_dim: CanonicalObjective(),
    "infonce": InfoNCEObjective,
    "mine": MINEObjective,
    "smile": SMILEObjective,
}


def build_objective(name: ObjectiveName, latent_dim: int, generator: torch.Generator) -> Objective:
    """The objective of latents (b, latent_dim) of both sides; its critic, where it has one, starts from ``generator``."""
    return seeded(lambda: OBJECTIVES[name](latent_dim), generator)
