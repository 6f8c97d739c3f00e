"""The table of the suites ``field`` and ``composed``: a row for each family, in nats, and where plain KSG is clearly better."""

from __future__ import annotations

import numpy as np

from lmi.experiments.benchmarks.accuracy.case import Record
from lmi.results import Scalar

LEAST_HALF_WIDTH = 0.01 / 3  # nats: nobody is wrong by less than .01
WORSE = 0.03  # nats, by which plain KSG may be nearer to the truth
FEW_COLUMNS = 6  # of both sides, where KSG is an alternative


def holds(record: Record) -> bool:
    """Whether the interval holds the truth."""
    return bool(record["low_nats"] - 1e-12 <= record["truth_nats"] <= record["high_nats"] + 1e-12)


def is_far_off(record: Record) -> bool:
    """Whether the estimate is off by more than three half-widths of its interval."""
    half = max((record["high_nats"] - record["low_nats"]) / 2, LEAST_HALF_WIDTH)
    return bool(abs(record["nats"] - record["truth_nats"]) > 3 * half)


def share(flags: list[bool]) -> float | None:
    """Of ``True`` among the flags; ``None`` of none.

    >>> share([True, False]), share([])
    (0.5, None)
    """
    return round(float(np.mean(flags)), 3) if flags else None


def family_row(records: list[Record]) -> dict[str, Scalar]:
    """What one family, or all, came to."""
    done = [r for r in records if r["low_nats"] is not None]
    reliable = [r for r in done if r["verdict"] == "reliable"]
    nulls = [r for r in done if r["truth_nats"] < 1e-9]
    tested = [r for r in nulls if r.get("p_value") is not None]
    errors = [abs(r["nats"] - r["truth_nats"]) for r in done]
    return {
        "cases": len(records),
        "mean_abs_error_nats": round(float(np.mean(errors)), 3) if errors else None,
        "median_abs_error_nats": round(float(np.median(errors)), 3) if errors else None,
        "in_interval_reliable_ratio": share([holds(r) for r in reliable]),
        "in_interval_all_ratio": share([holds(r) for r in done]),
        "reliable_ratio": share([r["verdict"] == "reliable" for r in done]),
        "reliable_off_3_half_widths_count": sum(is_far_off(r) for r in reliable),
        "null_interval_above_0_ratio": share([r["low_nats"] > 0 for r in nulls]),
        "null_p_below_0.05_ratio": share([r["p_value"] < 0.05 for r in tested]),
        "refused": len(records) - len(done),
        "seconds": round(float(np.mean([r["seconds"] for r in records])), 1) if records else None,
    }


def family_rows(records: list[Record]) -> list[dict[str, Scalar]]:
    """One row for each estimator and family, and one for all."""
    rows: list[dict[str, Scalar]] = []
    for estimator in dict.fromkeys(r["estimator"] for r in records):
        mine = [r for r in records if r["estimator"] == estimator]
        for family in dict.fromkeys(r["group"] for r in mine):
            of_family = [r for r in mine if r["group"] == family]
            rows.append({"estimator": estimator, "family": family, **family_row(of_family)})
        rows.append({"estimator": estimator, "family": "all", **family_row(mine)})
    return rows


def off_rows(records: list[Record]) -> list[dict[str, Scalar]]:
    """Every estimate that is called reliable and does not hold the truth, the farthest first, in half-widths."""
    rows: list[dict[str, Scalar]] = []
    for r in records:
        if r["low_nats"] is None or r["verdict"] != "reliable" or holds(r):
            continue
        half = max((r["high_nats"] - r["low_nats"]) / 2, LEAST_HALF_WIDTH)
        error = r["nats"] - r["truth_nats"]
        row: dict[str, Scalar] = {name: r[name] for name in ("estimator", "group", "case", "repeat")}
        row |= {name: round(r[name], 3) for name in ("truth_nats", "nats", "low_nats", "high_nats")}
        rows.append({**row, "half_widths": round(error / half, 1)})
    return sorted(rows, key=lambda row: -abs(float(row["half_widths"] or 0.0)))


def worse_than_ksg(records: list[Record]) -> list[dict[str, Scalar]]:
    """Cases of 1 to 6 columns in which ``auto`` is farther from the truth than plain KSG that is called reliable."""
    of_ksg = {(r["case"], r["repeat"]): r for r in records if r["estimator"] == "ksg" and r["nats"] is not None}
    rows: list[dict[str, Scalar]] = []
    for r in records:
        ksg = of_ksg.get((r["case"], r["repeat"]))
        if r["estimator"] != "auto" or r["nats"] is None or ksg is None or r.get("columns", 99) > FEW_COLUMNS:
            continue
        error, theirs = (abs(each["nats"] - each["truth_nats"]) for each in (r, ksg))
        if ksg["verdict"] == "reliable" and error > theirs + WORSE:
            row = {"case": r["case"], "repeat": r["repeat"], "truth_nats": round(r["truth_nats"], 3)}
            rows.append({**row, "auto_nats": round(r["nats"], 3), "ksg_nats": round(ksg["nats"], 3)})
    return rows
