"""Real images that share exactly as many bits as a binary channel lets through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from lmi.types import NATS_PER_BIT, Pairs


@dataclass(frozen=True)
class DigitsChannel:
    """Two images of handwritten digits: a fair bit says which digit x shows; y shows that of the bit after a noisy channel.

    Each image of a digit is equally likely and the image gives the digit away, so I(X; Y) is that of the bits:
    1 - H2(flip). Resampling as in Gowri et al., NeurIPS (2024).

    Args:
        bits: I(X; Y), from 0 to 1.
        zero: the digit that stands for 0.
        one: the digit that stands for 1.

    >>> round(DigitsChannel(bits=0.5).flip, 4)
    0.11
    >>> DigitsChannel(bits=0.5).sample(10, torch.Generator().manual_seed(0)).x.shape
    torch.Size([10, 64])
    """

    bits: Annotated[float, Field(ge=0, le=1)] = 0.5
    zero: Annotated[int, Field(ge=0, le=9)] = 0
    one: Annotated[int, Field(ge=0, le=9)] = 1

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

        if num_samples is None:
            raise ValueError("images are drawn with replacement: say how many samples with num_samples")
        if self.zero == self.one:
            raise ValueError(f"zero and one must be different digits; got {self.zero} twice")
        digits = load_digits()
        images, labels = torch.from_numpy(digits.data), torch.from_numpy(digits.target)
        pools = [images[labels == digit] for digit in (self.zero, self.one)]
        bit = torch.rand(num_samples, generator=generator) < 0.5
        turned = bit ^ (torch.rand(num_samples, generator=generator) < self.flip)

        def show(bits: torch.Tensor) -> torch.Tensor:
            out = torch.empty(num_samples, images.shape[1], dtype=images.dtype)
            for value, pool in enumerate(pools):
                chosen = bits == bool(value)
                out[chosen] = pool[torch.randint(pool.shape[0], (int(chosen.sum()),), generator=generator)]
            return out

        return Pairs(show(bit), show(turned), self.bits * NATS_PER_BIT)
