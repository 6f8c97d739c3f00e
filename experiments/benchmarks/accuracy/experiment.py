"""How does each estimator err as dimension, rank, information, samples and shape change?"""

from __future__ import annotations

import difflib
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from lmi.api import estimate, estimator_class
from lmi.experiments.benchmarks.accuracy.case import Case, Record
from lmi.experiments.benchmarks.accuracy.families import family_rows, off_rows, worse_than_ksg
from lmi.experiments.benchmarks.accuracy.suites import Suite, cases_of
from lmi.experiments.benchmarks.accuracy.tables import case_rows, summary_rows, write_csv
from lmi.experiments.benchmarks.peers import PEERS, peer_estimate
from lmi.experiments.measure import measured_once
from lmi.report.accuracy import LEGEND, answer_of, error_map, truth_curves
from lmi.results import Result, Scalar
from lmi.sweep.process import die_with_parent
from lmi.types import Context

CASES_FOLDER = "cases"
OF_KINDS: tuple[Suite, ...] = ("field", "composed")  # cases without common axes: counted by family, in no map of errors
CAPTIONS = {
    "errors": "Mean error (estimate minus truth, bits), a cell a case and a panel an estimator; the colour scale "
    "is common, blue is too low and red too high.",
    "truth": "Mean estimate against truth, one panel a group of cases; the dashed line is a perfect estimator.",
}


