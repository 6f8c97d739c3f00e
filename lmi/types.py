"""The vocabulary: what a source yields, what an estimator returns, and the context they run in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor
from tqdm.auto import tqdm

from lmi.cards import html_card, plot_card, text_card
from lmi.evidence import Null, Verdict

NATS_PER_BIT = math.log(2.0)

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """Where a computation runs: its seed, and the place it may report to.

    Args:
        seed: the one seed of the run; every random stream is derived from it by name.
        folder: where checkpoints and partial results go; ``None`` keeps nothing on disk.
        loggers: Lightning loggers that receive training curves.
        progress: whether anything longer than two seconds shows a bar.

    >>> context = Context(seed=3)
    >>> a = torch.rand(1, generator=context.generator("null"))
    >>> b = torch.rand(1, generator=context.generator("null"))
    >>> bool(a == b), bool(a == torch.rand(1, generator=context.generator("split")))
    (True, False)
    """

    seed: int = 0
    folder: Path | None = None
    loggers: Sequence[Any] = ()
    progress: bool = False

    def derive(self, *names: str | int) -> int:
        """A 63-bit seed for the stream called ``names``, the same on every machine."""
        digest = hashlib.blake2b(repr((self.seed, *names)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1

    def generator(self, *names: str | int, device: str | torch.device = "cpu") -> torch.Generator:
        """A fresh generator for the stream called ``names``: asking again gives the same numbers."""
        return torch.Generator(device=device).manual_seed(self.derive(*names))

    def child(self, *names: str | int) -> Context:
        """A context for a part of the work: a seed and a subfolder of its own, no loggers."""
        folder = None if self.folder is None else self.folder.joinpath(*(str(name) for name in names))
        return replace(self, seed=self.derive(*names), folder=folder, loggers=())

    def bar(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """``items``, with a progress bar if the context wants one and they take more than two seconds."""
        return iter(tqdm(items, desc=label, total=total, disable=not self.progress, delay=2.0, leave=False))

    def stages(self, labels: Sequence[str]) -> Generator[str, None, None]:
        """``labels``, one after the other, and a bar that shows the one at work if the context wants one."""
        with tqdm(labels, disable=not self.progress, leave=False) as bar:
            for label in bar:
                bar.set_description(label)
                yield label


@dataclass(frozen=True, eq=False)
class Pairs:
    """Paired samples and what is known about them.

    Args:
        x: (n, dx) samples.
        y: (n, dy) samples, row by row the partners of ``x``.
        truth: I(X; Y) in nats, or ``None`` where nobody knows it.
        core: the low-dimensional variables (n, rx), (n, ry) that carry all of the information, where the source has
            them: what an oracle would measure on.
        images: (n, height, width) pictures of the samples, for sources that have them.
        groups: (n,) the document, subject or recording of each row, or ``None`` where rows are independent.
        notes: what a reader has to know of them: what was read from which file, and what was left out.
    """

    x: Tensor
    y: Tensor
    truth: float | None = None
    core: tuple[Tensor, Tensor] | None = None
    images: Tensor | None = None
    groups: Tensor | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    """A mutual information with its own evidence of trust. Everything is in nats unless its name says bits.

    Args:
        nats: the estimate; it may be negative, since clipping would hide the bias.
        estimator: the name of what measured it.
        num_samples: how many samples the number was measured on.
        pointwise: (n,) the estimate's terms, one a sample, NaN where a sample was trained on; ``None`` for estimators
            without such terms.
        interval: 90% (low, high) for sampling error; it does not cover bias.
        null: the permutation null, where one was asked for.
        ceiling: the largest value the estimator could have said with this many samples.
        warnings: reasons for doubt, in words.
        latents: (n, rx), (n, ry) the representation it was measured in, for estimators that learn one.
        model: the trained model, for estimators that have one; ``model.encode(x, y)`` embeds new samples.
        details: further numbers of the estimator's own, each with its unit in its name.
        verdict: whether to trust it, and why not; ``lmi.estimate`` always gives one.
        choice: for estimators that choose among several ways, which one was taken and why.
        entropies: H(X) and H(Y), nats, of the sides that are discrete.
    """

    nats: float
    estimator: str
    num_samples: int
    pointwise: Tensor | None = None
    interval: tuple[float, float] | None = None
    null: Null | None = None
    ceiling: float = math.inf
    warnings: tuple[str, ...] = ()
    latents: tuple[Tensor, Tensor] | None = None
    model: Any = None
    details: dict[str, float] = field(default_factory=dict)
    verdict: Verdict | None = None
    choice: str = ""
    entropies: tuple[float | None, float | None] = (None, None)

    @property
    def bits(self) -> float:
        """The estimate in bits."""
        return self.nats / NATS_PER_BIT

    @property
    def normalised(self) -> dict[str, float]:
        """Uncertainty coefficients I / H(X), I / H(Y) and 2 I / (H(X) + H(Y)), of the sides that are discrete.

        Theil, On the estimation of relationships involving qualitative variables, Am. J. Sociol. 76 (1970). A continuous
        variable has no finite entropy to divide by.

        >>> Estimate(0.5, "ksg", 100, entropies=(None, 1.0)).normalised
        {'of_y': 0.5}
        """
        hx, hy = self.entropies
        shares = {"of_x": self.nats / hx} if hx else {}
        shares |= {"of_y": self.nats / hy} if hy else {}
        return shares | ({"of_both": 2 * self.nats / (hx + hy)} if hx and hy else {})

    def to_dict(self) -> dict[str, Any]:
        """Everything but tensors and the model as plain numbers and words: what ``json.dumps`` takes.

        >>> Estimate(0.5, "ksg", 100, verdict=Verdict("reliable")).to_dict()["verdict"]
        'reliable'
        """
        null = self.null
        verdict = self.verdict or Verdict("abstain", ("no verdict was given",))
        return {
            "estimator": self.estimator,
            "num_samples": self.num_samples,
            "nats": self.nats,
            "bits": self.bits,
            "interval_nats": None if self.interval is None else list(self.interval),
            "interval_bits": None if self.interval is None else [end / NATS_PER_BIT for end in self.interval],
            "null_nats": None if null is None else null.nats.tolist(),
            "p_value": None if null is None else null.p_value,
            "null_high_nats": None if null is None else null.high,
            "ceiling_nats": self.ceiling if math.isfinite(self.ceiling) else None,
            "normalised": self.normalised,
            "verdict": verdict.level,
            "reasons": list(verdict.reasons),
            "choice": self.choice,
            "warnings": list(self.warnings),
            "details": dict(self.details),
        }

    def plot(self) -> Any:
        """A matplotlib figure: the number with its interval, the shuffled pairs, zero and the ceiling, in bits."""
        return plot_card(self.to_dict())

    def _repr_html_(self) -> str:
        return html_card(self.to_dict())

    def __repr__(self) -> str:
        level = "" if self.verdict is None else f", {self.verdict.level}"
        between = ""
        if self.interval is not None:
            between = f" [{self.interval[0] / NATS_PER_BIT:.4f}, {self.interval[1] / NATS_PER_BIT:.4f}]"
        return f"<Estimate {self.bits:.4f}{between} bits by {self.estimator} on {self.num_samples} samples{level}>"

    def warn(self, *warnings: str) -> Estimate:
        """The same estimate with more reasons for doubt."""
        return replace(self, warnings=(*self.warnings, *warnings)) if warnings else self

    def __str__(self) -> str:
        return text_card(self.to_dict())


@runtime_checkable
class Source(Protocol):
    """Anything that yields paired samples."""

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` fresh pairs; ``None`` is all there are, for sources that are finite."""
        ...


@runtime_checkable
class Estimator(Protocol):
    """Anything that turns x (n, dx) and y (n, dy), checked floating-point tensors, into an ``Estimate``."""

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """The mutual information between the rows of ``x`` (n, dx) and of ``y`` (n, dy)."""
        ...
