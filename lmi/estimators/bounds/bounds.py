"""Variational lower bounds on mutual information from a matrix of critic scores.

``scores[i, j]`` is the critic's value for x_i with y_j: pairs that belong together stand on the diagonal. Poole, Ozair,
van den Oord, Alemi, Tucker, ICML (2019); SMILE: Song and Ermon, ICLR (2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMILE_CLIP = 5.0


def donsker_varadhan(scores: Tensor) -> Tensor:
    """E_joint[f] - log E_marginal[exp f], nats; the off-diagonal stands for the product of the marginals (MINE).

    >>> donsker_varadhan(torch.zeros(4, 4)).item()
    0.0
    """
    return scores.diagonal().mean() - log_mean_exp_off_diagonal(scores)


def nwj(scores: Tensor) -> Tensor:
    """E_joint[f] - E_marginal[exp(f - 1)], nats (Nguyen, Wainwright, Jordan 2010)."""
    return scores.diagonal().mean() - (log_mean_exp_off_diagonal(scores) - 1).exp()


def infonce(scores: Tensor) -> Tensor:
    """Mean of f_ii - log(1/b sum_j exp f_ij), both ways averaged, for scores (b, b), nats; never above log b."""
    diagonal = scores.diagonal().mean()
    rows = torch.logsumexp(scores, dim=1).mean()
    columns = torch.logsumexp(scores, dim=0).mean()
    return diagonal - 0.5 * (rows + columns) + math.log(scores.shape[0])


def smile(scores: Tensor, clip: float = SMILE_CLIP) -> Tensor:
    """Donsker-Varadhan of scores (b, b), clipped to +-``clip`` in the partition term: less variance, some bias; nats."""
    return scores.diagonal().mean() - log_mean_exp_off_diagonal(scores.clamp(-clip, clip))


def log_mean_exp_off_diagonal(scores: Tensor) -> Tensor:
    """Log of the mean of exp over the scores (b, b) off the diagonal, which stand for the product of the marginals."""
    b = scores.shape[0]
    diagonal = torch.eye(b, dtype=torch.bool, device=scores.device)
    return torch.logsumexp(scores.masked_fill(diagonal, -torch.inf).flatten(), dim=0) - math.log(b * (b - 1))
