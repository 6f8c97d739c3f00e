"""Encoders: pictures, sequences or columns to a few latents. One encoder, one file."""

from lmi.latent.representation.encoders.build import EncoderName as EncoderName
from lmi.latent.representation.encoders.build import build_encoder as build_encoder
from lmi.latent.representation.encoders.build import encoder_for as encoder_for