@dataclass(frozen=True)
class AccuracyExperiment:
    """A suite of known truths, measured by several estimators on the same samples.

    One JSON file for each case, estimator and repeat lands under ``cases`` as soon as it is measured; what is there is not
    measured again, so an interrupted run goes on where it stopped.

    Args:
        suite: which cases, see ``lmi.experiments.benchmarks.accuracy.suites``.
        estimators: by the names that ``lmi.estimate`` takes, with settings after a name (``latent measure=auto folds=3``), or
            peers: ``latentmi``, ``scikit-learn``.
        every: takes every so-manieth case of the suite; 1 takes all, 0 a few spread over it, of ``field`` one a family.
        only: names of cases, of which no others are measured; empty for all.
        repeats: fresh samples of each case.
        processes: how many work side by side; each gets its share of the threads.
    """

    suite: Suite = "gaussian_grid"
    estimators: Annotated[tuple[str, ...], Field(min_length=1)] = ("auto", "ksg")
    every: Annotated[int, Field(ge=0)] = 1
    only: tuple[str, ...] = ()
    repeats: Annotated[int, Field(ge=1)] = 1
    processes: Annotated[int, Field(ge=1)] = 1

    def run(self, context: Context) -> Result:
        """Measure what is missing, then gather all of it."""
        for name in self.estimators:
            if name not in PEERS:
                estimator_class(named_settings(name)[0])
        cases = named_cases(cases_of(self.suite, self.every), self.only)
        jobs = [
            (case, name, repeat, context.derive(self.suite, case.name, repeat), context.folder)
            for case in cases
            for name in self.estimators
            for repeat in range(self.repeats)
        ]
        records = self._measure_all(jobs, context)
        rows = case_rows(records)
        summary = summary_rows(records)
        metrics: dict[str, Scalar] = {"suite": self.suite, "cases_count": len(cases), "records_count": len(records)}
        for row in summary:
            if row["group"] == "all":
                for name in ("mean_abs_error_bits", "coverage_ratio", "reliable_but_wrong_count"):
                    metrics[f"{row['estimator']}_{name}"] = row[name]
        tables = {"summary": summary, "cases": rows}
        is_of_kinds = self.suite in OF_KINDS
        if is_of_kinds:
            extra = {"families": family_rows, "reliable and off": off_rows, "worse than KSG": worse_than_ksg}
            tables |= {name: extra_rows for name, table in extra.items() if (extra_rows := table(records))}
        if context.folder is not None:
            write_csv(rows, context.folder / "accuracy.csv")
        done = [row for row in rows if row["mean_error_bits"] is not None]
        figures = {"truth": truth_curves(done)} if done else {}
        if done and not is_of_kinds:
            figures = {"errors": error_map(done), **figures}
        failed = sorted({f"{record['estimator']}: {record['failed']}" for record in records if record["failed"]})
        return Result(
            experiment="accuracy",
            metrics=metrics,
            tables=tables,
            figures=figures,
            captions={name: CAPTIONS[name] for name in figures},
            notes=tuple(failed[:10]),
            answer=answer_of(summary, self.suite),
            legend=LEGEND,
        )

    def _measure_all(self, jobs: list[tuple[Case, str, int, int, Path | None]], context: Context) -> list[Record]:
        if self.processes == 1:
            return [measure(*job) for job in context.bar(jobs, self.suite)]
        threads = max(1, (os.cpu_count() or 1) // self.processes)
        workers = ProcessPoolExecutor(
            self.processes, multiprocessing.get_context("spawn"), initializer=start_worker, initargs=(threads,)
        )
        with workers:
            futures = {workers.submit(measure, *job): i for i, job in enumerate(jobs)}
            records: dict[int, Record] = {}
            for future in context.bar(as_completed(futures), self.suite, total=len(jobs)):
                records[futures[future]] = future.result()
        return [records[i] for i in range(len(jobs))]


def named_cases(cases: list[Case], only: Sequence[str]) -> list[Case]:
    """The cases of these names, or all where there are none.

    Raises:
        ValueError: for a name that is none of theirs.
    """
    unknown = sorted(set(only) - {case.name for case in cases})
    if unknown:
        close = difflib.get_close_matches(unknown[0], [case.name for case in cases], 3)
        raise ValueError(
            f"only: no case {unknown[0]!r} among the {len(cases)} of the suite; close to it: {', '.join(close)}"
        )
    return [case for case in cases if not only or case.name in only]


def named_settings(estimator: str) -> tuple[str, dict[str, Any]]:
    """Name and settings of an estimator.

    >>> named_settings("latent measure=auto folds=3")
    ('latent', {'measure': 'auto', 'folds': '3'})

    Raises:
        ValueError: for a word after the name that is no ``setting=value``.
    """
    name, *words = estimator.split() or [""]
    for word in words:
        if "=" not in word:
            raise ValueError(f"estimators: expected setting=value after the name {name!r}, got {word!r}")
    return name, dict(word.split("=", 1) for word in words)


def start_worker(threads: int) -> None:
    """A worker with its share of the threads, which is gone as soon as the run that started it is, however it ends."""
    die_with_parent()
    torch.set_num_threads(threads)


def measure(case: Case, estimator: str, repeat: int, seed: int, folder: Path | None) -> Record:
    """One estimator on one draw of one case, from its file where it has been measured.

    Args:
        case: source and number of samples.
        estimator: by name and settings, or a peer.
        repeat: which draw.
        seed: of the draw and the estimator.
        folder: of the run; ``None`` keeps no file.
    """
    path = None if folder is None else folder / CASES_FOLDER / f"{case.name}__{estimator}__{repeat}.json"
    key = f"seed {seed}, {case.num_samples} samples of {case.source} by {estimator}"
    return measured_once(path, key, lambda: measure_case(case, estimator, repeat, seed))


def measure_case(case: Case, estimator: str, repeat: int, seed: int) -> Record:
    """The same without a file. An estimator that refuses the samples is recorded with its reason; it does not end the run.

    Args:
        case: source and number of samples.
        estimator: by name and settings, or a peer.
        repeat: which draw.
        seed: of the draw and the estimator.
    """
    context = Context(seed)
    pairs = case.source.sample(case.num_samples, context.generator("samples"))
    record: Record = {
        "case": case.name, "group": case.group, "estimator": estimator, "repeat": repeat, "seed": seed,
        "truth_nats": pairs.truth, "nats": None, "low_nats": None, "high_nats": None, "verdict": "", "reasons": [],
        "choice": "", "failed": "", "columns": pairs.x.shape[1] + pairs.y.shape[1], "p_value": None,
    }  # fmt: skip
    started = time.perf_counter()
    try:
        if estimator in PEERS:
            record["nats"] = peer_estimate(estimator, pairs.x, pairs.y, context)
        else:
            name, settings = named_settings(estimator)
            measured = estimate(pairs.x, pairs.y, name, context=context, **settings)
            record |= {"nats": measured.nats, "choice": measured.choice}
            if measured.interval is not None:
                record["low_nats"], record["high_nats"] = measured.interval
            if measured.null is not None:
                record["p_value"] = measured.null.p_value
            if measured.verdict is not None:
                record |= {"verdict": measured.verdict.level, "reasons": list(measured.verdict.reasons)}
    except (ValueError, ModuleNotFoundError) as error:
        record["failed"] = str(error).split("\n")[0][:200]
    record["seconds"] = time.perf_counter() - started
    return record
