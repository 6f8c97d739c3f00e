"""Which neurons does a sparse probe keep, how many bits do they hold, and what does the sparsity hide?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmi.experiments import probe_bits, probe_strengths
from lmi.report import probes as figures
from lmi.results import Result
from lmi.sources.planted.labelled import Labelled, LabelledSource, ShiftedClasses
from lmi.types import Context


@dataclass(frozen=True)
class Probe:
    """Sparse logistic probes on labelled activations.

    Args:
        source: yields activations (n, d), a label for each row, and the document of each row.
        positive: the class to tell from the rest; ``None`` takes the rarer of two, or of more the one nearest to half.
        standardise: scale the neurons for the fixed-strength part; bits and stability always do.
        weakest: the smallest C of the fixed-strength part.
        strongest: its largest C.
        num_strengths: how many between them, evenly.
        shown_strength: the C at which coefficients are looked at.
        saga_iterations: how long scikit-learn's saga may run at that C, for comparison; 0 leaves it out.
        path_points: points of the path from where the first neuron enters.
        path_ratio: how many times that C the path goes.
        most_kept: the path ends before more neurons than this.
        num_folds: parts that documents are dealt into; every row is judged by models fitted on the other parts.
        precisions: of the Gaussian prior of the probe that uses all neurons; the folds choose.
        stability_pairs: how often documents are halved; 0 leaves stability out.
        threshold: share of halves that makes a neuron stable.
        false_bound: expected number of false stable neurons to allow at most.
        null_shuffles: label shuffles behind the null of the neurons' own MI.
        k: neighbours of the KSG estimators.
        stand_in_rows: rows for the MI between kept and dropped neurons.
        most_shown: neurons in the tables of stable neurons and of stand-ins.
    """

    source: LabelledSource = field(default_factory=ShiftedClasses)
    positive: str | None = None
    standardise: bool = True
    weakest: float = 1.0
    strongest: float = 5.0
    num_strengths: int = 17
    shown_strength: float = 3.0
    saga_iterations: int = 100
    path_points: int = 40
    path_ratio: float = 1000.0
    most_kept: int = 100
    num_folds: int = 5
    precisions: tuple[float, ...] = (10.0, 100.0, 1000.0, 10000.0)
    stability_pairs: int = 25
    threshold: float = 0.75
    false_bound: float = 1.0
    null_shuffles: int = 3
    k: int = 3
    stand_in_rows: int = 500
    most_shown: int = 12

    def run(self, context: Context) -> Result:
        """Probe the chosen class against the rest, and in brief every other class too."""
        data, notes = drop_constant(self.source.labelled(context))
        classes, counts = np.unique(data.labels, return_counts=True)
        positive = self.choose(classes, counts)
        label = data.labels == positive
        if classes.size > 2:
            notes += (f"{classes.size} classes: each is told from the rest; figures and metrics are of {positive!r}",)
        results = [
            probe_strengths.run(self, data, label, positive, context),
            probe_bits.run(self, data, label, context),
        ]
        rows: list[dict[str, Any]] = [
            {"class": str(c), "rows_count": int(n), "share_ratio": float(n / counts.sum())}
            for c, n in zip(classes, counts)
        ]
        if classes.size > 2:
            for row in context.bar(rows, "classes"):
                row |= probe_bits.one_vs_rest(self, data, data.labels == row["class"], context)
        else:
            rows[int(classes.searchsorted(positive))] |= {"told_from": "the rest"}
        balance = {
            "rows_count": label.size,
            "neurons_count": data.h.shape[1],
            "documents_count": int(np.unique(data.documents).size),
            "positive_ratio": float(label.mean()),
        }
        metrics = balance | {name: value for result in results for name, value in result.metrics.items()}
        return Result(
            experiment="probe",
            answer=f"{metrics['saturated_count']:g} of {metrics['neurons_count']} neurons (mean over folds) say "
            f"{metrics['sparse_bits']:.3f} of the label's {metrics['label_bits']:.3f} bits, the whole layer "
            f"{metrics['layer_bits']:.3f}.",
            legend=figures.LEGEND,
            metrics=metrics,
            arrays={name: value for result in results for name, value in result.arrays.items()},
            tables={name: table for result in results[::-1] for name, table in result.tables.items()}
            | {"classes": rows},
            figures={name: figure for result in results for name, figure in result.figures.items()},
            captions={name: text for result in results for name, text in result.captions.items()},
            notes=notes + tuple(note for result in results for note in result.notes),
        )

    def choose(self, classes: Any, counts: Any) -> str:
        """The positive class."""
        if self.positive is not None:
            if self.positive not in classes:
                raise ValueError(f"no rows are labelled {self.positive!r}; classes are {', '.join(map(str, classes))}")
            return self.positive
        if classes.size == 2:
            return str(classes[0] if counts[0] < counts[1] else classes[1])
        return str(classes[np.abs(counts / counts.sum() - 0.5).argmin()])


def drop_constant(data: Labelled) -> tuple[Labelled, tuple[str, ...]]:
    """The rows without neurons that never vary, and a note that says which those were.

    Raises:
        ValueError: where no neuron varies.
    """
    constant = np.ptp(data.h, axis=0) == 0
    if not constant.any():
        return data, ()
    if constant.all():
        raise ValueError(f"all {constant.size} neurons are constant: nothing to probe")
    places = np.flatnonzero(constant)
    informative = None if data.informative is None else np.searchsorted(np.flatnonzero(~constant), data.informative)
    kept = Labelled(data.h[:, ~constant], data.labels, data.documents, data.name, data.truth_bits, informative)
    shown = ", ".join(map(str, places[:8])) + (", ..." if places.size > 8 else "")
    return kept, (f"{places.size} constant neurons left out ({shown}); the others are numbered without them",)
