"""Latent MI: paired encoders trained with Lightning, and KSG in the representation that they learn."""

from lmi.latent.estimator import LatentEstimator as LatentEstimator
from lmi.latent.trainer import TrainerSettings as TrainerSettings
