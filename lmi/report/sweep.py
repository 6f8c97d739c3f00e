"""The end of a sweep: one table of all trials, one figure for each swept axis, and the best config with its command."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev

from matplotlib.figure import Figure

from lmi.files import SWEEP_FILE, SWEEP_TABLE_FILE, TRIAL_FILE, read_mapping
from lmi.report.page import columns_of, write_report
from lmi.report.style import GREY, INK, PALETTE, dress, new_figure
from lmi.report.trials import SEED, Trial, read_trials, swept_axes
from lmi.results import Result, Scalar

MOST_LINES = 6
LOG_RATIO = 8.0


def write_sweep_report(folder: Path) -> str:
    """Write ``sweep.csv``, ``figures/*.png`` and ``report.html`` into the folder of a sweep.

    Returns:
        What came out, in words: how many trials of each status, the best config's command, the report's path.

    Raises:
        FileNotFoundError: where there is no trial in ``folder``.
    """
    trials = read_trials(folder)
    if not trials:
        raise FileNotFoundError(f"no trial in {folder}: expected {folder}/*/{TRIAL_FILE}")
    aim = read_mapping(folder / SWEEP_FILE)
    objective, direction = aim["objective"], aim["direction"]
    axes = swept_axes(trials)
    rows = [row(trial, axes) for trial in trials]
    with (folder / SWEEP_TABLE_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns_of(rows))
        writer.writeheader()
        writer.writerows(rows)
    counts = {
        status: sum(trial.status == status for trial in trials) for status in ("done", "failed", "pruned", "running")
    }
    tables: dict[str, list[dict[str, Scalar]]] = {}
    notes = []
    best = best_config(trials, objective, direction)
    command = answer = ""
    if best is not None:
        command = command_line(best[0], aim.get("program", "python train.py"))
        value = fmean(_values(best, objective))
        chosen = ", ".join(
            f"{axis}={best[0].overrides[axis]}" for axis in axes if axis in best[0].overrides and axis != SEED
        )
        answer = f"The best of {len(trials)} trials has {objective} = {value:.4g}" + (
            f", with {chosen}." if chosen else "."
        )
        tables["best config"] = [
            {"": "command", "value": command},
            {"": f"{objective}, mean of {len(best)}", "value": value},
        ]
    else:
        answer = f"No finished trial has a metric {objective!r}, so none is the best: set sweep.objective."
    tables["trials"] = [_short(trial, axes, objective) for trial in trials]
    notes += [f"{trial.name} failed: {trial.error}" for trial in trials if trial.status == "failed"]
    figures, captions = draw_axes(trials, axes, objective)
    metrics: dict[str, Scalar] = {f"{status}_count": count for status, count in counts.items()}
    if best is not None:
        metrics["best_objective"] = fmean(_values(best, objective))
    Result(
        experiment=f"sweep {folder.name}", metrics=metrics, tables=tables, figures=figures, captions=captions,
        notes=tuple(notes), answer=answer, facts={"objective": f"{objective} ({direction.replace('_', ' ')})"},
    ).save(folder)  # fmt: skip
    report = write_report(folder)
    lines = [", ".join(f"{count} {status}" for status, count in counts.items() if count) + f" of {len(trials)} trials"]
    lines += [f"failed: {trial.name}: {trial.error}" for trial in trials if trial.status == "failed"]
    lines += [f"best {objective}: {command}"] if command else []
    return "\n" + "\n".join([*lines, f"table: {folder / SWEEP_TABLE_FILE}", f"report: {report}"])


def row(trial: Trial, axes: Sequence[str]) -> dict[str, Scalar]:
    """All that is known of a trial, flat."""
    known: dict[str, Scalar] = {"trial": trial.name, "status": trial.status}
    known |= {axis: trial.overrides.get(axis, "") for axis in axes}
    return known | {"seconds": trial.seconds} | dict(trial.metrics) | {"error": trial.error}


def _short(trial: Trial, axes: Sequence[str], objective: str) -> dict[str, Scalar]:
    short: dict[str, Scalar] = {axis: _number(trial.overrides.get(axis, "")) for axis in axes}
    short |= {objective: trial.metric(objective)}
    for name in ("estimate_bits", "error_bits"):
        if name in trial.metrics:
            short[name] = trial.metric(name)
    if "verdict" in trial.metrics:
        short["verdict"] = trial.metrics["verdict"]
    return short | {"seconds": trial.seconds, "status": trial.status, "error": trial.error[:80]}


def best_config(trials: Sequence[Trial], objective: str, direction: str) -> list[Trial] | None:
    """The trials, one a seed, of the config with the best mean objective."""
    configs: dict[tuple[tuple[str, str], ...], list[Trial]] = {}
    for trial in trials:
        if trial.status == "done" and trial.metric(objective) is not None:
            key = tuple(sorted((name, value) for name, value in trial.overrides.items() if name != SEED))
            configs.setdefault(key, []).append(trial)
    cost: Callable[[float], float] = {
        "minimize": lambda value: value,
        "maximize": lambda value: -value,
        "closest_to_zero": abs,
    }[direction]
    # Half of a config's seeds missing would let a lucky one win: a config counts in full or not at all where others do.
    most = max((len(group) for group in configs.values()), default=0)
    whole = [group for group in configs.values() if len(group) == most]
    return min(whole, key=lambda group: cost(fmean(_values(group, objective))), default=None)


