"""Other people's estimators, for the same tables: latentmi and scikit-learn, where they are installed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.types import NATS_PER_BIT, Context

PEERS = ("latentmi", "scikit-learn")
INSTALL = 'pip install -e ".[peers]"'


def peer_estimate(name: str, x: Tensor, y: Tensor, context: Context) -> float:
    """Their estimate, nats.

    Raises:
        ValueError: where the package is not installed, and for samples that the peer cannot measure.
    """
    if name == "scikit-learn":
        return _scikit_learn(x.numpy(), y.numpy(), context.derive("scikit-learn") % 2**32)
    peer = latentmi("lmi")
    with seeded(context):
        pointwise, _, _ = peer.estimate(x.numpy(), y.numpy())
    return float(np.nanmean(pointwise)) * NATS_PER_BIT


@contextlib.contextmanager
def seeded(context: Context) -> Iterator[None]:
    """A peer draws from the global random states and prints: both are seeded for the block and restored, and it is quiet."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(context.derive("peer"))
        state = np.random.get_state()  # noqa: NPY002
        np.random.seed(context.derive("peer") % 2**32)  # noqa: NPY002
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


def latentmi(module: str) -> Any:
    """A module of latentmi 0.1.3, which uses ``numpy.NaN`` and so needs NumPy 1: the extra ``peers`` brings both.

    Raises:
        ValueError: where it or NumPy 1 is not installed, with the command that installs them.
    """
    if not is_installed("latentmi"):
        raise ValueError(f"latentmi is not installed beside NumPy 1; install both with: {INSTALL}")
    return importlib.import_module(f"latentmi.{module}")


def is_installed(name: str) -> bool:
    """Whether the peer can be run here."""
    return name != "latentmi" or (importlib.util.find_spec("latentmi") is not None and np.__version__.startswith("1."))


def _scikit_learn(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    from sklearn.feature_selection import mutual_info_regression

    if y.shape[1] != 1 or x.shape[1] != 1:
        raise ValueError("mutual_info_regression measures one column with one column only")
    return float(mutual_info_regression(x, y[:, 0], random_state=seed)[0])
