"""The page of metrics: ``%%metric-names%%`` becomes the names that experiments write into ``result.json``, with their units.

The names are read from the code of the experiments: string keys of the dictionaries that become ``Result.metrics``. What
stands in braces is filled in by the run (the name of an estimator, a case, a column).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
# The end of a name -> its unit.
UNITS = {
    "nats": "nats",
    "bits": "bits",
    "seconds": "seconds",
    "count": "a number of things",
    "ratio": "a ratio, no unit",
    "precision": "a ratio, no unit",
    "recall": "a ratio, no unit",
    "per_second": "per second",
    "covariance": "a correlation, no unit",
    "correlation": "a correlation, no unit",
    "histogram": "a correlation, no unit",
    "gib": "GiB (2^30 bytes)",
    "p_value": "a probability",
    "value": "no unit",
    "rate": "no unit",
}
WORDS = ("choice", "verdict", "verdict_reasons", "suite")
MEANINGS = {
    "{name}_nats": "`estimate`, `ceiling`, and where they are known `truth`, `error`, `interval_low`, `interval_high`, "
    "`null_mean`, `null_high` (95th percentile of shuffled pairs)",
    "{name}_bits": "the same in bits",
    "null_p_value": "(1 + shuffles that reach the estimate) / (1 + shuffles)",
    "measured_samples_count": "samples that the number is the mean of",
    "num_samples_count": "samples drawn or read",
    "choice": "which way was taken, and why",
    "verdict": "reliable, doubtful or abstain",
    "verdict_reasons": "the doubts, in words",
    "share_{name}_ratio": "`of_x`, `of_y`, `of_both`: the estimate over the entropy of a discrete side",
    "estimate_seconds": "wall time of the estimator",
    "total_seconds": "wall time with drawing samples and the oracle",
    "oracle_nats": "KSG on the true low-dimensional variables, where the source has them",
    "oracle_bits": "the same in bits",
    "standard_error_nats": "of the estimate, for sampling error",
    "sampling_error_nats": "half of the 90% interval, before it opens for bias",
    "drift_nats": "what the estimate still gains towards infinitely many samples, from its values on halves, thirds, ...",
    "drift_error_nats": "standard error of the drift",
    "levels_x_count": "distinct rows of x, where both sides are tables",
    "levels_y_count": "distinct rows of y",
    "{name} bound_nats": "the bound of each candidate of `auto` on fresh pairs",
    "ksg_correction_nats": "what nearest neighbours add to the chosen density",
    "maps_correction_nats": "what joint maps were found to lose, added",
    "label_entropy_nats": "entropy of the label: the most that anything can know of it",
    "joint_nats": "I(X; Y, Z), of which the conditional one is a difference",
    "condition_nats": "I(X; Z)",
    "rank_x": "directions of x that vary",
    "rank_y": "directions of y that vary",
    "variates_count": "canonical variates measured, mean over folds",
    "correction_nats": "KSG on the variates minus KSG on a normal surrogate",
    "effective_rank": "canonical variates that matter",
    "optimism_nats": "bound on seen pairs minus bound on fresh ones",
    "ksg_nats": "KSG in the same latents",
    "ksg_standard_error_nats": "its standard error",
    "{name}_stop_nats": "bound of each critic on the stopping part",
    "epochs": "passes of training, a number of things",
    "latent_dims_count": "effective dimension of the latents",
    "best_stop_loss": "lowest loss on the stopping part",
    "effective_batch_count": "samples a step, over all processes",
    "peak_learning_rate": "largest learning rate of the schedule",
    "layers_count": "layers measured",
    "pairs_count": "pairs of columns measured",
    "strongest_bits": "the strongest pair",
    "surviving_pairs_count": "pairs that survive Benjamini-Hochberg over all layers",
    "surviving_ratio": "their share",
    "g_test_surviving_pairs_count": "pairs that survive the G-test, for histograms",
    "seconds": "wall time",
    "label_bits": "entropy of the label",
    "sparse_bits": "held-out bits of the kept neurons at the saturated point",
    "sparse_error_bits": "its standard error",
    "sparse_readout_bits": "the same, by nearest neighbours on the probe's output",
    "saturated_count": "neurons kept at the saturated point",
    "layer_bits": "held-out bits of a linear probe of the whole layer",
    "layer_error_bits": "its standard error",
    "layer_readout_bits": "the same, by nearest neighbours on the probe's output",
    "best_neuron_bits": "the neuron that knows most on its own",
    "best_neuron": "its index",
    "null_neuron_bits": "what the best neuron of shuffled labels would have",
    "above_null_count": "neurons above that",
    "stable_count": "neurons selected in most half-samples",
    "stable_false_bound_count": "bound on the false ones among them",
    "selected_per_half_count": "neurons selected in each half-sample",
    "shown_neurons_bits": "held-out bits of the stable neurons shown",
    "truth_bits": "the true mutual information",
    "sparse_minus_truth_bits": "error of `sparse_bits`",
    "planted_stable_count": "planted neurons among the stable ones",
    "planted_count": "neurons planted",
    "shown_kept_count": "neurons with a weight, at the strength shown",
    "shown_zero_ratio": "share without one",
    "shown_accuracy_ratio": "accuracy on the samples fitted",
    "shown_held_out_accuracy_ratio": "accuracy on fresh samples",
    "shown_iterations_count": "iterations of the solver",
    "shown_intercept": "the probe's constant",
    "path_seconds": "wall time of the whole path",
    "largest_dropped_effect": "largest Cohen's d among the neurons without weight",
    "pair_accuracy_ratio": "accuracy of the two neurons shown, refitted",
    "pair_correlation": "their correlation",
    "sweep_seconds": "wall time of the sweep",
    "gallery_dependent_count": "panels of the gallery whose variables depend on each other",
    "gallery_seen_by_{m}_count": "of these, those that a measure tells from 199 shuffles",
    "peak_memory_gib": "most memory the process held",
    "data_gib": "size of the samples on disk",
    "samples_per_second": "pairs trained on each second",
    "in_memory_nats": "the same estimate with all samples in memory",
    "difference_nats": "streamed minus in memory",
    "jacobian_nats": "from the Jacobian",
    "truth_nats": "the closed form",
    "tokens_count": "tokens read",
    "blocks_count": "blocks of the model",
    "held_out_nats": "loss on held-out text, each token",
    "unigram_nats": "the same by unigram counts",
    "bigram_nats": "the same by bigram counts",
    "parameters_count": "weights of the model",
    "fit_seconds": "training",
    "wall_seconds": "all of it",
    "suite": "name of the suite",
    "cases_count": "cases measured",
    "records_count": "estimates made",
    "{estimator}_{name}": "columns of the table, by estimator; each name ends with its unit",
}


def unit(name: str) -> str:
    """The unit that a metric's name ends with; words and yes or no are no numbers."""
    if name in WORDS:
        return "words"
    for end, meaning in UNITS.items():
        if name == end or name.endswith(f"_{end}"):
            return meaning
    return "no unit"


