"""Two pictures of the same handwritten digit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs


@dataclass(frozen=True)
class DigitPairs:
    """Two images of one digit, drawn with replacement from scikit-learn's, each with fresh noise in every pixel.

    Images differ by far more than the noise, so each side gives its digit away and nothing else is shared: I = log 10.

    Args:
        noise: standard deviation of a pixel's noise, of 16 grey levels.

    >>> round(DigitPairs().sample(4, torch.Generator().manual_seed(0)).truth, 4)
    2.3026
    """

    noise: Annotated[float, Field(ge=0, le=0.8)] = 0.5

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs.

        Raises:
            ValueError: where no number is given.
        """
        from sklearn.datasets import load_digits

        num_samples = sample_count(num_samples)
        data = load_digits()
        images, labels = torch.from_numpy(data.data).double(), torch.from_numpy(data.target)
        pools = [(labels == digit).nonzero().flatten() for digit in range(10)]
        digits = torch.randint(10, (num_samples,), generator=generator)

        def show() -> Tensor:
            shown = torch.empty(num_samples, images.shape[1], dtype=torch.float64)
            for digit, pool in enumerate(pools):
                mine = digits == digit
                shown[mine] = images[pool[torch.randint(len(pool), (int(mine.sum()),), generator=generator)]]
            return shown + self.noise * torch.randn(shown.shape, generator=generator, dtype=torch.float64)

        return Pairs(show(), show(), math.log(10))
