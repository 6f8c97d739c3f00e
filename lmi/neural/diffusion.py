"""Diffusion: how much better Y helps to take noise off X, integrated over the strength of the noise, is the MI.

With z = k x + s e, e standard normal, k^2 + s^2 = 1 and the log signal-to-noise ratio l = log(k^2 / s^2),

I(X; Y) = 1/2 int (E||e - e(z)||^2 - E||e - e(z, y)||^2) dl = 1/2 int E||e(z) - e(z, y)||^2 dl,

where e(z), e(z, y) are the best predictions of the noise without and with y. Guo, Shamai, Verdu, Mutual information and
minimum mean-square error in Gaussian channels, IEEE Trans. Inf. Theory 51 (2005). One network learns both: MINDE-C of Franzese,
Bounoua, Michiardi, Mutual information neural diffusion estimation, ICLR (2024), whose importance sampling of times is a uniform
l. Reported is the first form, term by term the pointwise mutual information (Kong, Brekelmans, Ver Steeg, Information-theoretic
diffusion, ICLR 2023): fresh pairs are the judge of what the network learned. The second, theirs, stands beside it.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from lmi.estimators.columns import normal_scores_at
from lmi.estimators.folds import Fold, make_folds
from lmi.estimators.trust.row_order import time_doubts
from lmi.estimators.trust.second_opinion import linear_doubts
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import default_verdict
from lmi.neural.denoisers import (
    HIGH,
    LOW,
    Denoiser,
    Denoisers,
    NetworkDenoiser,
    NormalDenoiser,
    confirmed_share,
    losses_of,
    noised,
    noisy_batch,
)
from lmi.threads import step_flop, threads_for
from lmi.types import Context, Estimate

SMALLEST_PART = 30
REACH = 4.5  # normal scores beyond which nothing is learned
UNFINISHED = 0.02  # share of the integral that its last twentieth may hold
CHECK = 250  # steps between two looks at the stopping part
STOP_DRAWS = 4000  # noisy samples of the stopping part, about
EMA = 0.999
APART = 0.1  # share of the estimate by which its two forms may differ


@dataclass(frozen=True, kw_only=True)
class DiffusionEstimator:
    """Denoisers of one side with and without the other, judged on folds that fitted none of them.

    Each column goes through its normal scores first, which changes no MI. The side of fewer columns gets the noise.

    Args:
        width: of the network.
        blocks: two layers each, whose input is added to their output.
        steps: of AdamW; every 250 the losses on the stopping part are asked, without and with y, and the best weights of each
            are kept.
        learning_rate: the highest, after a twentieth of the steps; it goes down to 0 at the end.
        batch_size: noisy samples a step, half of which show y.
        draws: strengths of noise at which each sample is measured, one in each of as many equal stretches.
        closed_form: whether the network corrects the denoiser of the fitted normal, which is taken where it is no better on the
            stopping part.
        folds: each is measured by the denoisers of the others.

    >>> DiffusionEstimator(width=64).width
    64
    """

    width: Annotated[int, Field(ge=1)] = 128
    blocks: Annotated[int, Field(ge=1)] = 3
    steps: Annotated[int, Field(ge=1)] = 4000
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    batch_size: Annotated[int, Field(ge=2)] = 256
    draws: Annotated[int, Field(ge=20)] = 40
    closed_form: bool = True
    folds: Annotated[int, Field(ge=2)] = 3

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``: the integral over fresh pairs, nats.

        Raises:
            ValueError: for too few samples.
        """
        n = x.shape[0]
        folds = make_folds(n, self.folds, context.generator("split"))
        smallest = min(rows.numel() for fold in folds for rows in (fold.train, fold.stop, fold.test))
        if smallest < SMALLEST_PART:
            raise ValueError(f"{n} samples are too few: a part would have {smallest}, expected {SMALLEST_PART} or more")
        noisy, seen = (x, y) if x.shape[1] <= y.shape[1] else (y, x)
        gains = torch.empty(n, self.draws, dtype=torch.float64)
        squares, share, networks = 0.0, 0.0, 0
        for i, fold in enumerate(context.bar(folds, "denoisers")):
            u, v = (_scores(z, fold) for z in (noisy, seen))
            denoisers = fit_denoisers(self, (u, v), fold, context.child("fold", i))
            networks += isinstance(denoisers.with_y, NetworkDenoiser)
            gains[fold.test], square = integrand(
                denoisers, u[fold.test], v[fold.test], self.draws, context.generator("noise", i)
            )
            squares += square * fold.test.numel() / n
            share += denoisers.share / self.folds
        pointwise = gains.mean(1)
        nats, error = float(pointwise.mean()), float(pointwise.std()) / n**0.5
        estimate = Estimate(
            nats=nats,
            estimator="diffusion",
            num_samples=n,
            pointwise=pointwise,
            interval=(nats - Z_90 * error, nats + Z_90 * error),
            choice=f"networks in {networks} of {self.folds} folds" if networks else "the denoiser of a normal",
            details={
                "standard_error_nats": error,
                "squared_difference_nats": squares,
                "confirmed_share_ratio": share,
            },
        )
        reasons = (
            f"what denoisers of {folds[0].train.numel()} samples miss is not known, and missing here",
            *linear_doubts(x, y, nats, error, context.generator("second opinion")),
            *time_doubts(x, y),
        )
        if abs(squares - nats) > max(APART * nats, 4 * error):
            reasons += (f"both forms of the integral should agree, and are {nats:.2f} and {squares:.2f} nats",)
        last = float(gains[:, -self.draws // 20 :].sum(1).mean()) / self.draws
        if last > max(UNFINISHED * nats, 2 * error):
            reasons += (
                f"the integral is not finished where noise is faintest: its last twentieth holds {last:.2f} nats",
            )
        return replace(estimate, verdict=default_verdict(estimate, reasons))


def fit_denoisers(
    settings: DiffusionEstimator, pairs: tuple[Tensor, Tensor], fold: Fold, context: Context
) -> Denoisers:
    """Those with the smallest losses on the stopping part, one without and one with y.

    Each for itself: the estimate is the difference of both losses, and with many columns the one without y ends the fit
    long before the one with it has found what y says. Of what y changes only the share is kept that the stopping part confirms.

    Args:
        settings: of network and fit.
        pairs: (n, dx), (n, dy) normal scores of all samples.
        fold: what is fitted to, and what ends the fit.
        context: seeds.
    """
    x, y = pairs
    normal = NormalDenoiser(x[fold.train], y[fold.train]) if settings.closed_form else None
    dims = (x.shape[1], y.shape[1])
    net = NetworkDenoiser(dims, settings.width, settings.blocks, context.generator("weights"), normal)
    averaged = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.05
    )
    looked = fold.stop.repeat(-(-STOP_DRAWS // (2 * fold.stop.numel())))
    stop = noisy_batch(x, y, looked, context.generator("stop"))
    best = [math.inf, math.inf]
    chosen: list[Denoiser | None] = [normal, normal]
    if normal is not None:
        best = [float(loss) for loss in losses_of(normal, stop)]
    half, generator = settings.batch_size // 2, context.generator("batches")
    flop = step_flop(sum(weight.numel() for weight in net.parameters()), 2 * half)
    with threads_for(flop):
        for step in range(settings.steps):
            rows = fold.train[torch.randint(fold.train.numel(), (half,), generator=generator)]
            optimiser.zero_grad()
            torch.stack(losses_of(net, noisy_batch(x, y, rows, generator))).mean().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                keep = min(EMA, (1 + step) / (10 + step))
                torch._foreach_lerp_(list(averaged.parameters()), list(net.parameters()), 1 - keep)
                if (step + 1) % CHECK and step + 1 < settings.steps:
                    continue
                now = [float(loss) for loss in losses_of(averaged, stop)]
            for side in range(2):
                if now[side] < best[side]:
                    best[side], chosen[side] = now[side], copy.deepcopy(averaged)
    without, with_y = chosen
    if without is None or with_y is None:
        raise ValueError("the denoiser diverged: its loss on the stopping part was never finite")
    denoisers = Denoisers(without, with_y)
    with torch.no_grad():
        return denoisers._replace(share=confirmed_share(denoisers, stop))


@torch.no_grad()
def integrand(
    denoisers: Denoisers, x: Tensor, y: Tensor, draws: int, generator: torch.Generator
) -> tuple[Tensor, float]:
    """(n, draws) how much smaller the squared error is with y, and the mean squared difference; their means are nats.

    Args:
        denoisers: v without and with y.
        x: (n, dx) what gets noise.
        y: (n, dy).
        draws: equal stretches of the log signal-to-noise ratio, one draw in each.
        generator: of noise.
    """
    gains, squares = [], 0.0
    scale = (HIGH - LOW) / 2
    for stretch in range(draws):
        log_snr = LOW + (HIGH - LOW) * (stretch + torch.rand(len(x), generator=generator)) / draws
        z, v, k = noised(x, log_snr, generator)
        a, b = denoisers.both(z, y, log_snr)
        gains.append(scale * ((k * (v - a)).square() - (k * (v - b)).square()).sum(1).double())
        squares += scale * float((k * (a - b)).square().sum(1).double().mean()) / draws
    return torch.stack(gains, 1), squares


def _scores(z: Tensor, fold: Fold) -> Tensor:
    z = z.double()
    return normal_scores_at(z[fold.fit])(z).clamp(-REACH, REACH).float()
