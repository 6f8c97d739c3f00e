"""``lmi.cofiring``: which of very many sparse features fire together, from their co-occurrence counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numba import prange
from scipy.special import gammaln

from lmi.arguments import checked_folder, checked_seed, false_discovery_rate, whole
from lmi.compiled import kernel
from lmi.containers import labels_of
from lmi.estimators.network.cofiring_counts import DOUBTFUL, Counts, null_inflation, read_firing
from lmi.estimators.network.cofiring_files import kept_counts, read_firing_file
from lmi.estimators.network.edges import Edges
from lmi.estimators.significance.document_nulls import chosen_scheme
from lmi.evidence import MOST_PERMUTATIONS
from lmi.inputs import Matrix
from lmi.labels import read_groups
from lmi.types import Context


def cofiring(
    x: Any,
    *,
    features: int | None = None,
    documents: Any = None,
    null: Literal["auto", "g_test", "documents", "shift"] = "auto",
    draws: int = 4,
    rate: float = 0.05,
    most: int | None = None,
    sign: Literal["together", "apart", "both"] = "together",
    seed: int = 0,
    folder: Path | str | None = None,
) -> Edges:
    """Pairs of features that fire together more often than chance: MI of the 2 x 2 table, PMI and lift, exact counts.

    With c_ab the rows where both fire, of n: I is the plug-in MI of the four cells, lift = n c_ab / (c_a c_b), PMI its
    logarithm. G = 2 n I has the chi-squared law with one degree of freedom for independent rows; where fewer than 5 rows
    are expected the p-value is the doubled tail of the hypergeometric law (Fisher's test) if that is larger. Rows of a
    document depend on each other: with ``documents``, all pairs are counted again with the documents of one side moved,
    and G is divided by how much larger than a chi-squared these are for the two features. Nothing of size (d, d) is held.

    Args:
        x: (n, d) SciPy sparse, NumPy, torch, pandas, polars, AnnData or lists: a feature fires where it is not 0; or, with
            ``features``, (n, k) whole numbers, the features that fire in each row, -1 for none. Or the path of a
            safetensors file of such ``indices`` (n, k), which may also hold ``documents`` (n,), and in its metadata
            ``features``, the number of features.
        features: d, where x holds numbers of features.
        documents: (n,) what each row belongs to, the rows of a document in order; ``None`` takes those of the file.
        null: "g_test" takes rows as independent, "documents" and "shift" move documents as in ``lmi.pairwise``, "auto"
            takes the G-test without documents.
        draws: times that documents are moved.
        rate: false-discovery rate over all pairs of features that fire at all.
        most: the strongest so many; ``None`` for all.
        sign: pairs that fire "together" more often than chance, "apart", or "both".
        seed: the same seed moves documents in the same way.
        folder: where counted pairs are kept: a call with the same samples and settings goes on where one was cut off.

    Returns:
        ``Edges`` with extra["together"] (rows where both fire), extra["expected"], extra["lift"] and extra["pmi"] (nats).

    Raises:
        ValueError: for other shapes, numbers that are no features, or fewer than two features that fire.

    >>> from scipy import sparse
    >>> fires = np.random.default_rng(0).random((1000, 4)) < 0.1
    >>> fires[:, 3] = fires[:, 0]
    >>> edges = cofiring(sparse.csr_matrix(fires))
    >>> edges.frame()[["a", "b", "together"]].values.tolist() == [["0", "3", int(fires[:, 0].sum())]]
    True
    """
    if sign not in ("together", "apart", "both"):
        raise ValueError(f"sign is {sign!r}; expected 'together', 'apart' or 'both'")
    rate, seed = false_discovery_rate(rate), checked_seed(seed)
    folder = None if folder is None else checked_folder(folder)
    most = None if most is None else whole(most, "most", 1)
    if isinstance(x, str | Path):
        x, features, in_file = read_firing_file(x, features)
        documents = in_file if documents is None else documents
    rows, (labels, columns) = read_firing(x, features), labels_of(x)
    (n, d), names = rows.shape, columns if columns is not None and features is None else range(rows.shape[1])
    fires = np.bincount(rows.indices, minlength=d)
    varying = int(((fires > 0) & (fires < n)).sum())
    if varying < 2:
        raise ValueError(f"{varying} of {d} features fire in some rows and not in others; pairs need two")
    scale, scheme = np.ones(d), "g_test"
    if null != "g_test" and documents is not None:
        groups = read_groups(documents, "documents", Matrix("x", torch.empty(n, 0), "array", labels))
        scheme = chosen_scheme(groups, null)
        generator = Context(seed).generator("cofiring")
        scale = null_inflation(rows, groups, scheme, generator, whole(draws, "draws", 1, MOST_PERMUTATIONS))
    elif null not in ("auto", "g_test"):
        raise ValueError(f"null={null!r} moves documents; got documents=None")
    tested = varying * (varying - 1) // 2
    counts = kept_counts(rows, scale, rate, {"together": 1, "apart": -1, "both": 0}[sign], folder)
    return _edges(counts, fires, tuple(map(str, names)), n, tested, rate, most, scheme, varying)


def _edges(
    counts: Counts,
    fires: np.ndarray,
    names: tuple[str, ...],
    n: int,
    tested: int,
    rate: float,
    most: int | None,
    scheme: str,
    varying: int,
) -> Edges:
    a, b, together, nats, p = counts
    rare = np.flatnonzero(fires[a].astype(float) * fires[b] < DOUBTFUL * n)
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    p[rare] = np.maximum(p[rare], _fisher(together[rare], fires[a[rare]], fires[b[rare]], n, log_factorial))
    ascending = np.argsort(p, kind="stable")
    q = np.empty(len(p))
    stepped = p[ascending] * tested / np.arange(1, len(p) + 1)
    q[ascending] = np.minimum.accumulate(stepped[::-1])[::-1].clip(max=1.0)
    kept = np.flatnonzero(q <= rate)
    kept = kept[np.argsort(-nats[kept], kind="stable")][:most]
    a, b, together, nats, p, q = (values[kept] for values in (a, b, together, nats, p, q))
    expected = fires[a] * (fires[b] / n)
    with np.errstate(divide="ignore"):
        extra = {"together": together, "expected": expected, "lift": together / expected}
        extra["pmi"] = np.log(extra["lift"])
    words = []
    if varying < len(fires):
        words.append(f"{len(fires) - varying} of {len(fires)} features fire in no row or in all: they count nothing")
    if scheme == "g_test":
        words.append(
            "p-values take rows as independent; tokens of one document are not: documents= says which belong together"
        )
    return Edges(
        a.astype(np.int64),
        b.astype(np.int64),
        nats,
        p,
        q,
        names,
        tested,
        n,
        "cofiring",
        scheme,
        None,
        extra,
        tuple(words),
    )


@kernel(parallel=True, nogil=True)
def _fisher(together: Any, of_a: Any, of_b: Any, n: int, log_factorial: Any) -> Any:
    """Doubled smaller tail of the hypergeometric law of ``together``, (m,), at most 1."""
    p = np.empty(together.size)
    for index in prange(together.size):
        c, a, b = together[index], of_a[index], of_b[index]
        fixed = log_factorial[a] + log_factorial[n - a] + log_factorial[b] + log_factorial[n - b] - log_factorial[n]
        low, high = max(0, a + b - n), min(a, b)
        here = np.exp(
            fixed - log_factorial[c] - log_factorial[a - c] - log_factorial[b - c] - log_factorial[n - a - b + c]
        )
        up, term, k = here, here, c
        while k < high and term > 1e-18 * up:
            term *= float(a - k) * (b - k) / (float(k + 1) * (n - a - b + k + 1))
            up += term
            k += 1
        down, term, k = here, here, c
        while k > low and term > 1e-18 * down:
            term *= float(k) * (n - a - b + k) / (float(a - k + 1) * (b - k + 1))
            down += term
            k -= 1
        p[index] = min(1.0, 2 * min(up, down))
    return p
