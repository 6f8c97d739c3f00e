"""Normalizing flows: X and Y each mapped by an invertible map so that together they are normal; their closed form is the MI.

Invertible maps of each side leave I(X; Y) as it is. Where f(X), g(Y) are jointly normal with canonical correlations r, it is
-1/2 sum log(1 - r^2). Butakov, Tolmachev, Malanchuk, Neopryatnaya, Frolov, Mutual information estimation via normalizing
flows, NeurIPS (2024). The maps are neural spline flows of the package ``zuko``, fitted by their joint likelihood.
"""

from __future__ import annotations

import copy
import importlib
import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from lmi.estimators.columns import normal_scores_at
from lmi.estimators.folds import split_folds
from lmi.estimators.gaussian.linear import LinearCritic, fit_linear
from lmi.estimators.trust.row_order import time_doubts
from lmi.estimators.trust.second_opinion import linear_doubts
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import default_verdict
from lmi.types import Context, Estimate

SMALLEST_PART = 50
RIDGE = 1e-6  # on every variance, so that a batch has a likelihood
REACH = 4.5  # normal scores beyond which splines are straight lines
SHORT = 0.1  # share of the closed form that fresh pairs may lack


@dataclass(frozen=True, kw_only=True)
class FlowsEstimator:
    """Paired spline flows on columns, judged on folds that fitted none of them: for few columns that bend.

    The likelihood is that of the normal which fits the mapped batch best, so that flows are all there is to learn.

    Args:
        transforms: autoregressive layers of each flow.
        hidden: widths of their networks.
        bins: of each spline.
        learning_rate: of Adam.
        batch_size: samples a step.
        max_epochs: passes over the training part.
        patience: epochs without a higher likelihood of the stopping part before a fit ends.
        folds: each is measured by the maps of the others.

    >>> FlowsEstimator(hidden=(32,)).hidden
    (32,)
    """

    transforms: Annotated[int, Field(ge=1)] = 3
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    bins: Annotated[int, Field(ge=2)] = 8
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    batch_size: Annotated[int, Field(ge=8)] = 256
    max_epochs: Annotated[int, Field(ge=1)] = 40
    patience: Annotated[int, Field(ge=1)] = 6
    folds: Annotated[int, Field(ge=2)] = 3

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``: the mean log density ratio of fresh pairs.

        Raises:
            ImportError: where ``zuko`` is not installed.
            ValueError: for too few samples.
        """
        _zuko()
        n = x.shape[0]
        folds = split_folds(n, self.folds, 0.8, 0.2, context.generator("split"))
        smallest = min(rows.numel() for fold in folds for rows in (fold.train, fold.stop, fold.test))
        if smallest < SMALLEST_PART:
            raise ValueError(f"{n} samples are too few: a part would have {smallest}, expected {SMALLEST_PART} or more")
        pointwise = torch.empty(n, dtype=torch.float64)
        closed = 0.0
        for i, fold in enumerate(folds):
            sides = []
            for z in (x.double(), y.double()):
                scores = normal_scores_at(z[fold.fit])
                sides.append(scores(z).clamp(-REACH, REACH).float())
            u, v = sides
            model = fit_flows(self, (u, v), fold.train, fold.stop, context.child("fold", i))
            with torch.no_grad():
                a, b = (z.double() for z in model.mapped(u, v)[:2])
            normal = fit_linear(a[fold.train], b[fold.train], max(a.shape[1], b.shape[1]))
            pointwise[fold.test] = log_ratio(normal, a[fold.test], b[fold.test])
            closed -= 0.5 * float(torch.log1p(-normal.correlations.square()).sum()) / len(folds)
        nats = float(pointwise.mean())
        error = float(pointwise.std()) / n**0.5
        estimate = Estimate(
            nats=nats,
            estimator="flows",
            num_samples=n,
            pointwise=pointwise,
            interval=(nats - Z_90 * error, nats + Z_90 * error),
            details={"standard_error_nats": error, "closed_form_nats": closed},
        )
        reasons = (
            f"how normal flows of {folds[0].train.numel()} samples make the rest is not known: what they miss is missing here",
            *linear_doubts(x, y, nats, error, context.generator("second opinion")),
            *time_doubts(x, y),
        )
        if abs(closed - nats) > max(SHORT * closed, 4 * error):
            reasons += (f"the fitted closed form is {closed:.2f} nats and {nats:.2f} on fresh pairs",)
        return replace(estimate, verdict=default_verdict(estimate, reasons))


class PairedFlows(nn.Module):
    """Two flows, and how normal their outputs are together.

    Args:
        dims: columns of x and of y.
        settings: of the flows.
    """

    def __init__(self, dims: tuple[int, int], settings: FlowsEstimator) -> None:
        super().__init__()
        nsf = _zuko().flows.NSF
        self.f, self.g = (
            nsf(d, transforms=settings.transforms, hidden_features=settings.hidden, bins=settings.bins) for d in dims
        )

    def mapped(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, dx) and (b, dy) mapped samples and (b,) the log determinant of both maps."""
        a, log_a = self.f().transform.call_and_ladj(u)
        b, log_b = self.g().transform.call_and_ladj(v)
        return a, b, log_a + log_b

    def likelihood(self, u: Tensor, v: Tensor) -> Tensor:
        """() mean log likelihood of pairs u (b, dx), v (b, dy), less a constant, under the best normal of them mapped."""
        a, b, volume = self.mapped(u, v)
        z = torch.cat((a, b), 1)
        covariance = torch.cov(z.T) + RIDGE * torch.eye(z.shape[1])
        return volume.mean() - 0.5 * torch.linalg.slogdet(covariance).logabsdet


