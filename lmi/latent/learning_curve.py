"""Would more data find more? Encoders of a quarter, a half and all of the training part, judged on the same fresh pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.latent.leading import NEIGHBOURS, leading_latents
from lmi.latent.representation_fit import encode_all, fit_pair
from lmi.latent.representation_settings import RepresentationSettings
from lmi.types import Context

SLOWEST, FASTEST = 2**-0.5, 2**-1.5  # by which what is missing falls from a half to all: as n^-1/2 and n^-3/2
FEWEST = 100  # training samples of the quarter
SMALLEST = 0.05  # nats, below which nothing is scaled to the estimate


@dataclass(frozen=True)
class LearningCurve:
    """KSG of the test part in the leading latents of encoders that were fitted to so many samples.

    Args:
        samples: of a quarter, a half and all of the training part.
        nats: KSG in their latents: by itself too low, by about as much for each.
    """

    samples: tuple[int, int, int]
    nats: tuple[float, float, float]

    @property
    def gain(self) -> float:
        """What all of the training part finds beyond its half, as a share of what it finds."""
        return (self.nats[2] - self.nats[1]) / self.nats[2] if self.nats[2] > SMALLEST else 0.0

    @property
    def missing(self) -> float:
        """What infinitely many would find beyond it, as a share, if what is missing falls as a power of the samples.

        I(n) = I - c n^-a: the gains of two doublings have the ratio r = 2^-a, and gain * r / (1 - r) is left.

        >>> round(LearningCurve((1, 2, 4), (0.6, 0.8, 0.9)).missing * 0.9, 3)
        0.1
        """
        if self.gain <= 0:
            return 0.0
        earlier = self.nats[1] - self.nats[0]
        ratio = (self.nats[2] - self.nats[1]) / earlier if earlier > 0 else SLOWEST
        ratio = min(max(ratio, FASTEST), SLOWEST)
        return self.gain * ratio / (1 - ratio)


def learning_curve(
    settings: RepresentationSettings,
    x: Tensor,
    y: Tensor,
    fold: Fold,
    latents: tuple[Tensor, Tensor],
    context: Context,
) -> LearningCurve | None:
    """The curve of a fold; ``None`` where a quarter would be fewer than 100 samples.

    Args:
        settings: of the encoders, which are fitted twice more.
        x: (n, *shape of X).
        y: (n, *shape of Y).
        fold: whose training part is cut.
        latents: (n, l) of each side, by the encoders of the whole training part.
        context: seeds.
    """
    n = fold.train.numel()
    if n // 4 < FEWEST:
        return None
    fit_context = replace(context.child("learning curve"), folder=None)

    def ksg_nats(zx: Tensor, zy: Tensor, part: Fold) -> float:
        u, v = leading_latents(zx, zy, part).variates(zx[fold.test], zy[fold.test])
        return float(ksg_pointwise(u, v, NEIGHBOURS).mean())

    values = []
    for count in (n // 4, n // 2):
        part = replace(fold, train=fold.train[:count])
        model, _ = fit_pair(replace(settings, restarts=0), x, y, part, fit_context)
        values.append(ksg_nats(*encode_all(model, x, y), part))
    return LearningCurve((n // 4, n // 2, n), (values[0], values[1], ksg_nats(*latents, fold)))
