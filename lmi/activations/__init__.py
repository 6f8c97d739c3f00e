"""Activations: hidden states and module outputs of torch and Hugging Face models, with a cache on disk."""
