"""The tables of the accuracy experiment: records of single estimates as rows by case and by group, in bits."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from lmi.experiments.benchmarks.accuracy.case import Record
from lmi.results import Scalar
from lmi.types import NATS_PER_BIT


def is_covered(record: Record) -> bool | None:
    """Whether the 90% interval holds the truth; ``None`` without an interval."""
    if record["nats"] is None or record["low_nats"] is None:
        return None
    return bool(record["low_nats"] - 1e-12 <= record["truth_nats"] <= record["high_nats"] + 1e-12)


def is_reliable_but_wrong(record: Record) -> bool:
    """Called reliable, and off by more than three widths of its interval (and more than 0.01 bits)."""
    if record["verdict"] != "reliable" or record["low_nats"] is None:
        return False
    width = max(record["high_nats"] - record["low_nats"], 0.01 * NATS_PER_BIT / 3)
    return bool(abs(record["nats"] - record["truth_nats"]) > 3 * width)


def row_of(records: list[Record]) -> dict[str, Scalar]:
    """Errors in bits over several records; ``None`` where every one of them failed."""
    done = [record for record in records if record["nats"] is not None]
    covered = [held for held in map(is_covered, done) if held is not None]
    errors = np.array([(record["nats"] - record["truth_nats"]) / NATS_PER_BIT for record in done])
    null = np.array([record["truth_nats"] < 1e-9 for record in done], dtype=bool)
    spread = spread_within_cases([record["case"] for record in done], errors)

    def rounded(value: Any) -> float:
        return round(float(value), 4)

    return {
        "truth_bits": rounded(np.mean([record["truth_nats"] for record in records]) / NATS_PER_BIT),
        "mean_error_bits": rounded(errors.mean()) if done else None,
        "mean_abs_error_bits": rounded(np.abs(errors).mean()) if done else None,
        "spread_bits": None if spread is None else rounded(spread),
        "null_within_0.03_bits_ratio": rounded((np.abs(errors[null]) < 0.03).mean()) if null.any() else None,
        "coverage_ratio": rounded(np.mean(covered)) if covered else None,
        "reliable_ratio": rounded(np.mean([r["verdict"] == "reliable" for r in done])) if done else None,
        "reliable_but_wrong_count": sum(map(is_reliable_but_wrong, done)),
        "seconds": rounded(np.mean([record["seconds"] for record in done])) if done else None,
        "records": len(records),
        "failed": len(records) - len(done),
        "why": next((record["failed"] for record in records if record["failed"]), ""),
    }


def spread_within_cases(cases: list[str], errors: np.ndarray) -> float | None:
    """Root mean variance of errors over repeats of a case; ``None`` where no case was repeated.

    >>> spread_within_cases(["a", "a", "b", "b", "c"], np.array([0.0, 2.0, 5.0, 7.0, 9.0])) == 2**0.5
    True
    """
    repeated = [errors[[name == case for name in cases]] for case in dict.fromkeys(cases)]
    variances = [nats.var(ddof=1) for nats in repeated if nats.size > 1]
    return float(np.sqrt(np.mean(variances))) if variances else None


def case_rows(records: list[Record]) -> list[dict[str, Scalar]]:
    """One row for each estimator and case."""
    keys = dict.fromkeys((record["estimator"], record["group"], record["case"]) for record in records)
    rows: list[dict[str, Scalar]] = []
    for estimator, group, case in keys:
        mine = [record for record in records if record["estimator"] == estimator and record["case"] == case]
        values = [r["nats"] / NATS_PER_BIT for r in mine if r["nats"] is not None]
        value = round(float(np.mean(values)), 4) if values else None
        rows.append({"estimator": estimator, "group": group, "case": case, "estimate_bits": value, **row_of(mine)})
    return rows


def summary_rows(records: list[Record]) -> list[dict[str, Scalar]]:
    """One row for each estimator and group, and one for all of its cases."""
    rows: list[dict[str, Scalar]] = []
    for estimator in dict.fromkeys(record["estimator"] for record in records):
        mine = [record for record in records if record["estimator"] == estimator]
        rows.append({"estimator": estimator, "group": "all", **row_of(mine)})
        for group in dict.fromkeys(record["group"] for record in mine):
            rows.append({"estimator": estimator, "group": group, **row_of([r for r in mine if r["group"] == group])})
    return rows


def write_csv(rows: list[dict[str, Scalar]], path: Path) -> None:
    """The rows as a table that anything can open."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
