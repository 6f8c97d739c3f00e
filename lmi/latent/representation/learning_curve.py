"""Would more data find more? Encoders of a quarter, a half and all of the training part, judged on the same fresh pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.latent.representation.fit import encode_all, fit_pair
from lmi.latent.representation.fold import Fitted
from lmi.latent.representation.leading import Leading, leading_latents
from lmi.latent.representation.second_measure import neighbours_nats
from lmi.types import Context

SLOWEST, FASTEST = 2**-0.5, 2**-1.5  # by which what is missing falls from a half to all: as n^-1/2 and n^-3/2
FEWEST = 100  # training samples of the quarter
SMALLEST = 0.05  # nats, below which nothing is scaled to the estimate


@dataclass(frozen=True)
class LearningCurve:
    """Information of the test part in the leading latents of encoders that were fitted to so many samples.

    Args:
        samples: of a quarter, a half and all of the training part.
        nats: by neighbours held against a normal model, of one member each.
        together: the same of all members, and of what stands beside them, at all of the training part.
        members: how many.
    """

    samples: tuple[int, int, int]
    nats: tuple[float, float, float]
    together: float
    members: int = 1

    @property
    def gains(self) -> tuple[float, float]:
        """What the first and the second doubling of the training samples found, nats."""
        return self.nats[1] - self.nats[0], self.nats[2] - self.nats[1]

    @property
    def bends(self) -> bool:
        """Whether the curve says where it ends: the second doubling found nothing, or 2^-1/2 of what the first did at most.

        >>> [LearningCurve((1, 2, 4), nats, 0.0).bends for nats in ((0.6, 0.8, 0.9), (0.1, 0.3, 0.5), (0.5, 0.4, 0.6))]
        [True, False, False]
        """
        earlier, gain = self.gains
        return gain <= max(SLOWEST * earlier, 0.0)

    @property
    def by_samples(self) -> float:
        """What infinitely many samples would find beyond one member of all, nats, if what is missing falls as a power of n.

        I(n) = I - c n^-a: the gains of two doublings have the ratio r = 2^-a, and gain * r / (1 - r) is left. A curve that does
        not bend says nothing of its limit. Then this is what the slowest power would leave, but no more than all samples
        found: a curve that rises as the logistic function of log n has as much before it where it begins to bend.

        >>> round(LearningCurve((1, 2, 4), (0.6, 0.8, 0.9), 0.9).by_samples, 3)
        0.1
        >>> LearningCurve((1, 2, 4), (0.1, 0.3, 0.9), 0.9).by_samples
        0.9
        """
        earlier, gain = self.gains
        if gain <= 0:
            return 0.0
        if not self.bends:
            return min(left_by(SLOWEST, gain), max(self.nats[2], 0.0))
        return left_by(max(gain / earlier, FASTEST), gain)

    @property
    def missing_range(self) -> tuple[float, float] | None:
        """``missing`` by the fastest and by the slowest power of n; ``None`` where the curve does not bend.

        >>> curve = LearningCurve((1, 2, 4), (0.6, 0.8, 0.9), 0.9)
        >>> [round(share, 2) for share in curve.missing_range], LearningCurve((1, 2, 4), (0.1, 0.3, 0.5), 0.5).missing_range
        ([0.06, 0.27], None)
        """
        if not self.bends:
            return None
        gain = max(self.gains[1], 0.0)
        return self.share_of(left_by(FASTEST, gain)), self.share_of(left_by(SLOWEST, gain))

    @property
    def surplus(self) -> float:
        """What encoders of fewer samples find beyond those of all, nats: a function of the same samples, so that it is there.

        >>> [round(LearningCurve((1, 2, 4), nats, nats[2]).surplus, 3) for nats in ((2.1, 2.0, 1.9), (1.6, 1.8, 1.9))]
        [0.2, 0.0]
        """
        return max(*self.nats[:2], self.nats[2], self.together) - max(self.nats[2], self.together)

    @property
    def by_members(self) -> float:
        """What infinitely many members would find beyond these, nats, if what is missing by chance falls as 1 / members.

        >>> round(LearningCurve((1, 2, 4), (0.9, 0.9, 0.9), 1.0, members=2).by_members, 3)
        0.1
        """
        return max(self.together - self.nats[2], 0.0) / (self.members - 1) if self.members > 1 else 0.0

    @property
    def missing(self) -> float:
        """The larger of both, as a share of what all members find; what members found already is not missing from samples."""
        return self.share_of(self.by_samples)

    def share_of(self, by_samples: float) -> float:
        """``missing``, if more samples would find ``by_samples`` nats beyond one member of all."""
        if self.together <= SMALLEST:
            return 0.0
        beyond = by_samples - max(self.together - self.nats[2], 0.0)
        return max(beyond, self.by_members, 0.0) / self.together


def left_by(ratio: float, gain: float) -> float:
    """What all doublings to come find together, nats, if each finds ``ratio`` of the one before and the last found ``gain``."""
    return gain * ratio / (1 - ratio)


def learning_curve(fit: Fitted, x: Tensor, y: Tensor, fold: Fold, context: Context) -> LearningCurve | None:
    """The curve of a fold; ``None`` where a quarter would be fewer than 100 samples.

    Args:
        fit: by the whole training part; of several side by side the first is fitted twice more.
        x: (n, *shape of X).
        y: (n, *shape of Y).
        fold: whose training part is cut.
        context: seeds.
    """
    n = fold.train.numel()
    if n // 4 < FEWEST:
        return None
    stream = replace(context.child("learning curve"), folder=None, loggers=())

    def information(zx: Tensor, zy: Tensor, cut: Fold, leading: Leading | None = None) -> float:
        u, v = (leading or leading_latents(zx, zy, cut)).variates(zx[fold.test], zy[fold.test])
        return neighbours_nats(u, v, stream.generator("control"))

    alone = fit.parts[0] if fit.parts else fit
    settings, values = alone.settings, []
    for count in (n // 4, n // 2):
        cut = replace(fold, train=fold.train[:count])
        model, _ = fit_pair(replace(settings, restarts=0), x, y, cut, stream)
        values.append(information(*encode_all([model], x, y, cut), cut))
    zx, zy = alone.latents
    singles = [
        information(*pair, fold)
        for pair in zip(zx.split(settings.latent_dim, 1), zy.split(settings.latent_dim, 1), strict=True)
    ]
    values.append(float(torch.tensor(singles).mean()))
    together = values[2] if len(singles) == 1 and not fit.parts else information(*fit.latents, fold, fit.leading)
    return LearningCurve((n // 4, n // 2, n), (values[0], values[1], values[2]), together, len(singles))
