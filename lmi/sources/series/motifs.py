"""Sequences of letters, each with a short motif somewhere: which motif it is, two sequences share more often than by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.arguments import sample_count
from lmi.types import Pairs

TRUTH_SAMPLES = 20_000  # pairs that the truth is averaged over
TRUTH_SEED, MOTIF_SEED = 20_17, 5


@dataclass(frozen=True)
class Motifs:
    """A letter in each step, one-hot; all are uniform, but for ``motif`` of them at a place of its own.

    X has one of ``classes`` motifs, Y the same one with probability ``kept`` and else any of them. Each letter of a motif is
    replaced by one of the others with probability ``noise``. Where it begins is uniform and nobody else's.

    The truth is the mean of log p(x, y) - log p(x) - log p(y) over fresh pairs, p(x | class) the mean over all places, of

        prod over letters of the motif of letters * (1 - noise) where it agrees, and letters * noise / (letters - 1) where not,

    and p(x, y) the sum over both classes. What is left is the sampling error of 20,000 pairs of a seed of its own (below .01
    nats at the defaults).

    Args:
        length: of the sequences.
        letters: of the alphabet, which are the channels.
        motif: its length.
        classes: motifs, drawn by a seed of their own.
        kept: probability with which Y has the motif of X.
        noise: probability that a letter of a motif is another.

    >>> source = Motifs(length=12, motif=5, kept=1.0, noise=0.0)
    >>> pairs = source.sample(5, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, 1.4 < pairs.truth < 1.8
    (torch.Size([5, 12, 4]), True)
    """

    length: Annotated[int, Field(ge=1)] = 24
    letters: Annotated[int, Field(ge=2)] = 4
    motif: Annotated[int, Field(ge=1)] = 7
    classes: Annotated[int, Field(ge=2)] = 6
    kept: Annotated[float, Field(ge=0, le=1)] = 1.0
    noise: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs of sequences (n, length, letters).

        Raises:
            ValueError: where no number is given, or the motif is longer than the sequences.
        """
        num_samples = sample_count(num_samples)
        if self.motif > self.length:
            raise ValueError(f"motif must be at most length={self.length}; got {self.motif}")
        x, y = (torch.nn.functional.one_hot(z, self.letters).float() for z in self.draw(num_samples, generator))
        return Pairs(x, y, self.truth()[0])

    def motifs(self) -> Tensor:
        """(classes, motif) letters."""
        generator = torch.Generator().manual_seed(MOTIF_SEED)
        return torch.randint(self.letters, (self.classes, self.motif), generator=generator)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Letters x (n, length) and y (n, length)."""
        of_x, other = torch.randint(self.classes, (2, n), generator=generator)
        of_y = torch.where(torch.rand(n, generator=generator) < self.kept, of_x, other)
        return self._around(self.motifs()[of_x], generator), self._around(self.motifs()[of_y], generator)

    def _around(self, motif: Tensor, generator: torch.Generator) -> Tensor:
        """(n, length) letters with the motifs (n, motif) somewhere in them."""
        n = motif.shape[0]
        z = torch.randint(self.letters, (n, self.length), generator=generator)
        start = torch.randint(self.length - self.motif + 1, (n, 1), generator=generator)
        is_other = torch.rand(motif.shape, generator=generator) < self.noise
        by = torch.randint(1, self.letters, motif.shape, generator=generator) * is_other
        return z.scatter(1, start + torch.arange(self.motif), (motif + by) % self.letters)

    def truth(self) -> tuple[float, float]:
        """I(X; Y) and its standard error, nats."""
        terms = self.pointwise(*self.draw(TRUTH_SAMPLES, torch.Generator().manual_seed(TRUTH_SEED)))
        return float(terms.mean()), float(terms.std()) / TRUTH_SAMPLES**0.5

    def pointwise(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) log p(x, y) / p(x) p(y) of letters x (n, length) and y (n, length), nats."""
        of_x, of_y = self.likelihood(x), self.likelihood(y)
        together = self.kept * (of_x * of_y).mean(1) + (1 - self.kept) * of_x.mean(1) * of_y.mean(1)
        return (together / (of_x.mean(1) * of_y.mean(1))).log()

    def likelihood(self, z: Tensor) -> Tensor:
        """(n, classes) p(z | class) of letters z (n, length), times letters ** length."""
        windows = z.unfold(1, self.motif, 1)  # (n, places, motif)
        agree = (windows[:, :, None] == self.motifs()).sum(3)  # (n, places, classes)
        same, other = self.letters * (1 - self.noise), self.letters * self.noise / (self.letters - 1)
        return (same**agree * other ** (self.motif - agree)).double().mean(1)
