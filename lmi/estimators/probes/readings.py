"""What a classifier's shares of fresh samples say about the label: a bound, and what neighbours of its log odds find."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lmi.estimators.columns import jitter_ties
from lmi.estimators.neighbors.conditional import ross_pointwise
from lmi.estimators.probes.labels import label_entropy
from lmi.types import Context

ODDS = 3  # columns of log odds at most, which neighbours can read
READ_NEIGHBOURS = 15  # one dimension has many near ones
LABEL_DRAWS = 4  # of all labels, to see what neighbours find too much


@dataclass(frozen=True, eq=False)
class Reading:
    """What the shares that a classifier gives to fresh samples say about the label, in one of two ways, nats.

    ``bound``: H(L) minus the cross entropy, which also pays for shares that are too bold or too timid. ``terms``: the
    information between the log odds and the label by nearest neighbours (Ross), which does not, for up to four classes.

    Args:
        logs: (n, classes) log q(label | x).
        entropy: of the label, nats.
        odds: (n, classes - 1) log odds without ties; ``None`` reads the bound in both ways.
        excess: what neighbours find too much, nats: of labels drawn from q, whose information is known.
    """

    logs: Tensor
    entropy: float
    odds: Tensor | None
    excess: float = 0.0

    def bound(self, label: Tensor) -> Tensor:
        """(n,) terms of the bound for a label (n,)."""
        return self.entropy + self.logs[torch.arange(label.numel()), label]

    def terms(self, label: Tensor) -> Tensor:
        """(n,) terms by neighbours for a label (n,), or those of the bound."""
        if self.odds is None:
            return self.bound(label)
        return ross_pointwise(self.odds, label, READ_NEIGHBOURS) - self.excess


def read_shares(logs: Tensor, entropy: float, context: Context) -> Reading:
    """See ``Reading``; ties of log odds are broken, as trees give many samples the same ones.

    Args:
        logs: (n, classes).
        entropy: of the label, nats.
        context: breaks ties.
    """
    odds = torch.round(logs[:, 1:] - logs[:, :1], decimals=4)  # where shares level off they differ in the last bits
    if odds.shape[1] > ODDS or logs.shape[0] <= 4 * READ_NEIGHBOURS:
        return Reading(logs, entropy, None)
    reading = Reading(logs, entropy, jitter_ties(odds, context.generator("ties of odds")))
    if odds.shape[1] == 1:  # along a line neighbours are right
        return reading
    return replace(reading, excess=excess_of(reading, context.generator("labels of odds")))


def excess_of(reading: Reading, generator: torch.Generator) -> float:
    """What neighbours say of labels that are drawn from the shares, more than these labels' own log ratios do, nats.

    The control variate of ``neighbors/control.py`` for a label: three or four classes near each other cost Ross .02 nats.

    Args:
        reading: without an excess.
        generator: draws.
    """
    beyond = []
    shares = reading.logs.softmax(1)
    for _ in range(LABEL_DRAWS):
        drawn = torch.multinomial(shares, 1, generator=generator)[:, 0]
        if torch.bincount(drawn).min() > READ_NEIGHBOURS:
            ratio = label_entropy(drawn) + shares.log().gather(1, drawn[:, None])[:, 0]
            beyond.append(float((reading.terms(drawn) - ratio).mean()))
    return sum(beyond) / max(len(beyond), 1)
