"""Two sequences that watch the same hidden Markov chain, each through noise of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs

TRUTH_SAMPLES = 40_000  # sequences that the truth is averaged over
TRUTH_SEED = 20_16


@dataclass(frozen=True)
class HiddenChain:
    """x_t = m(s_t) + noise, y_t = m(s_t) + other noise, of a chain s that changes its state now and then.

    The chain starts uniform over ``states`` and leaves its state with probability ``change`` for any of the others. State s
    is seen in ``channels`` columns as m_c(s) = separation * cos(2 pi s / states + c pi / 2), with unit normal noise on every
    entry of either side, independent given the chain.

    The truth is the mean of log p(x, y) - log p(x) - log p(y) over fresh pairs, each likelihood exact by the forward
    algorithm, a_t(s) = p(seen_t | s) sum_r a_{t-1}(r) P(r -> s), where seen_t is (x_t, y_t), x_t or y_t. What is left is the
    sampling error of 40,000 pairs of a seed of its own (below .01 nats at the defaults, ``truth`` gives it).

    Args:
        length: of the sequences.
        channels: columns of each step.
        states: of the chain.
        change: probability of a change at each step.
        separation: radius of the states' circle, in standard deviations of the noise.

    >>> pairs = HiddenChain(length=6).sample(5, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.y.shape, 0 < pairs.truth < math.log(3**6)
    (torch.Size([5, 6, 2]), torch.Size([5, 6, 2]), True)
    """

    length: Annotated[int, Field(ge=1)] = 24
    channels: Annotated[int, Field(ge=1)] = 2
    states: Annotated[int, Field(ge=2)] = 3
    change: Annotated[float, Field(ge=0, le=1)] = 0.1
    separation: Annotated[float, Field(ge=0)] = 0.7

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs of sequences (n, length, channels).

        Raises:
            ValueError: where no number is given.
        """
        num_samples = sample_count(num_samples)
        x, y = self.draw(num_samples, generator)
        return Pairs(x, y, self.truth()[0])

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences x (n, length, channels) and y (n, length, channels) of ``n`` chains."""
        chain = torch.empty(n, self.length, dtype=torch.int64)
        chain[:, 0] = torch.randint(self.states, (n,), generator=generator)
        for t in range(1, self.length):
            leaves = torch.rand(n, generator=generator) < self.change
            by = torch.randint(1, self.states, (n,), generator=generator) * leaves
            chain[:, t] = (chain[:, t - 1] + by) % self.states
        noise = torch.randn(2, n, self.length, self.channels, generator=generator, dtype=torch.float64)
        seen = self.means()[chain]
        return seen + noise[0], seen + noise[1]

    def means(self) -> Tensor:
        """(states, channels) where each state is seen."""
        angle = 2 * math.pi * torch.arange(self.states, dtype=torch.float64) / self.states
        return self.separation * torch.cos(angle[:, None] + torch.arange(self.channels) * math.pi / 2)

    def truth(self) -> tuple[float, float]:
        """I(X; Y) and its standard error, nats."""
        x, y = self.draw(TRUTH_SAMPLES, torch.Generator().manual_seed(TRUTH_SEED))
        terms = self.pointwise(x, y)
        return float(terms.mean()), float(terms.std()) / TRUTH_SAMPLES**0.5

    def pointwise(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) log p(x, y) / p(x) p(y) of sequences x (n, length, channels) and y (n, length, channels), nats."""
        # Factors that do not depend on the state are the same above and below.
        of_x, of_y = (-0.5 * torch.cdist(z, self.means()[None]).square() for z in (x, y))
        return self.log_likelihood(of_x + of_y) - self.log_likelihood(of_x) - self.log_likelihood(of_y)

    def log_likelihood(self, emission: Tensor) -> Tensor:
        """(n,) log of the sum over all chains, by the forward algorithm.

        Args:
            emission: (n, length, states) log p(what is seen at t | state), up to a constant.
        """
        others = self.change / (self.states - 1)
        step = torch.full((self.states, self.states), others, dtype=emission.dtype)
        step.fill_diagonal_(1 - self.change)
        forward = emission[:, 0] - math.log(self.states)
        for t in range(1, emission.shape[1]):
            top = forward.amax(1, keepdim=True)
            forward = top + ((forward - top).exp() @ step).log() + emission[:, t]
        return torch.logsumexp(forward, 1)
