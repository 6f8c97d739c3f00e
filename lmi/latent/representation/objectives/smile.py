"""Donsker-Varadhan of the latents with a clipped partition (SMILE). Song and Ermon, ICLR (2020).

Clipped scores could rise for ever, so that, as in the published code, the value is SMILE's and the gradient that of the
Jensen-Shannon bound, whose best scores are the same log density ratio.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lmi.estimators.bounds.bounds import smile


def smile_that_trains(scores: Tensor) -> Tensor:
    """Donsker-Varadhan of scores (b, b), those of its partition clipped to +-5: () nats, the gradient Jensen-Shannon's.

    >>> scores = torch.tensor([[2.0, -2.0], [-2.0, 2.0]], requires_grad=True)
    >>> value = smile_that_trains(scores)
    >>> value.backward()
    >>> bool(torch.isclose(value, smile(scores))), bool(scores.grad.diagonal().min() > 0)
    (True, True)
    """
    b = scores.shape[0]
    joint = scores.diagonal()
    apart = (softplus(scores).sum() - softplus(joint).sum()) / (b * (b - 1))
    jensen_shannon = -softplus(-joint).mean() - apart
    with torch.no_grad():
        difference = smile(scores) - jensen_shannon
    return jensen_shannon + difference
