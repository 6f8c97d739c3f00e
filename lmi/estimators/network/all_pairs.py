"""``lmi.pairwise``: which pairs of columns share anything, how much, and how sure that is, in one call."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import torch

from lmi.arguments import checked_device, checked_seed, whole
from lmi.containers import device_of
from lmi.estimators.network.edges import Edges
from lmi.estimators.network.table import read_table
from lmi.estimators.pairwise.histogram import Binning, Correction
from lmi.estimators.pairwise.matrix import Bar, PairEstimator, pairwise_measure, tiled
from lmi.estimators.pairwise.prepared import PreparedColumns
from lmi.estimators.significance.document_nulls import Null
from lmi.estimators.significance.effective import LAGS, bartlett_samples
from lmi.estimators.significance.pair_significance import drawn_significance
from lmi.estimators.significance.pooled_null import null_plans
from lmi.evidence import MOST_PERMUTATIONS
from lmi.inputs import Missing, like
from lmi.types import NATS_PER_BIT, Context


@dataclass(frozen=True, eq=False, repr=False)
class AllPairs:
    """What every two of d columns share. The (d, d) tables come as the samples did: DataFrame, tensor or array.

    Args:
        nats: MI of every two columns; the diagonal is what the estimator says of a column against itself.
        p: p-values from the null; 1 on the diagonal.
        q: Benjamini-Hochberg adjusted p-values over all pairs: those at most .05 hold 5% false discoveries.
        effective: effective number of independent rows for each pair.
        names: the columns' names, or their numbers.
        num_samples: rows measured.
        estimator: what measured them.
        null: "documents" or "shift", see ``lmi.pairwise``.
        warnings: what a reader has to know: rows dropped, digits lost, too few documents.
    """

    nats: Any
    p: Any
    q: Any
    effective: Any
    names: tuple[str, ...]
    num_samples: int
    estimator: str
    null: str
    warnings: tuple[str, ...] = ()

    def strongest(self, count: int = 20, rate: float = 1.0) -> Any:
        """A DataFrame of pairs, the strongest first: a, b, bits, nats, p, q, effective rows.

        Args:
            count: rows at most.
            rate: only pairs whose q-value is at most this.
        """
        import pandas

        a, b = np.triu_indices(len(self.names), 1)
        tables = {"nats": self.nats, "p": self.p, "q": self.q, "effective": self.effective}
        values = {name: np.asarray(table)[a, b] for name, table in tables.items()}
        names = np.asarray(self.names, dtype=object)
        frame = pandas.DataFrame({"a": names[a], "b": names[b], "bits": values["nats"] / NATS_PER_BIT} | values)
        kept = frame[frame["q"] <= rate].sort_values("nats", ascending=False, kind="stable")
        return kept.head(whole(count, "count", 1)).reset_index(drop=True)

    def edges(self, rate: float = 0.05, most: int | None = None) -> Edges:
        """The pairs with q-values of at most ``rate``, or the strongest ``most`` of them, as a network."""
        a, b = np.triu_indices(len(self.names), 1)
        nats, p, q = (np.asarray(table) for table in (self.nats, self.p, self.q))
        kept = np.flatnonzero(q[a, b] <= rate)
        kept = kept[np.argsort(-nats[a, b][kept], kind="stable")][:most]
        of_others = np.where(np.eye(len(nats), dtype=bool), np.nan, nats)
        a, b = a[kept], b[kept]
        return Edges(
            a,
            b,
            nats[a, b],
            p[a, b],
            q[a, b],
            names=self.names,
            tested=len(a),
            num_samples=self.num_samples,
            estimator=self.estimator,
            null=self.null,
            background=np.stack([np.nanmean(of_others, 0), np.nanstd(of_others, 0, ddof=min(1, len(nats) - 2))]),
            warnings=self.warnings,
        )

    def __repr__(self) -> str:
        pairs = len(self.names) * (len(self.names) - 1) // 2
        surviving = int((np.asarray(self.q)[np.triu_indices(len(self.names), 1)] <= 0.05).sum())
        return (
            f"<AllPairs of {len(self.names)} columns by {self.estimator} on {self.num_samples} rows: "
            f"{surviving} of {pairs} pairs at q <= 0.05>"
        )

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(word)}</p>" for word in (repr(self), *self.warnings))
        return words + self.strongest(10).to_html(float_format="{:.4g}".format, index=False)


def pairwise(
    x: Any,
    estimator: PairEstimator = "ksg",
    *,
    documents: Any = None,
    null: Null = "auto",
    draws: int = 32,
    k: int = 3,
    bins: int = 15,
    binning: Binning = "width",
    correction: Correction = "none",
    device: str | torch.device = "auto",
    missing: Missing = "refuse",
    layer: str | None = None,
    seed: int = 0,
    bar: Bar | None = None,
) -> AllPairs:
    """MI of every two columns with p-values, q-values and effective samples; see ``pairwise_mi`` for the estimators.

    Args:
        x: (n, d) samples: NumPy, torch, pandas, polars, SciPy sparse, AnnData or lists; the rows of a document in order.
        estimator: "ksg", "histogram", "gaussian", "bspline" or "cofiring".
        documents: (n,) what each row belongs to (document, subject, recording), by any label: rows of one document may
            depend on each other. ``None`` takes all rows as one sequence.
        null: "documents" pairs each document with another, "shift" turns each by a random number of rows, "auto" takes
            the first where there are at least 6 documents.
        draws: null draws of up to 32 x 32 pairs each.
        k: neighbours of KSG.
        bins: bins a column of the histogram.
        binning: bins of equal "width" or of equal "mass".
        correction: "none" or "miller_madow", of the histogram.
        device: where to measure; "auto" is where x is, the CPU for what is no tensor.
        missing: "refuse" missing values, or "drop" the rows that have one.
        layer: of an AnnData, in place of its ``X``.
        seed: the same seed gives the same p-values.
        bar: wraps the loops over tiles and draws, as ``Context.bar`` does.

    Raises:
        ValueError: for samples that cannot be measured, constant columns, fewer than two columns, or documents that do
            not allow for the null.

    >>> x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    >>> found = pairwise(torch.cat([x, x[:, :1] + x[:, 1:2]], 1).numpy(), "gaussian")
    >>> found
    <AllPairs of 4 columns by gaussian on 300 rows: 2 of 6 pairs at q <= 0.05>
    >>> found.strongest(2)[["a", "b"]].values.tolist()
    [['0', '3'], ['1', '3']]
    """
    device = checked_device(device, device_of(x))
    measure = pairwise_measure(estimator, k=k, bins=bins, binning=binning, correction=correction, device=device)
    draws = whole(draws, "draws", 2, MOST_PERMUTATIONS)
    table = read_table(x, documents, null, estimator, k, layer, missing)
    if table.scheme == "none":
        raise ValueError(
            "null is 'none'; expected 'auto', 'documents' or 'shift': lmi.pairwise_mi measures without one"
        )
    side, groups, h = table.side, table.documents, table.side.values.cpu()
    plans = null_plans(groups, table.scheme, Context(checked_seed(seed)).generator("null"), draws, h.shape[1])
    columns = PreparedColumns(measure, h)
    nats = tiled(measure, h, None, None, bar, f"{estimator} x", columns)
    significance = drawn_significance(nats, columns, plans, None, bar)
    return AllPairs(
        nats=like(nats, side),
        p=like(significance.p, side),
        q=like(significance.q, side),
        effective=like(bartlett_samples(h, groups, LAGS), side),
        names=table.names,
        num_samples=len(h),
        estimator=estimator,
        null=table.scheme,
        warnings=table.warnings,
    )
