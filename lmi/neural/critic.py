"""Neural critics of pairs, fitted to a lower bound on mutual information and stopped on a part of their own.

Joint, separable and hybrid scores of learned features: Poole et al., ICML (2019); Belghazi et al. (MINE), ICML (2018).
A plain loop and no Trainer: a fit is a second or two, which setting a Trainer up would double.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lmi.estimators.bounds.bounds import donsker_varadhan, infonce, nwj, smile
from lmi.estimators.bounds.heldout import Scores
from lmi.neural.nets import JointCritic, perceptron
from lmi.threads import step_flop, threads_for
from lmi.types import Context

Bound = Literal["mine", "nwj", "infonce", "smile"]
BOUNDS: dict[str, Callable[[Tensor], Tensor]] = {
    "mine": donsker_varadhan,
    "nwj": nwj,
    "infonce": infonce,
    "smile": smile,
}


@dataclass(frozen=True, kw_only=True)
class CriticSettings:
    """What a critic is and how it is fitted.

    Args:
        critic: ``separable`` is g(x) . h(y), ``joint`` a perceptron of both features, ``hybrid`` their sum.
        features: outputs of the networks g and h.
        hidden: widths of g and h.
        batch_size: samples a step; all pairs of a batch are scored.
        max_epochs: most passes over the training part.
        patience: epochs without a higher bound on the stopping part before the fit ends.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
    """

    critic: Literal["joint", "separable", "hybrid"] = "hybrid"
    features: Annotated[int, Field(ge=1)] = 16
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (128, 64)
    batch_size: Annotated[int, Field(ge=2)] = 256
    max_epochs: Annotated[int, Field(ge=1)] = 100
    patience: Annotated[int, Field(ge=1)] = 10
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2


CACHED_ROWS = 5000  # of the training part, of which all pairs' scores by the base are kept: 100 MB


class Critic(nn.Module):
    """f(x, y) for every pair of rows: (b, dx), (c, dy) -> (b, c)."""

    def __init__(self, dx: int, dy: int, settings: CriticSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.g = perceptron((dx, *settings.hidden, settings.features), generator)
        self.h = perceptron((dy, *settings.hidden, settings.features), generator)
        self.joint = (
            None
            if settings.critic == "separable"
            else JointCritic(settings.features, 4 * settings.features, generator, compiled=True)
        )
        self.dot = settings.critic != "joint"
        self.scale = settings.features**-0.5

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(b, c) scores of x (b, dx) with all of y (c, dy)."""
        g, h = self.g(x), self.h(y)
        parts: list[Tensor] = [self.scale * (g @ h.T)] if self.dot else []
        if self.joint is not None:
            parts.append(self.joint(g, h))
        return torch.stack(parts).sum(0)

    @torch.no_grad()
    def scores(self, x: Tensor, y: Tensor, rows: int = 512) -> Tensor:
        """(b, c) the same for x (b, dx), y (c, dy) without gradients, in blocks of rows, float64."""
        return torch.cat([self(part.float(), y.float()).double() for part in x.split(rows)])


def fit_critic(
    train: tuple[Tensor, Tensor],
    stop: tuple[Tensor, Tensor],
    bound: Bound,
    settings: CriticSettings,
    context: Context,
    base: Scores | None = None,
) -> tuple[Critic, dict[str, list[float]]]:
    """A critic with the weights of its highest bound on ``stop``, and its training curves.

    Args:
        train: (n, dx), (n, dy) of about unit scale.
        stop: pairs that decide when to end.
        bound: what is maximised.
        settings: see ``CriticSettings``.
        context: weights and batches.
        base: scores that are there already; the critic learns what to add to them.

    Raises:
        ValueError: where the bound on ``stop`` was never finite: the fit diverged.
    """
    x, y = (z.float() for z in train)
    stop_x, stop_y = (z.float()[:2000] for z in stop)
    below = _base_scores(base, x, y)
    blocks = [(a, b, _below(base, a, b)) for a, b in zip(stop_x.split(1000), stop_y.split(1000)) if len(a) > 1]

    critic = Critic(x.shape[1], y.shape[1], settings, context.generator("weights"))
    optimiser = torch.optim.AdamW(
        critic.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    objective, order = BOUNDS[bound], context.generator("batches")
    best, best_state, waited = -math.inf, None, 0
    curves: dict[str, list[float]] = {"train_loss": [], "stop_loss": []}
    parts = max(1, x.shape[0] // settings.batch_size)
    with threads_for(step_flop(sum(weight.numel() for weight in critic.parameters()), settings.batch_size)):
        for _ in range(settings.max_epochs):
            total = 0.0
            for indices in torch.randperm(x.shape[0], generator=order).tensor_split(parts):
                loss = -objective(critic(x[indices], y[indices]) + below(indices))
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(critic.parameters(), 1.0)
                optimiser.step()
                total += float(loss.detach()) / parts
            with torch.no_grad():
                now = float(torch.stack([objective(critic(a, b) + known) for a, b, known in blocks]).mean())
            curves["train_loss"].append(total)
            curves["stop_loss"].append(-now)
            if now > best:
                best, best_state, waited = now, copy.deepcopy(critic.state_dict()), 0
            else:
                waited += 1
                if waited >= settings.patience:
                    break
    if best_state is None:
        raise ValueError(f"the {bound} critic diverged: its bound on the stopping part was never finite")
    critic.load_state_dict(best_state)
    return critic, curves


def _base_scores(base: Scores | None, x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor | float]:
    """Rows (b,) of x (n, dx), y (n, dy) -> their scores (b, b) by ``base``; of few rows, all are worked out once."""
    if base is None or x.shape[0] > CACHED_ROWS:
        return lambda rows: _below(base, x[rows], y[rows])
    known = base(x.double(), y.double()).float()
    return lambda rows: known[rows[:, None], rows]


def _below(base: Scores | None, a: Tensor, b: Tensor) -> Tensor | float:
    """(b, c) scores of a (b, dx) and b (c, dy) by ``base``; 0 where there is none."""
    return 0.0 if base is None else base(a.double(), b.double()).float()
