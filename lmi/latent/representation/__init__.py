"""``representation``: encoders that fit the data, objectives that train them, and what the latents of fresh pairs say."""

from lmi.latent.representation.estimator import RepresentationEstimator as RepresentationEstimator
