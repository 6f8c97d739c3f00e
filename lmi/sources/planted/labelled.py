"""Labelled activations: what a probe reads, and two synthetic cases whose answer is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from lmi.types import Context


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows of activations, a label for each, and the document that each came from.

    Args:
        h: (n, d) activations.
        labels: (n,) the class of each row, as strings.
        documents: (n,) which document; rows of one document stay on one side of every split.
        name: where they come from, for titles.
        truth_bits: I(h; label), where it is known.
        informative: the neurons that carry it, where they are known.

    Raises:
        ValueError: for labels or documents that do not match the rows, activations that are not finite, or one class.
    """

    h: NDArray[np.float64]
    labels: NDArray[np.str_]
    documents: NDArray[np.int64]
    name: str
    truth_bits: float | None = None
    informative: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        n = self.h.shape[0]
        if self.h.ndim != 2:
            raise ValueError(f"expected activations (n, d), got {self.h.shape}")
        if self.labels.shape != (n,) or self.documents.shape != (n,):
            raise ValueError(
                f"labels do not match rows: {n} rows of activations, labels {self.labels.shape}, "
                f"documents {self.documents.shape}"
            )
        if not np.isfinite(self.h).all():
            raise ValueError(f"activations have {int((~np.isfinite(self.h)).sum())} values that are NaN or infinite")
        classes = np.unique(self.labels)
        if classes.size < 2:
            raise ValueError(
                f"one class only: all {n} labels are {str(classes[0])!r}; a probe needs two" if n else "no rows"
            )


@runtime_checkable
class LabelledSource(Protocol):
    """Anything that yields labelled activations."""

    def labelled(self, context: Context) -> Labelled:
        """The rows, the same for the same seed."""
        ...


@dataclass(frozen=True)
class ShiftedClasses:
    """Unit Gaussian noise, the second half of the tokens shifted in every neuron: each neuron alone tells the classes.

    Args:
        num_tokens: rows, half of each class.
        num_neurons: columns.
        shift: added to every neuron of the second half.
    """

    num_tokens: int = 200
    num_neurons: int = 3000
    shift: float = 5.0

    def labelled(self, context: Context) -> Labelled:
        """The rows, every one a document of its own."""
        h, late = _noise(self.num_tokens, self.num_neurons, context.generator("shifted"))
        h[late] += self.shift
        truth = _two_class_bits(self.shift * math.sqrt(self.num_neurons))
        return Labelled(h, _names(late), np.arange(self.num_tokens), "shifted classes", truth)


@dataclass(frozen=True)
class PlantedNeurons:
    """A few neurons shifted by the class among many that are noise, so that the information is known.

    I(h; label) = 1 - E log2(1 + exp(-s)) bits with s ~ N(D^2 / 2, D^2) and D = shift sqrt(num_informative): the log
    likelihood ratio of two Gaussians of equal covariance. Copies are noisy duplicates of the informative neurons: given
    those they add nothing, so the information stays.

    Args:
        num_tokens: rows, half of each class.
        num_neurons: columns, the informative ones and the copies among them.
        num_informative: how many of them are shifted.
        shift: by how much, in standard deviations.
        num_copies: copies of each informative neuron.
        copy_noise: standard deviation of the noise on a copy.
    """

    num_tokens: int = 2000
    num_neurons: int = 3000
    num_informative: int = 10
    shift: float = 0.7
    num_copies: int = 0
    copy_noise: float = 0.5

    def labelled(self, context: Context) -> Labelled:
        """The rows, every one a document of its own; the informative neurons stand at random places."""
        special = self.num_informative * (1 + self.num_copies)
        if not 0 < special <= self.num_neurons:
            raise ValueError(f"{special} informative neurons and copies do not fit into {self.num_neurons} neurons")
        generator = context.generator("planted")
        h, late = _noise(self.num_tokens, self.num_neurons, generator)
        places = torch.randperm(self.num_neurons, generator=generator).numpy()[:special]
        planted = np.sort(places[: self.num_informative])
        h[np.ix_(np.flatnonzero(late), planted)] += self.shift
        for copy in places[self.num_informative :].reshape(self.num_copies, self.num_informative):
            h[:, copy] = h[:, planted] + self.copy_noise * h[:, copy]
        truth = _two_class_bits(self.shift * math.sqrt(self.num_informative))
        return Labelled(h, _names(late), np.arange(self.num_tokens), "planted neurons", truth, planted)


def _noise(n: int, d: int, generator: torch.Generator) -> tuple[Any, Any]:
    if n < 4 or d < 1:
        raise ValueError(f"expected at least 4 tokens and 1 neuron, got {n} and {d}")
    return torch.randn(n, d, generator=generator, dtype=torch.float64).numpy(), np.arange(n) >= n // 2


def _names(late: Any) -> Any:
    return np.where(late, "second half", "first half")


def _two_class_bits(separation: float) -> float:
    """1 - E log2(1 + exp(-s)), s ~ N(D^2 / 2, D^2): what two equally likely unit Gaussians D apart tell of the class.

    >>> [abs(round(_two_class_bits(separation), 3)) for separation in (0.0, 1.0, 50.0)]
    [0.0, 0.161, 1.0]
    """
    z = np.linspace(-12, 12, 20001)
    s = separation**2 / 2 + separation * z
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return float(1 - np.trapezoid(density * np.logaddexp(0, -s), z) / math.log(2))
