"""Which neurons a sparse probe keeps whatever the sample, and which others would have done instead."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmi.estimators.pairwise.rowwise import ksg_pointwise
from lmi.estimators.probes.l1 import first_strength, l1_path
from lmi.estimators.probes.probe import Array, Booleans, Rows


class Stability(NamedTuple):
    """How often each neuron is among the first to enter the path.

    Fields:
        frequency: (d,) share of the half-samples that selected it.
        num_selected: how many neurons a half-sample may select at most.
        threshold: the share from which a neuron is called stable.
        false_bound: at most this many stable neurons are false in expectation, q^2 / ((2 threshold - 1) d).
    """

    frequency: Array
    num_selected: int
    threshold: float
    false_bound: float

    @property
    def stable(self) -> NDArray[np.int64]:
        """The stable neurons, the most frequent first."""
        order = np.argsort(-self.frequency, kind="stable")
        return order[self.frequency[order] >= self.threshold]


def stability_selection(
    h: Array, positive: Booleans, documents: Rows, pairs: int, threshold: float, false_bound: float, seed: int,
    bar: Callable[[Iterable[Any], str], Iterable[Any]],
) -> Stability:  # fmt: skip
    """Selection frequencies over complementary halves of the documents.

    Meinshausen and Buehlmann, "Stability selection", 2010; complementary halves: Shah and Samworth, 2013. Each half
    follows its own path until q = sqrt(false_bound (2 threshold - 1) d) neurons have entered.

    Args:
        h: (n, d) standardised activations.
        positive: (n,) the class.
        documents: (n,) rows of one document stay in one half.
        pairs: how often the documents are dealt into two halves.
        threshold: share of halves that makes a neuron stable, above 1/2.
        false_bound: expected number of false stable neurons to allow at most.
        seed: deals the halves.
        bar: wraps the halves with a progress bar.
    """
    if not 0.5 < threshold <= 1:
        raise ValueError(f"expected a threshold above 1/2 and at most 1, got {threshold}")
    d = h.shape[1]
    select = max(1, min(d, math.floor(math.sqrt(false_bound * (2 * threshold - 1) * d))))
    generator = np.random.default_rng(seed)
    halves = [half for _ in range(pairs) for half in complementary_halves(positive, documents, generator)]

    def selected(rows: Rows) -> NDArray[np.bool_]:
        first = first_strength(h[rows], positive[rows])
        path = l1_path(h[rows], positive[rows], first * 1.15 ** np.arange(1, 60), tolerance=1e-4, most_kept=select)
        return path.kept[-1] if path.strengths.size else np.zeros(d, dtype=bool)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the path's kernels run outside the interpreter's lock
        kept = list(bar(pool.map(selected, halves), "half-samples"))
    return Stability(np.mean(kept, axis=0), select, threshold, select**2 / ((2 * threshold - 1) * d))


def complementary_halves(
    positive: Booleans, documents: Rows, generator: np.random.Generator, attempts: int = 50
) -> tuple[Rows, Rows]:
    """The rows of a random half of the documents, and those of the other half; both classes are in both.

    Args:
        positive: (n,) the class.
        documents: (n,) the document of each row.
        generator: draws the halves.
        attempts: before it gives up.

    Raises:
        ValueError: where ``attempts`` deals leave a half with one class only.
    """
    names, document = np.unique(documents, return_inverse=True)
    for _ in range(attempts):
        first = generator.permutation(names.size)[document] < names.size // 2
        if all(np.unique(positive[half]).size == 2 for half in (first, ~first)):
            return np.flatnonzero(first), np.flatnonzero(~first)
    raise ValueError(f"halves of the {names.size} documents keep missing a class: too few documents hold the rarer one")


def stand_ins(h: Array, kept: Rows, others: Rows, k: int = 3) -> Array:
    """(len(kept), len(others)) KSG MI in nats between kept neurons and the others: who could stand in for whom.

    Args:
        h: (n, d) activations.
        kept: kept neurons.
        others: candidates to stand in.
        k: neighbours.
    """
    columns = np.ascontiguousarray(h[:, others].T)
    rows = [
        ksg_pointwise(np.broadcast_to(h[:, j], columns.shape), columns, k).mean(axis=1) if others.size else np.zeros(0)
        for j in kept
    ]
    return np.stack(rows) if rows else np.zeros((0, others.size))
