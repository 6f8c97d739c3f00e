"""Edges that come back: a network measured again and again on parts of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmi.arguments import whole
from lmi.estimators.network.edges import Edges
from lmi.estimators.network.pairwise_edges import pairwise_edges
from lmi.estimators.network.table import read_table
from lmi.estimators.pairwise.matrix import PairEstimator
from lmi.types import Context

BOOTSTRAP_SHARE = 0.632  # 1 - 1 / e: different rows in a bootstrap sample


def consensus_edges(
    x: Any,
    estimator: PairEstimator = "ksg",
    *,
    resamples: int = 20,
    agreement: float = 0.5,
    prune: float | None = None,
    documents: Any = None,
    targets: Iterable[Any] | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    **settings: Any,
) -> Edges:
    """The edges of all rows that at least a share ``agreement`` of ``resamples`` networks has as well.

    The rule: each network is found at the same false-discovery rate (and pruned in the same way) on 63.2% of the rows
    (of the documents, where there are any), as many different ones as a bootstrap sample has, drawn without
    replacement, since equal rows would be neighbours at distance 0. An edge is kept where it is an edge of all rows and
    of at least ``agreement`` of these networks; ``extra["frequency"]`` says of how many.

    Args:
        x: see ``pairwise_edges``.
        estimator: see ``pairwise_edges``.
        resamples: networks.
        agreement: share of them, above 0, at most 1.
        prune: tolerance of ``Edges.pruned`` in nats; ``None`` does not prune.
        documents: (n,) see ``pairwise_edges``; whole documents are drawn.
        targets: see ``pairwise_edges``.
        seed: the same seed draws the same rows.
        folder: see ``pairwise_edges``.
        settings: of ``pairwise_edges``.

    Raises:
        ValueError: see ``pairwise_edges``.

    >>> x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    >>> x = torch.cat([x, x[:, :1] + x[:, 1:2]], 1)
    >>> consensus_edges(x, "gaussian", resamples=4).frame()[["a", "b", "frequency"]].values.tolist()
    [['0', '3', 1.0], ['1', '3', 1.0]]
    """
    resamples = whole(resamples, "resamples", 1)
    if not 0 < agreement <= 1:
        raise ValueError(f"agreement is {agreement!r}; expected a share above 0, at most 1")
    targets = None if targets is None else list(targets)
    edges = pairwise_edges(x, estimator, documents=documents, targets=targets, seed=seed, folder=folder, **settings)
    edges = edges if prune is None else edges.pruned(prune)
    whole_table = read_table(
        x, documents, "none", estimator, 1, settings.get("layer"), settings.get("missing", "refuse")
    )
    values, is_grouped = whole_table.side.values, whole_table.is_grouped
    groups = whole_table.documents if is_grouped else torch.arange(len(values))
    present = groups.unique()
    numbers = None if targets is None else [edges.names.index(str(target)) for target in targets]
    size = len(edges.names)
    codes, times = edges.a * size + edges.b, np.zeros(len(edges))
    codes = np.minimum(codes, edges.b * size + edges.a)
    settings = {name: value for name, value in settings.items() if name not in ("layer", "missing")}
    for resample in range(resamples):
        generator = Context(seed).generator("consensus", resample)
        drawn = torch.randperm(len(present), generator=generator)[: max(2, round(BOOTSTRAP_SHARE * len(present)))]
        rows = torch.isin(groups, present[drawn])
        resampled = pairwise_edges(
            values[rows],
            estimator,
            documents=groups[rows] if is_grouped else None,
            targets=numbers,
            seed=seed,
            folder=folder,
            **settings,
        )
        resampled = resampled if prune is None else resampled.pruned(prune)
        times += np.isin(codes, np.minimum(resampled.a * size + resampled.b, resampled.b * size + resampled.a))
    scored = replace(edges, extra={**edges.extra, "frequency": times / resamples})
    return scored.chosen(times / resamples >= agreement)
