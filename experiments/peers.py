"""Other people's estimators, for the same tables: latentmi and scikit-learn, where they are installed."""

from __future__ import annotations

import contextlib
import importlib.util
import io

import numpy as np
from torch import Tensor

from lmi.types import NATS_PER_BIT, Context

PEERS = ("latentmi", "scikit-learn")


def peer_estimate(name: str, x: Tensor, y: Tensor, context: Context) -> float:
    """Their estimate, nats.

    Raises:
        ModuleNotFoundError: where the package is not installed.
        ValueError: for samples that the peer cannot measure.
    """
    if name == "scikit-learn":
        return _scikit_learn(x.numpy(), y.numpy(), context.derive("scikit-learn") % 2**32)
    if importlib.util.find_spec("latentmi") is None:
        raise ModuleNotFoundError("not installed: pip install --no-deps latentmi")
    return _latentmi(x.numpy(), y.numpy())


def _scikit_learn(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    from sklearn.feature_selection import mutual_info_regression

    if y.shape[1] != 1 or x.shape[1] != 1:
        raise ValueError("mutual_info_regression measures one column with one column only")
    return float(mutual_info_regression(x, y[:, 0], random_state=seed)[0])


def _latentmi(x: np.ndarray, y: np.ndarray) -> float:
    if not hasattr(np, "NaN"):
        np.NaN = np.nan  # type: ignore[attr-defined]  # noqa: NPY201  latentmi 0.1.3 predates NumPy 2
    from latentmi import lmi as latentmi

    with contextlib.redirect_stdout(io.StringIO()):  # it prints every epoch
        pointwise, _, _ = latentmi.estimate(x, y)
    return float(np.nanmean(pointwise)) * NATS_PER_BIT
