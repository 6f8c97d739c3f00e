"""``lmi.estimate``: check the samples once, pick the estimator by name, measure."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.arguments import checked_seed
from lmi.estimators.trust.verdict import default_verdict, worst
from lmi.evidence import Verdict
from lmi.inputs import Matrix, Missing, read_matrices, read_matrix
from lmi.labels import read_labels
from lmi.settings import checked_fields, load_registered, near, registered
from lmi.types import Context, Estimate, Estimator

ESTIMATORS = {  # name -> module:class
    "auto": "lmi.auto.estimator:AutoEstimator",
    "diffusion": "lmi.neural.diffusion:DiffusionEstimator",
    "flows": "lmi.neural.flows:FlowsEstimator",
    "gaussian": "lmi.estimators.gaussian.estimator:GaussianEstimator",
    "infonce": "lmi.neural.infonce:InfoNCEEstimator",
    "ksg": "lmi.estimators.neighbors.ksg:KSGEstimator",
    "latent": "lmi.latent.estimator:LatentEstimator",
    "latent_bounds": "lmi.latent.latent_bounds:LatentBoundsEstimator",
    "mine": "lmi.neural.mine:MINEEstimator",
    "nwj": "lmi.neural.nwj:NWJEstimator",
    "quantized": "lmi.estimators.modules.quantized:QuantizedEstimator",
    "representation": "lmi.latent.representation:RepresentationEstimator",
    "smile": "lmi.neural.smile:SMILEEstimator",
}


def estimate(
    x: Any,
    y: Any,
    estimator: str | Estimator = "auto",
    *,
    given: Any = None,
    y_is_label: bool = False,
    groups: Any = None,
    missing: Missing = "refuse",
    seed: int = 0,
    context: Context | None = None,
    **settings: Any,
) -> Estimate:
    """The mutual information I(X; Y) between the rows of x and of y, or I(X; Y | Z) where z is ``given``.

    Args:
        x: (n, dx) or (n,): NumPy (masked as well), torch, pandas, polars, SciPy sparse, AnnData or lists. Sequences (n,
            length, channels) and pictures (n, channels, height, width) reach ``representation`` as they are, and all
            others as columns.
        y: (n, dy) or (n,), the partners of x: row by row, or by label where both have labels (pandas, AnnData).
        estimator: ``"auto"``, ``"latent"``, ``"ksg"``, ``"gaussian"``, ... or an estimator object.
        given: (n, dz) or (n,) what is conditioned on; for ``ksg`` and ``auto``.
        y_is_label: whether y (n,) names classes (text, categories, numbers), whose order and distances mean nothing; for
            ``ksg`` and ``auto``.
        groups: (n,) what each row belongs to (document, subject, recording), by any label: rows of one group may depend
            on each other, and interval and null respect it; for ``ksg``, ``gaussian`` and ``auto``.
        missing: ``"refuse"`` says where the first missing value is, ``"drop"`` leaves out every row that has one and
            warns of how many.
        seed: the same seed gives the same number.
        context: in place of ``seed``, for callers that want checkpoints, loggers or progress bars.
        settings: of the estimator named, such as ``k=5`` or ``latent_dim=4``.

    Returns:
        An ``Estimate``: ``nats``, ``bits``, ``pointwise``, ``interval``, ``null``, ``ceiling``, ``warnings``, ...

    Raises:
        ValueError: for samples that cannot be measured: NaN or infinity, unequal lengths or labels, too few, no numbers.
        SettingsError: for a setting that the estimator does not have.

    >>> x = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    >>> y = x + torch.randn(500, 1, generator=torch.Generator().manual_seed(1))
    >>> estimate(x, y, "ksg", k=5).bits > 0.3
    True
    """
    measure = _estimator(estimator, settings)
    if context is not None and not isinstance(context, Context):
        raise ValueError(f"context is a {type(context).__name__}; expected lmi.Context")
    if not isinstance(y_is_label, (bool, np.bool_)):
        raise ValueError(f"y_is_label is {y_is_label!r}; expected True or False")
    seed = checked_seed(seed)
    if y_is_label and given is not None:
        raise ValueError("a label and something given at once are not supported: measure within each label instead")
    if groups is not None and (y_is_label or given is not None):
        raise ValueError("groups with a label or something given are not supported: leave one of them out")
    brought = [
        read_matrix(x, "x", is_shaped=True),
        read_labels(y, "y") if y_is_label else read_matrix(y, "y", is_shaped=True),
    ]
    if given is not None:
        brought.append(read_matrix(given, "given"))
    if groups is not None:
        brought.append(read_labels(groups, "groups"))
    read, notes = read_matrices(*brought, missing=missing)
    warnings: list[str] = []
    sides = [side for side in read if side.name != "groups"]
    doubts = tuple(doubt for side in sides for doubt in side.doubts)
    x, y, *z = (side.values[:, (side.values != side.values[:1]).any(0)] for side in sides)
    counts = [_row_counts(side) for side in (x, y, *z)]
    for side, varying, times in zip(sides, (x, y, *z), counts):
        if side.name != "y" or not y_is_label:
            warnings += _repeats(side, varying, times, measure)
    if x.shape[1] == 0 or y.shape[1] == 0:
        return _of_a_constant(x, y, [*notes, *warnings])
    context = Context(seed=seed) if context is None else context
    effort = getattr(measure, "effort", "quick")
    if effort != "quick" and (y_is_label or z or groups is not None):
        warnings.append(
            f"effort={effort} asks learned latents of pairs alone: with labels, given or groups it is quick"
        )
    if y_is_label:
        label = torch.unique(y[:, 0], return_inverse=True)[1]
        result = _able(measure, "estimate_label", "labels", "ksg and auto").estimate_label(x, label, context)
    elif z and z[0].shape[1]:
        result = _able(measure, "estimate_given", "conditions", "ksg and auto").estimate_given(x, y, z[0], context)
    elif groups is not None:
        rows = read[-1].values[:, 0].long()
        result = _able(measure, "estimate_groups", "groups", "ksg, gaussian and auto").estimate_groups(
            x, y, rows, context
        )
    elif effort != "quick":
        learned = importlib.import_module("lmi.latent.effort")
        result = learned.estimate_with_learned(measure, (x, y), (sides[0].samples, sides[1].samples), context)
    elif any(side.shape for side in sides) and callable(getattr(measure, "estimate_shaped", None)):
        result = measure.estimate_shaped(sides[0].samples, sides[1].samples, context)
    else:
        result = measure.estimate(x, y, context)
    if not isinstance(result, Estimate):
        raise ValueError(
            f"{type(measure).__name__} returned a {type(result).__name__}; expected lmi.Estimate(nats, name, num_samples)"
        )
    entropies = (None, None) if z else (_entropy(counts[0]), _entropy(counts[1]))
    result = dataclasses.replace(result, warnings=(*warnings, *result.warnings), entropies=entropies)
    verdict = result.verdict or default_verdict(result)
    verdict = worst(verdict, Verdict("doubtful", doubts)) if doubts else verdict
    return dataclasses.replace(result, warnings=(*notes, *result.warnings), verdict=verdict)


def _estimator(estimator: Any, settings: dict[str, Any]) -> Any:
    if isinstance(estimator, str):
        cls = estimator_class(estimator)
        return cls(**checked_fields(cls, settings, estimator))
    if not callable(getattr(estimator, "estimate", None)) or isinstance(estimator, type):
        raise ValueError(f"estimator is {estimator!r}; expected a name or an object with estimate(x, y, context)")
    if settings:
        raise ValueError(f"settings {sorted(settings)} belong to estimators named by a string; got {estimator!r}")
    return estimator


def _of_a_constant(x: Tensor, y: Tensor, warnings: list[str]) -> Estimate:
    """Exactly 0, whatever the estimator: the one number here that needs no estimating."""
    side = "x" if x.shape[1] == 0 else "y"
    only = f"no column of {side} varies: a constant shares no information with anything"
    return Estimate(
        0.0,
        "constant",
        x.shape[0],
        torch.zeros(x.shape[0], dtype=torch.float64),
        (0.0, 0.0),
        warnings=(*warnings, only),
        verdict=Verdict("reliable"),
        choice=f"nothing was estimated: {only}",
    )


def _able(measure: Any, method: str, what: str, able: str) -> Any:
    if not callable(getattr(measure, method, None)):
        raise ValueError(f"{type(measure).__name__} does not take {what}; the estimators that do are {able}")
    return measure


def estimator_class(name: str) -> type:
    """The settings class of the estimator called ``name``, imported when it is asked for.

    Raises:
        ValueError: for a name that no estimator has, with the nearest ones; nothing is imported then.
    """
    if name not in ESTIMATORS:
        others = registered("lmi.estimators")
        if name in others:
            return load_registered(others[name])
        raise ValueError(f"no estimator is called {name!r}; {near(name, {*ESTIMATORS, *others})}")
    module, _, cls = ESTIMATORS[name].partition(":")
    return getattr(importlib.import_module(module), cls)


def _row_counts(z: Tensor) -> Tensor:
    """How many times each distinct row is there; of no columns at all each row counts as distinct."""
    return torch.unique(z, dim=0, return_counts=True)[1] if z.shape[1] else torch.ones(z.shape[0], dtype=torch.long)


def _repeats(side: Matrix, varying: Tensor, counts: Tensor, measure: Any) -> list[str]:
    """What a reader has to know of constant columns and of rows that repeat.

    Args:
        side: as it was brought.
        varying: (n, d) its columns that vary.
        counts: how many times each distinct row is there.
        measure: the estimator, which may have a form for ties.
    """
    words, (n, d) = [], side.values.shape
    if varying.shape[1] < d:
        constant = (side.values == side.values[:1]).all(0).nonzero().flatten().tolist()
        named = "" if side.columns is None else f" ({', '.join(repr(side.columns[j]) for j in constant[:5])})"
        words.append(f"{side.name} has {len(constant)} constant column(s) of {d}{named}: they count nothing")
    copies = n - counts.numel()
    if copies:
        kind = "looks discrete" if copies > n / 2 else "has ties"
        form = "; KSG uses its form for ties" if type(measure).__name__ == "KSGEstimator" else ""
        words.append(f"{side.name} {kind}: {copies} of {n} rows repeat an earlier one{form}")
    return words


def _entropy(counts: Tensor) -> float | None:
    """Plug-in entropy of a discrete side in nats with Miller and Madow's correction; ``None`` where few rows repeat."""
    n = int(counts.sum())
    if counts.numel() > n / 2:
        return None
    p = counts.double() / n
    return float(-torch.xlogy(p, p).sum()) + (counts.numel() - 1) / (2 * n)
