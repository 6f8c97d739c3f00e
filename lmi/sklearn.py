"""``mutual_info_regression`` and ``mutual_info_classif`` with scikit-learn's signatures and values, for its pipelines.

scikit-learn adds noise of 1e-10 to break ties; here nothing is random, and where values repeat KSG takes its form for ties
(Gao et al. 2017). Where none repeat the values are scikit-learn's with its noise off.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numba
import numpy as np
import torch
from joblib import effective_n_jobs
from scipy.sparse import issparse
from sklearn.metrics import mutual_info_score
from sklearn.utils import check_array
from torch import Tensor

from lmi.arguments import whole
from lmi.estimators.neighbors.conditional import ross_pointwise
from lmi.estimators.pairwise.ksg import KsgPairs, scaled
from lmi.inputs import Matrix, read_matrices, read_matrix
from lmi.labels import read_labels


def mutual_info_regression(
    X: Any,
    y: Any,
    *,
    discrete_features: Any = "auto",
    n_neighbors: int = 3,
    copy: bool = True,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> np.ndarray:
    """I(X_j; y) of every column with a continuous target: KSG, and Ross's estimate for discrete columns.

    Args:
        X: (n, d) in any container; of a sparse matrix the columns are discrete.
        y: (n,) numbers.
        discrete_features: "auto" (sparse ones are), one bool for all, a mask (d,) or column numbers.
        n_neighbors: k of both estimates.
        copy: for scikit-learn's signature: X is never written to.
        random_state: for scikit-learn's signature: nothing here is random.
        n_jobs: threads; ``None`` is 1, as in scikit-learn, -1 all cores.

    Returns:
        (d,) nats, 0 in place of what is negative.

    Raises:
        ValueError: for NaN or infinite values, unequal lengths or labels, or no more rows than neighbours.

    >>> from sklearn.feature_selection import SelectKBest
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> SelectKBest(mutual_info_regression, k=1).fit(X, X[:, 1] ** 2).get_support()
    array([False,  True, False])
    """
    X, y = _read(X, read_matrix(y, "y"))
    discrete = _discrete_mask(X, discrete_features)
    k = whole(n_neighbors, "n_neighbors", 1, len(y) - 1)
    with _threads(n_jobs):
        nats = np.zeros(X.shape[1])
        if not discrete.all():
            measure = KsgPairs(k)
            columns, target = (torch.from_numpy(np.array(z, dtype=np.float64)) for z in (X[:, ~discrete], y[:, None]))
            nats[~discrete] = measure.tile(measure.prepare(columns), measure.prepare(target)).numpy()[:, 0]
        for j in np.flatnonzero(discrete):
            nats[j] = _ross(y, _dense(X, int(j)), k)
    return np.maximum(nats, 0.0)


def mutual_info_classif(
    X: Any,
    y: Any,
    *,
    discrete_features: Any = "auto",
    n_neighbors: int = 3,
    copy: bool = True,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> np.ndarray:
    """I(X_j; y) of every column with a class as target: Ross's estimate, and the contingency table for discrete columns.

    Args:
        X: (n, d) in any container; of a sparse matrix the columns are discrete.
        y: (n,) classes, numbers or text.
        discrete_features: "auto" (sparse ones are), one bool for all, a mask (d,) or column numbers.
        n_neighbors: k of Ross's estimate.
        copy: for scikit-learn's signature: X is never written to.
        random_state: for scikit-learn's signature: nothing here is random.
        n_jobs: threads; ``None`` is 1, as in scikit-learn, -1 all cores.

    Returns:
        (d,) nats, 0 in place of what is negative.

    Raises:
        ValueError: for NaN or infinite values, unequal lengths, or a target that does not name classes.

    >>> X = np.array([[0.0], [0.0], [1.0], [1.0]])
    >>> mutual_info_classif(X, ["a", "a", "b", "b"], discrete_features=True).round(4)
    array([0.6931])
    """
    X, y = _read(X, _classes(y))
    discrete = _discrete_mask(X, discrete_features)
    k = whole(n_neighbors, "n_neighbors", 1)
    with _threads(n_jobs):
        nats = [
            mutual_info_score(_codes(_dense(X, j)), y) if discrete[j] else _ross(X[:, j], y, k)
            for j in range(X.shape[1])
        ]
    return np.maximum(np.array(nats, dtype=np.float64), 0.0)


def _read(X: Any, target: Matrix) -> tuple[Any, np.ndarray]:
    """X (n, d), an array or CSC where it is sparse, and the target (n,), paired as ``lmi.estimate`` pairs them."""
    if target.values.shape[1] != 1:
        raise ValueError(f"y has {target.values.shape[1]} columns; expected one")
    is_sparse = issparse(X) and X.dtype.kind in "fiub"
    columns = read_matrix(np.arange(X.shape[0]) if is_sparse else X, "X")
    (columns, target), notes = read_matrices(columns, target, least=1)
    for note in notes:
        warnings.warn(note, stacklevel=3)
    table = check_array(X, accept_sparse="csc", input_name="X") if is_sparse else columns.values.cpu().numpy()
    return table, target.values[:, 0].cpu().numpy()


def _classes(y: Any) -> Matrix:
    read = read_labels(y, "y")
    values = np.asarray(y if not isinstance(y, Tensor) else y.detach().cpu().to_dense().double())
    if values.dtype.kind == "f" and (values % 1 > 0).any():
        raise ValueError(
            f"y holds {values[values % 1 > 0][0]}, which names no class; expected classes, whole numbers or text"
        )
    return read


def _codes(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def _ross(values: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Mean over the samples whose label another one has; 0 where there are none."""
    codes, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    alone = counts[codes] < 2
    if alone.all():
        return 0.0
    column = torch.from_numpy(scaled(torch.from_numpy(np.array(values[:, None], dtype=np.float64))))
    return float(ross_pointwise(column, torch.from_numpy(codes), k).sum()) / int((~alone).sum())


def _dense(X: Any, column: int) -> np.ndarray:
    return X[:, [column]].toarray()[:, 0] if issparse(X) else X[:, column]


def _discrete_mask(X: Any, discrete_features: Any) -> np.ndarray:
    """(d,) which columns are discrete, from the argument as scikit-learn reads it."""
    d = X.shape[1]
    if isinstance(discrete_features, str) and discrete_features != "auto":
        raise ValueError(
            f"discrete_features is {discrete_features!r}; expected 'auto', a bool, a mask or column numbers"
        )
    if isinstance(discrete_features, (str, bool, np.bool_)):
        mask = np.full(d, issparse(X) if isinstance(discrete_features, str) else discrete_features)
    else:
        given = check_array(discrete_features, ensure_2d=False)
        mask = given if given.dtype == bool else np.zeros(d, dtype=bool)
        if (given.dtype == bool and len(given) != d) or (
            given.dtype != bool and not ((given >= -d) & (given < d)).all()
        ):
            raise IndexError(f"discrete_features is {given.tolist()}; expected a mask ({d},) or numbers of {d} columns")
        if given.dtype != bool:
            mask[given] = True
    if issparse(X) and not mask.all():
        raise ValueError("X is sparse and has continuous columns; expected discrete_features=True, or a dense X")
    return mask


@contextmanager
def _threads(n_jobs: int | None) -> Iterator[None]:
    """So many threads for compiled loops; afterwards as before."""
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise ValueError(f"n_jobs is {n_jobs!r}; expected a whole number other than 0, or None")
    before = numba.get_num_threads()
    numba.set_num_threads(min(effective_n_jobs(n_jobs), numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)