def fit_flows(
    settings: FlowsEstimator, pairs: tuple[Tensor, Tensor], train: Tensor, stop: Tensor, context: Context
) -> PairedFlows:
    """The flows with the highest likelihood of the stopping part.

    Args:
        settings: of flows and fit.
        pairs: (n, dx), (n, dy) normal scores of all samples.
        train: (a,) what is fitted to.
        stop: (b,) what ends the fit.
        context: seeds.
    """
    u, v = pairs
    with torch.random.fork_rng(devices=[]):  # zuko draws its first weights from the global state
        torch.manual_seed(context.derive("weights"))
        model = PairedFlows((u.shape[1], v.shape[1]), settings)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    count = max(1, round(train.numel() / settings.batch_size))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, count * settings.max_epochs)
    best, best_weights, worse = -math.inf, copy.deepcopy(model.state_dict()), 0
    for epoch in range(settings.max_epochs):
        order = train[torch.randperm(train.numel(), generator=context.generator("epoch", epoch))]
        for rows in order.tensor_split(count):
            optimiser.zero_grad()
            (-model.likelihood(u[rows], v[rows])).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            now = float(model.likelihood(u[stop], v[stop]))
        if now > best:
            best, best_weights, worse = now, copy.deepcopy(model.state_dict()), 0
        else:
            worse += 1
            if worse >= settings.patience:
                break
    model.load_state_dict(best_weights)
    return model


def log_ratio(normal: LinearCritic, a: Tensor, b: Tensor) -> Tensor:
    """(n,) pointwise mutual information of a (n, dx) and b (n, dy) under the normal model, nats."""
    u, v = normal.variates(a, b)
    r = normal.correlations
    quadratic = (r.square() * (u.square() + v.square()) - 2 * r * u * v) / (1 - r.square())
    return -0.5 * (quadratic + torch.log1p(-r.square())).sum(1)


def _zuko() -> Any:
    try:
        return importlib.import_module("zuko")
    except ImportError as missing:
        raise ImportError("estimator 'flows' needs the package zuko: pip install 'lmi[flows]'") from missing
