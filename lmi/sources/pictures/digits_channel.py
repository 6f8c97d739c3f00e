"""Real images that share exactly as many bits as a binary channel lets through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from lmi.arguments import sample_count
from lmi.sources.pictures.correlated import correlated_parameters
from lmi.types import NATS_PER_BIT, Pairs


@dataclass(frozen=True)
class DigitsChannel:
    """Two images of handwritten digits: a fair bit says which digit x shows; y shows that of the bit after a noisy channel.

    Each image of a digit is equally likely and the image gives the digit away, so I(X; Y) is that of the bits:
    1 - H2(flip). Resampling as in Gowri et al., NeurIPS (2024). With ``halves`` x shows the left half of its image and y the
    right half of another one: no half of one digit is that of another, also not at another brightness, so each still gives
    its digit away.

    With ``brightness_bits`` each image is multiplied by a number in [1/2, 3/2] of its own, a uniform variable that is
    correlated with its partner's and independent of the bits. Images of the pool are no multiples of one another, so that
    a bright image tells both its digit and its brightness, and the two informations add up.

    Args:
        bits: I(X; Y), from 0 to 1.
        zero: the digit that stands for 0.
        one: the digit that stands for 1.
        halves: whether x shows left halves and y right halves (32 values each).
        brightness_bits: information of the brightnesses, on top of ``bits``.

    >>> DigitsChannel(bits=0.5, halves=True, brightness_bits=1.0).sample(10, torch.Generator().manual_seed(0)).x.shape
    torch.Size([10, 32])
    >>> round(DigitsChannel(bits=0.5).flip, 4)
    0.11
    >>> DigitsChannel(bits=0.5).sample(10, torch.Generator().manual_seed(0)).x.shape
    torch.Size([10, 64])
    """

    bits: Annotated[float, Field(ge=0, le=1)] = 0.5
    zero: Annotated[int, Field(ge=0, le=9)] = 0
    one: Annotated[int, Field(ge=0, le=9)] = 1
    halves: bool = False
    brightness_bits: Annotated[float, Field(ge=0)] = 0.0

    @property
    def flip(self) -> float:
        """Probability that the channel turns the bit over, at most 1/2."""
        low, high = 0.0, 0.5
        for _ in range(60):
            middle = 0.5 * (low + high)
            entropy = 0.0 if middle == 0 else -middle * math.log2(middle) - (1 - middle) * math.log2(1 - middle)
            low, high = (middle, high) if 1 - entropy > self.bits else (low, middle)
        return 0.5 * (low + high)

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs, each image drawn with replacement from those of its digit.

        Raises:
            ValueError: where no number is given, or the digits are the same.
        """
        from sklearn.datasets import load_digits

        num_samples = sample_count(num_samples)
        if self.zero == self.one:
            raise ValueError(f"zero and one must be different digits; got {self.zero} twice")
        digits = load_digits()
        images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.target)
        left, right = (images[:, :, :4], images[:, :, 4:]) if self.halves else (images, images)
        bit = torch.rand(num_samples, generator=generator) < 0.5
        turned = bit ^ (torch.rand(num_samples, generator=generator) < self.flip)

        def show(bits: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
            pools = [shown.flatten(1)[labels == digit] for digit in (self.zero, self.one)]
            out = torch.empty(num_samples, pools[0].shape[1], dtype=images.dtype)
            for value, pool in enumerate(pools):
                chosen = bits == bool(value)
                out[chosen] = pool[torch.randint(pool.shape[0], (int(chosen.sum()),), generator=generator)]
            return out

        x, y = show(bit, left), show(turned, right)
        if self.brightness_bits:
            bright = correlated_parameters(num_samples, 1, self.brightness_bits * NATS_PER_BIT, generator)
            x, y = x * (0.5 + bright.x), y * (0.5 + bright.y)
        return Pairs(x, y, (self.bits + self.brightness_bits) * NATS_PER_BIT)
