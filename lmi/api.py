"""``lmi.estimate``: check the samples once, pick the estimator by name, measure."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.estimators.trust.verdict import judged
from lmi.settings import checked_fields, near
from lmi.types import Context, Estimate, Estimator, Verdict

ESTIMATORS = {  # name -> module:class
    "auto": "lmi.auto.estimator:AutoEstimator",
    "gaussian": "lmi.estimators.gaussian.gaussian:GaussianEstimator",
    "infonce": "lmi.neural.infonce:InfoNCEEstimator",
    "ksg": "lmi.estimators.neighbors.ksg:KSGEstimator",
    "latent": "lmi.latent.estimator:LatentEstimator",
    "latent_bounds": "lmi.latent.latent_bounds:LatentBoundsEstimator",
    "mine": "lmi.neural.mine:MINEEstimator",
    "nwj": "lmi.neural.nwj:NWJEstimator",
    "quantized": "lmi.estimators.modules.quantized:QuantizedEstimator",
    "smile": "lmi.neural.smile:SMILEEstimator",
}
LARGEST = 1e150  # magnitude of a value, above which sums of squares are no floats


def estimate(
    x: Any,
    y: Any,
    estimator: str | Estimator = "auto",
    *,
    given: Any = None,
    y_is_label: bool = False,
    seed: int = 0,
    context: Context | None = None,
    **settings: Any,
) -> Estimate:
    """The mutual information I(X; Y) between the rows of x and of y, or I(X; Y | Z) where z is ``given``.

    Args:
        x: (n, dx) or (n,): numpy array, torch tensor or DataFrame.
        y: (n, dy) or (n,), row by row the partners of x.
        estimator: ``"auto"``, ``"latent"``, ``"ksg"``, ``"gaussian"``, ... or an estimator object.
        given: (n, dz) or (n,) what is conditioned on; for ``ksg`` and ``auto``.
        y_is_label: whether y (n,) names classes, whose order and distances mean nothing; for ``ksg`` and ``auto``.
        seed: the same seed gives the same number.
        context: in place of ``seed``, for callers that want checkpoints, loggers or progress bars.
        settings: of the estimator named, such as ``k=5`` or ``latent_dim=4``.

    Returns:
        An ``Estimate``: ``nats``, ``bits``, ``pointwise``, ``interval``, ``null``, ``ceiling``, ``warnings``, ...

    Raises:
        ValueError: for samples that cannot be measured: NaN or infinity, unequal lengths, too few, complex or object dtype.
        SettingsError: for a setting that the estimator does not have.

    >>> x = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    >>> y = x + torch.randn(500, 1, generator=torch.Generator().manual_seed(1))
    >>> estimate(x, y, "ksg", k=5).bits > 0.3
    True
    """
    if isinstance(estimator, str):
        cls = estimator_class(estimator)
        measure: Estimator = cls(**checked_fields(cls, settings, estimator))
    else:
        if settings:
            raise ValueError(f"settings {sorted(settings)} belong to estimators named by a string; got {estimator!r}")
        measure = estimator
    x, y, warnings = checked_pairs(x, y)
    if x.shape[1] == 0 or y.shape[1] == 0:
        return _of_a_constant(x, y, warnings)
    context = Context(seed=seed) if context is None else context
    if y_is_label and given is not None:
        raise ValueError("a label and something given at once are not supported: measure within each label instead")
    if y_is_label:
        found = _able(measure, "estimate_label", "labels").estimate_label(x, _labels(y), context)
        warnings = [words for words in warnings if not words.startswith("y ")]
    elif given is not None:
        z, _, more = checked_pairs(given, y)
        warnings += [words.replace("x ", "z ", 1) for words in more if words.startswith("x ")]
        if z.shape[0] != x.shape[0]:
            raise ValueError(f"x and z must be paired row by row: got {x.shape[0]} and {z.shape[0]} samples")
        measured = _able(measure, "estimate_given", "conditions")
        found = measured.estimate_given(x, y, z, context) if z.shape[1] else measure.estimate(x, y, context)
    else:
        found = measure.estimate(x, y, context)
    found = dataclasses.replace(found, warnings=(*warnings, *found.warnings))
    return found if found.verdict is not None else dataclasses.replace(found, verdict=judged(found))


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


def _able(measure: Any, method: str, what: str) -> Any:
    if not callable(getattr(measure, method, None)):
        raise ValueError(f"{type(measure).__name__} does not take {what}; the estimators that do are ksg and auto")
    return measure


def _labels(y: Tensor) -> Tensor:
    """(n,) class numbers from one column of any values."""
    if y.shape[1] != 1:
        raise ValueError(f"a label is one column; y has {y.shape[1]}")
    return torch.unique(y[:, 0], return_inverse=True)[1]


def estimator_class(name: str) -> type:
    """The settings class of the estimator called ``name``, imported when it is asked for.

    Raises:
        ValueError: for a name that no estimator has, with the nearest ones; nothing is imported then.
    """
    if name not in ESTIMATORS:
        raise ValueError(f"no estimator is called {name!r}; {near(name, ESTIMATORS)}")
    module, _, cls = ESTIMATORS[name].partition(":")
    return getattr(importlib.import_module(module), cls)


def checked_pairs(x: Any, y: Any) -> tuple[Tensor, Tensor, list[str]]:
    """Samples as floating-point matrices without constant columns, and what a reader has to know of them.

    Raises:
        ValueError: naming what came and what was expected.
    """
    x, y = _matrix(x, "x"), _matrix(y, "y")
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"x and y must be paired row by row: got {x.shape[0]} and {y.shape[0]} samples")
    if x.shape[0] < 2:
        raise ValueError(f"got {x.shape[0]} sample(s); expected at least 2")
    warnings: list[str] = []
    kept = []
    for name, z in (("x", x), ("y", y)):
        varies = (z != z[:1]).any(0)
        if not varies.all():
            warnings.append(f"{name} has {int((~varies).sum())} constant column(s) of {z.shape[1]}: they count nothing")
        z = z[:, varies]
        kept.append(z)
        copies = z.shape[0] - torch.unique(z, dim=0).shape[0] if z.shape[1] else 0
        if copies:
            share = copies / z.shape[0]
            kind = "looks discrete" if share > 0.5 else "has ties"
            warnings.append(
                f"{name} {kind}: {copies} of {z.shape[0]} rows repeat an earlier one; KSG uses its form for ties"
            )
    return kept[0], kept[1], warnings


def _matrix(z: Any, name: str) -> Tensor:
    if hasattr(z, "to_numpy") and not isinstance(z, np.ndarray):
        z = z.to_numpy()
    if not isinstance(z, Tensor):
        array = np.asarray(z)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name} has dtype {array.dtype}; expected real numbers")
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            array = array.astype(np.int64)
        z = torch.from_numpy(np.array(array))
    if z.is_complex():
        raise ValueError(f"{name} has dtype {z.dtype}; expected real numbers")
    z = z.detach()
    if z.dtype in (torch.float16, torch.bfloat16):
        z = z.to(torch.float32)
    elif not z.is_floating_point():
        z = z.to(torch.float64)
    if z.ndim == 1:
        z = z[:, None]
    if z.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(z.shape)}; expected (n,) or (n, d)")
    if z.numel() == 0:
        raise ValueError(f"{name} is empty: shape {tuple(z.shape)}")
    bad = ~torch.isfinite(z)
    if bad.any():
        row, column = (int(i) for i in bad.nonzero()[0])
        count = int(bad.sum())
        raise ValueError(
            f"{name} has {count} value(s) that are NaN or infinite, the first {z[row, column].item()} "
            f"at row {row}, column {column}; expected finite numbers"
        )
    largest = float(z.abs().max())
    if largest > LARGEST:
        raise ValueError(
            f"{name} reaches {largest:.1e}, whose square is no float; expected at most {LARGEST:.0e}: take logarithms"
        )
    return z
