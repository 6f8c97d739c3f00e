"""What paired encoders maximise, in nats. One objective, one file."""

from lmi.latent.representation.objectives.build import BATCHES as BATCHES
from lmi.latent.representation.objectives.build import Objective as Objective
from lmi.latent.representation.objectives.build import ObjectiveName as ObjectiveName
from lmi.latent.representation.objectives.build import build_objective as build_objective
