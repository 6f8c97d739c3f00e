"""Whether samples within latent classes are as the classes say: normal, with their variances, and independent across columns.

Given a class that is drawn from its probability given both sides, what a sample lies off the class's centre, in standard
deviations, is standard normal in every column if the model is right, however much the classes overlap.
Gelman, Meng, Stern, Posterior predictive assessment of model fitness via realized discrepancies, Statistica Sinica 6 (1996).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lmi.estimators.densities.latent_classes import LatentClasses

COLUMNS = 12  # of each side, those that vary most


def within_classes(x: Tensor, y: Tensor, classes: LatentClasses, fitted_to: int, generator: torch.Generator) -> float:
    """The clearest of four tests on fresh samples, in standard deviations: about 0 where the classes are right.

    The tests are sums over columns, pairs of columns, or classes and columns, of squares of: correlations, skewness, excess
    kurtosis, and the variances of each class.

    Args:
        x: (n, dx) samples that did not fit the classes.
        y: (n, dy).
        classes: fitted.
        fitted_to: samples, of which the variances have an error too.
        generator: draws each sample's class.

    >>> g = torch.Generator().manual_seed(0)
    >>> label = torch.randint(4, (2400,), generator=g)
    >>> x, y = (4 * torch.eye(4)[label] + torch.randn(2400, 4, generator=g) for _ in range(2))
    >>> from lmi.estimators.densities.latent_classes import fit_latent_classes
    >>> x, y = x.double(), y.double()
    >>> fitted = [fit_latent_classes(x[:1200], y[:1200], count, 0) for count in (4, 2)]
    >>> right, wrong = (within_classes(x[1200:], y[1200:], classes, 1200, g) for classes in fitted)
    >>> right < 5, wrong > 10
    (True, True)
    """
    drawn = torch.multinomial(classes.memberships(x, y), 1, generator=generator)[:, 0]
    sides = []
    for z, centres, variances in (
        (x, classes.centres_x, classes.variances_x),
        (y, classes.centres_y, classes.variances_y),
    ):
        kept = z.var(0).topk(min(COLUMNS, z.shape[1])).indices
        scale = variances.expand_as(centres).sqrt()
        sides.append(((z - centres[drawn]) / scale[drawn])[:, kept])
    rest = torch.cat(sides, 1)
    n, d = rest.shape
    # Of a column that the classes determine nothing is left.
    standard = (rest - rest.mean(0)) / rest.std(0).clamp(min=1e-12)
    i, j = torch.triu_indices(d, d, 1)
    correlations = n**0.5 * (standard.T @ standard / n)[i, j]
    skewness = (n / 6) ** 0.5 * standard.pow(3).mean(0)
    kurtosis = (n / 24) ** 0.5 * (standard.pow(4).mean(0) - 3)
    member = torch.nn.functional.one_hot(drawn, classes.centres_x.shape[0]).to(rest)
    size = member.sum(0)[:, None]
    sampled = fitted_to * classes.log_weights.exp()[:, None] if classes.variances_x.shape[0] > 1 else fitted_to
    spread = (2 * size * (1 + size / sampled)).sqrt()
    of_class = ((member.T @ rest.square() - size) / spread)[size[:, 0] > 0].flatten()
    return max(_beyond_chance(scores) for scores in (correlations, skewness, kurtosis, of_class))


def _beyond_chance(scores: Tensor) -> float:
    """How far the sum of squares of standard normal ``scores`` (k,) is above its mean, in its standard deviations."""
    k = scores.numel()
    return float(scores.square().sum() - k) / (2 * k) ** 0.5
