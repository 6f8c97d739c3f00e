"""The edges of a network: which pairs of many columns share something, as a list that says who, how much, how sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from lmi.arguments import whole
from lmi.estimators.network.pruning import indirect_edges
from lmi.files import whole_file
from lmi.types import NATS_PER_BIT


@dataclass(frozen=True, eq=False, repr=False)
class Edges:
    """m pairs of columns, the strongest first.

    Args:
        a: (m,) number of one column.
        b: (m,) number of the other.
        nats: (m,) their MI.
        p: (m,) p-values, NaN where no null was asked for.
        q: (m,) Benjamini-Hochberg adjusted p-values over all ``tested`` pairs.
        names: the columns' names, or their numbers.
        tested: pairs that were measured.
        num_samples: rows measured.
        estimator: what measured them.
        null: what chance was taken to be, in a word.
        background: (2, d) mean and standard deviation of each column's MI with all it was measured against; ``None``
            where that is not known.
        extra: further values of each edge by name, (m,) each.
        warnings: what a reader has to know.
    """

    a: np.ndarray
    b: np.ndarray
    nats: np.ndarray
    p: np.ndarray
    q: np.ndarray
    names: tuple[str, ...]
    tested: int
    num_samples: int
    estimator: str
    null: str
    background: np.ndarray | None = None
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.a)

    def frame(self) -> Any:
        """A DataFrame: a, b (names), bits, nats, p, q, and whatever else is known of an edge."""
        import pandas

        names = np.asarray(self.names, dtype=object)
        columns = {"a": names[self.a], "b": names[self.b], "bits": self.nats / NATS_PER_BIT, "nats": self.nats}
        return pandas.DataFrame({**columns, "p": self.p, "q": self.q, **self.extra})

    def degrees(self) -> np.ndarray:
        """(d,) edges of each column."""
        return np.bincount(np.concatenate([self.a, self.b]), minlength=len(self.names))

    def strongest(self, count: int) -> Edges:
        """The first ``count`` edges."""
        return self.chosen(np.arange(min(len(self), whole(count, "count", 1))))

    def chosen(self, which: np.ndarray) -> Edges:
        """The edges that a mask or numbers (m,) choose."""
        rows: dict[str, Any] = {name: getattr(self, name)[which] for name in ("a", "b", "nats", "p", "q")}
        return replace(self, **rows, extra={name: values[which] for name, values in self.extra.items()})

    def pruned(self, tolerance: float = 0.0) -> Edges:
        """Without the weakest edge of every triangle: the data processing inequality, see ``indirect_edges``.

        Raises:
            ValueError: for a tolerance below 0.
        """
        if not tolerance >= 0:
            raise ValueError(f"tolerance is {tolerance!r}; expected nats of at least 0")
        return self.chosen(~indirect_edges(self.a, self.b, self.nats, len(self.names), tolerance))

    def clr(self) -> Edges:
        """The same edges with ``extra["clr"]``, by which they are sorted: how far an MI stands out from both columns' own.

        sqrt(z_a^2 + z_b^2) with z_a = max(0, (MI - mean_a) / sd_a) over all that column a was measured against: context
        likelihood of relatedness (Faith et al., PLoS Biology 5:e8, 2007).

        Raises:
            ValueError: where the background is not known.
        """
        if self.background is None:
            raise ValueError("the background of the columns is not known; edges of lmi.pairwise_edges have it")
        mean, spread = self.background
        z = [
            np.divide(self.nats - mean[i], spread[i], out=np.zeros(len(self)), where=spread[i] > 0).clip(0)
            for i in (self.a, self.b)
        ]
        scored = replace(self, extra={**self.extra, "clr": np.hypot(*z)})
        return scored.chosen(np.argsort(-scored.extra["clr"], kind="stable"))

    def to_csv(self, path: Path | str) -> None:
        """Write ``frame()`` as a table, all of it or none."""
        with whole_file(Path(path)) as partial:
            self.frame().to_csv(partial, index=False)

    def to_graphml(self, path: Path | str) -> None:
        """Write the network as GraphML, for Cytoscape, Gephi, igraph or NetworkX; columns without edges are left out."""
        frame = self.frame()
        values = [name for name in frame.columns if name not in ("a", "b")]
        nodes = np.flatnonzero(self.degrees())
        lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
        lines.append('<key id="name" for="node" attr.name="name" attr.type="string"/>')
        lines += [f'<key id="{name}" for="edge" attr.name="{name}" attr.type="double"/>' for name in values]
        lines.append('<graph edgedefault="undirected">')
        lines += [f'<node id="n{i}"><data key="name">{_text(self.names[i])}</data></node>' for i in nodes]
        for i, j, row in zip(self.a, self.b, frame[values].itertuples(index=False)):
            data = "".join(f'<data key="{name}">{float(v)!r}</data>' for name, v in zip(values, row))
            lines.append(f'<edge source="n{i}" target="n{j}">{data}</edge>')
        with whole_file(Path(path)) as partial:
            partial.write_text("\n".join([*lines, "</graph>", "</graphml>", ""]), encoding="utf-8")

    def __repr__(self) -> str:
        return (
            f"<Edges: {len(self)} of {self.tested} pairs of {len(self.names)} columns by {self.estimator} on "
            f"{self.num_samples} rows>"
        )

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{escape(word)}</p>" for word in (repr(self), *self.warnings))
        return words + self.frame().head(10).to_html(float_format="{:.4g}".format, index=False)


def _text(name: str) -> str:
    return quoteattr(name)[1:-1]