def command_line(trial: Trial, program: str) -> str:
    """What to type for this trial as a single run."""
    words = (f"{name}={value}" for name, value in trial.overrides.items())
    return " ".join([program, *(f"'{w}'" if any(c in w for c in " ,[]{}()'$&;*") else w for w in words)])


def draw_axes(trials: Sequence[Trial], axes: Sequence[str], objective: str) -> tuple[dict[str, Figure], dict[str, str]]:
    """One figure for each swept axis (for the seed only where nothing else is swept)."""
    finished = [trial for trial in trials if trial.status == "done"]
    shown = [name for name in dict.fromkeys((objective, "estimate_bits")) if _values(finished, name)]
    figures, captions = {}, {}
    for axis in [axis for axis in axes if axis != SEED] or list(axes):
        if not shown or len({trial.overrides.get(axis) for trial in finished}) < 2:
            continue
        others = [name for name in axes if name not in (axis, SEED)]
        name = axis.replace(".", "_").replace("/", "_")
        figures[name], lines = axis_figure(finished, axis, others, shown)
        captions[name] = (
            f"{' and '.join(shown)} over {axis}. "
            + (f"One line for each {', '.join(others)}. " if lines and others else "")
            + (
                "Dots are trials, lines and bars the mean and the standard deviation over seeds"
                if lines
                else "Dots are trials, the line and its bars the mean and the standard deviation over "
                f"{', '.join(others)} and seeds"
            )
            + (
                ", the dashed line is the truth."
                if any(trial.metric("truth_bits") is not None for trial in finished)
                else "."
            )
        )
    return figures, captions


def axis_figure(trials: Sequence[Trial], axis: str, others: Sequence[str], shown: Sequence[str]) -> tuple[Figure, bool]:
    """A panel for each metric in ``shown``; a line for each setting of the other axes, or one over all if too many.

    Args:
        trials: that ended.
        axis: on the x axis.
        others: the other axes.
        shown: metrics, one a panel.
    """
    values = sorted({trial.overrides.get(axis, "") for trial in trials}, key=_order)
    numbers = [_number(value) for value in values]
    numeric = all(isinstance(number, (int, float)) for number in numbers)
    places = {v: float(n) if numeric and not isinstance(n, str) else i for i, (v, n) in enumerate(zip(values, numbers))}
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        label = ", ".join(f"{name.rpartition('.')[2]} {trial.overrides.get(name, '')}" for name in others)
        groups.setdefault(label, []).append(trial)
    lines = len(groups) <= MOST_LINES
    if not lines:
        groups = {"": list(trials)}
    figure = new_figure(4.2 * len(shown), 3.3)
    for panel, metric in enumerate(shown):
        axes = dress(figure.add_subplot(1, len(shown), panel + 1), x=axis, y=_label(metric))
        for color, (label, members) in zip(PALETTE, groups.items()):
            cells = {
                value: _values([t for t in members if t.overrides.get(axis, "") == value], metric) for value in values
            }
            cells = {value: estimates for value, estimates in cells.items() if estimates}
            if not cells:
                continue
            for value, estimates in cells.items():
                axes.plot([places[value]] * len(estimates), estimates, ".", color=color, alpha=0.45, markersize=5)
            repeated = any(len(estimates) > 1 for estimates in cells.values())
            if lines or repeated:
                axes.errorbar(
                    [places[value] for value in cells], [fmean(estimates) for estimates in cells.values()],
                    [stdev(estimates) if len(estimates) > 1 else 0.0 for estimates in cells.values()],
                    color=color, linewidth=1.6, capsize=3, marker="o", markersize=4, label=label or None,
                )  # fmt: skip
        truths = {truth for trial in trials if (truth := trial.metric("truth_bits")) is not None}
        if metric == "estimate_bits" and len(truths) == 1:
            axes.axhline(truths.pop(), color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
        positive = [place for place in places.values() if place > 0]
        if numeric and len(positive) == len(places) and max(positive) / min(positive) >= LOG_RATIO:
            axes.set_xscale("log")
        if not numeric or len(values) <= 8:
            axes.set_xticks(list(places.values()), values, fontsize=8)
            axes.minorticks_off()
        axes.margins(x=0.08)
        axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)
        if panel == 0 and any(groups) and lines:
            axes.legend(fontsize=7, frameon=False)
    return figure, lines


def _values(trials: Sequence[Trial], metric: str) -> list[float]:
    return [value for trial in trials if (value := trial.metric(metric)) is not None]


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _order(text: str) -> tuple[bool, float, str]:
    number = _number(text)
    return (isinstance(number, str), 0.0 if isinstance(number, str) else number, text)


def _label(metric: str) -> str:
    name, _, unit = metric.rpartition("_")
    return (
        f"{name.replace('_', ' ')} ({unit})"
        if unit in ("bits", "nats", "seconds", "ratio")
        else metric.replace("_", " ")
    )
