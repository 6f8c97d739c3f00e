"""What the columns of tables say, where several experiments have them: each adds its own and passes both to ``Result``."""

from __future__ import annotations

BARS = {
    "what": "what is promised",
    "measured": "in this run",
    "unit": "of the figure and of the bar",
    "bar": "what it has to be",
    "met": "whether it is",
}

COMMON = {
    "a": "a column",
    "b": "another",
    "bits": "mutual information",
    "nats": "mutual information",
    "samples": "pairs of each estimate",
    "90% interval (bits)": "where the mutual information lies with 90% confidence; inf: no upper end is known",
    "truth_bits": "true mutual information",
    "truth (bits)": "true mutual information",
    "estimator": "what measured it",
    "seconds": "wall time",
    "seed": "of samples and estimators",
    "repeat": "a fresh data set each",
    "layer": "of the network, or a matrix of the file",
    "layers": "how many were measured",
    "dims": "columns of a layer",
    "tokens": "rows",
    "pairs": "pairs of columns",
    "C": "inverse strength of the L1 penalty",
}

GPU = {
    "path": "what ran on the device",
    "unit": "what is counted",
    "seconds": "wall time on the device",
    "per_second": "units a second: pairs, points, rows or steps",
    "difference": "largest difference from the CPU, nats (of neighbours: share of other neighbours)",
    "equal": "whether it is within the tolerance",
    "roofline_ratio": "share of what the card does at most, measured here by products of matrices and copies",
}
