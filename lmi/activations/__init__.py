"""Activations: hidden states and module outputs of torch and Hugging Face models, with a cache on disk."""

from lmi.activations.extract import Activations
from lmi.activations.hooks import capture, matching
from lmi.activations.model import LanguageModel, ModelError
from lmi.activations.record import record
from lmi.activations.sites import block_names, site_modules
from lmi.activations.store import Store, StoreError

__all__ = [
    "Activations",
    "LanguageModel",
    "ModelError",
    "Store",
    "StoreError",
    "block_names",
    "capture",
    "matching",
    "record",
    "site_modules",
]