def _text(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            else:
                words = re.findall(r"[a-z_]+", ast.unparse(part.value))  # type: ignore[attr-defined]
                parts.append("{" + (words[-1] if words else "...") + "}")
        return "".join(parts)
    return None


def _keys(node: ast.expr) -> list[str]:
    keys: list[str] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Dict):
            keys += [key for key in map(_text, inner.keys) if key]
        elif isinstance(inner, ast.DictComp):
            keys += [key for key in [_text(inner.key)] if key]
    return keys


def names_in(path: Path, called: str = "metrics") -> list[str]:
    """The metrics that one file writes, in the order of its code; ``called`` is the variable or argument that holds them."""
    keys: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            places = node.targets if isinstance(node, ast.Assign) else [node.target]
            for place in places:
                if isinstance(place, ast.Name) and place.id == called and node.value is not None:
                    keys += _keys(node.value)
                elif isinstance(place, ast.Subscript) and ast.unparse(place.value) == called:
                    keys += [key for key in [_text(place.slice)] if key]
        elif isinstance(node, ast.keyword) and node.arg == called:
            keys += _keys(node.value)
    return list(dict.fromkeys(keys))


def all_names() -> dict[str, list[str]]:
    """Experiment -> its metrics; ``details`` are those that an estimator adds to an experiment that is one estimate."""
    files = sorted((ROOT / "experiments").rglob("*.py"))
    by_experiment = {str(path.relative_to(ROOT / "experiments").with_suffix("")): names_in(path) for path in files}
    added = [name for path in sorted((ROOT / "lmi").rglob("*.py")) for name in names_in(path, "details")]
    ordered = {
        "estimate": by_experiment.pop("estimate"),
        "details of estimators": list(dict.fromkeys(added)),
        **by_experiment,
    }
    return {name: names for name, names in ordered.items() if names}


def page() -> str:
    """Markdown of all experiments."""
    parts = []
    for place, names in all_names().items():
        title = place if " " in place else f"`experiments/{place}.py`"
        parts.append(f"## {title}\n\n| metric | unit | meaning |\n| --- | --- | --- |")
        parts += [f"| `{name}` | {unit(name)} | {MEANINGS.get(name, '')} |" for name in names]
        parts.append("")
    return "\n".join(parts)


def insert(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fill the placeholder of a page as it is read."""
    if "%%metric-names%%" in source[0]:
        source[0] = source[0].replace("%%metric-names%%", page())


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
