"""Other people's estimators, for the same tables: latentmi and scikit-learn, where they are installed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from lmi.types import NATS_PER_BIT, Context

PEERS = ("latentmi", "scikit-learn")
INSTALL = "pip install --no-deps latentmi==0.1.3"


def peer_estimate(name: str, x: Tensor, y: Tensor, context: Context) -> float:
    """Their estimate, nats.

    Raises:
        ValueError: where the package is not installed, and for samples that the peer cannot measure.
    """
    if name == "scikit-learn":
        return _scikit_learn(x.numpy(), y.numpy(), context.derive("scikit-learn") % 2**32)
    with latentmi("lmi") as peer, contextlib.redirect_stdout(io.StringIO()):  # it prints every epoch
        pointwise, _, _ = peer.estimate(x.numpy(), y.numpy())
    return float(np.nanmean(pointwise)) * NATS_PER_BIT


@contextlib.contextmanager
def latentmi(module: str) -> Iterator[Any]:
    """A module of latentmi 0.1.3, which predates NumPy 2 and uses ``numpy.NaN``: it is there while the block lasts.

    Raises:
        ValueError: where latentmi is not installed, with the command that installs it.
    """
    if importlib.util.find_spec("latentmi") is None:
        raise ValueError(f"latentmi is not installed; install it with: {INSTALL}")
    lacking = not hasattr(np, "NaN")
    if lacking:
        vars(np)["NaN"] = np.nan
    try:
        yield importlib.import_module(f"latentmi.{module}")
    finally:
        if lacking:
            del vars(np)["NaN"]


def _scikit_learn(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    from sklearn.feature_selection import mutual_info_regression

    if y.shape[1] != 1 or x.shape[1] != 1:
        raise ValueError("mutual_info_regression measures one column with one column only")
    return float(mutual_info_regression(x, y[:, 0], random_state=seed)[0])
