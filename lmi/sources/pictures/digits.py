"""The left and the right half of 1797 handwritten digits: real pairs, no known truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lmi.types import Pairs


@dataclass(frozen=True)
class DigitsHalves:
    """scikit-learn's 8 x 8 images, cut down the middle: x and y have 32 pixels each.

    >>> pairs = DigitsHalves().sample(None, torch.Generator())
    >>> pairs.x.shape, pairs.y.shape, pairs.truth
    (torch.Size([1797, 32]), torch.Size([1797, 32]), None)
    """

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """All images, or ``num_samples`` of them drawn without replacement."""
        from sklearn.datasets import load_digits

        images = torch.from_numpy(load_digits().images)
        if num_samples is not None:
            if num_samples > images.shape[0]:
                raise ValueError(f"num_samples={num_samples}, but there are {images.shape[0]} digits")
            images = images[torch.randperm(images.shape[0], generator=generator)[:num_samples]]
        return Pairs(images[:, :, :4].flatten(1), images[:, :, 4:].flatten(1), images=images)
