"""What an experiment found, on disk: numbers as JSON, arrays as npz without pickle, figures as PNG."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lmi.files import ARRAYS_FILE, FIGURES_FOLDER, RESULT_FILE, inside, read_mapping, write_whole

MAPPINGS = ("metrics", "tables", "captions", "facts", "legend")
Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class Result:
    """One experiment's findings.

    Args:
        experiment: its name.
        answer: what was found, in a sentence: the first thing that a reader sees.
        verdict: "reliable", "doubtful" or "abstain", where the answer is one estimate.
        reasons: of the verdict, in words.
        metrics: name -> number or word, flat; the unit ends each name (``estimate_nats``, ``seconds``).
        arrays: name -> array; object arrays are refused.
        tables: name -> rows, each row column -> scalar; the first is the one printed at the end of a run.
        legend: column of a table -> what it says, with its unit; those of no table are not saved.
        figures: name -> matplotlib figure, or after ``load`` the path of its PNG; each has its caption in ``captions``.
        captions: figure name -> the sentence that stands below it.
        notes: what a reader has to know before using the numbers: warnings, in words.
        facts: seed, versions, device, wall time: how to get the numbers again.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> Result("demo", {"estimate_nats": 0.25}, arrays={"pointwise_nats": np.zeros(3)}).save(folder)
    >>> Result.load(folder).metrics
    {'estimate_nats': 0.25}
    """

    experiment: str
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    tables: Mapping[str, list[dict[str, Scalar]]] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    answer: str = ""
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    legend: Mapping[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``result.json``, ``arrays.npz`` and ``figures/*.png`` under ``folder``, the JSON last and at once.

        Raises:
            TypeError: for an array of Python objects, which npz could only pickle.
        """
        folder = Path(folder)
        (folder / FIGURES_FOLDER).mkdir(parents=True, exist_ok=True)
        for name, array in self.arrays.items():
            if np.asarray(array).dtype == object:
                raise TypeError(f"array {name!r} holds Python objects; expected numbers or strings")
        if self.arrays:
            named: dict[str, Any] = {name: np.asarray(array) for name, array in self.arrays.items()}
            np.savez_compressed(folder / ARRAYS_FILE, **named)
        for name, figure in self.figures.items():
            figure.savefig(folder / FIGURES_FOLDER / f"{name}.png")
        shown = {column for rows in self.tables.values() for row in rows for column in row}
        record = {
            "experiment": self.experiment,
            "answer": self.answer,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "legend": {column: self.legend[column] for column in self.legend if column in shown},
            "metrics": dict(self.metrics),
            "tables": dict(self.tables),
            "captions": dict(self.captions),
            "notes": list(self.notes),
            "facts": dict(self.facts),
        }
        write_whole(folder / RESULT_FILE, json.dumps(_strict(record), indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, folder: Path | str) -> Result:
        """Read a folder that ``save`` wrote.

        Raises:
            FileNotFoundError: if there is no finished result in it.
            ValueError: which names the file, for one that is damaged or not such a file.
        """
        folder = Path(folder)
        path = folder / RESULT_FILE
        if not path.is_file():
            raise FileNotFoundError(f"no finished run in {folder}: expected {path}")
        record = {**{name: {} for name in MAPPINGS}, "notes": [], **read_mapping(path)}
        for name in MAPPINGS:
            if not isinstance(record[name], dict):
                raise ValueError(f"{path}: {name} is a {type(record[name]).__name__}; expected a mapping")
        for name, rows in record["tables"].items():
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ValueError(f"{path}: table {name!r} holds something else than rows")
        figures = {name: inside(folder, FIGURES_FOLDER, f"{name}.png") for name in record["captions"]}
        return cls(
            experiment=str(record.get("experiment", "")),
            metrics=_loose(record["metrics"]),
            arrays=_arrays(folder),
            tables=_loose(record["tables"]),
            figures={name: path for name, path in figures.items() if path is not None},
            captions=record["captions"],
            notes=tuple(record["notes"]),
            facts=record["facts"],
            answer=record.get("answer", ""),
            verdict=record.get("verdict", ""),
            reasons=tuple(record.get("reasons", ())),
            legend=record["legend"],
        )


def _arrays(folder: Path) -> dict[str, np.ndarray]:
    path = inside(folder, ARRAYS_FILE)
    if path is None:
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, AttributeError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}); expected arrays without pickles") from error


def _strict(value: Any) -> Any:
    """JSON has no infinity and no NaN: they are written as the strings "inf", "-inf" and "nan"."""
    if isinstance(value, Mapping):
        return {str(name): _strict(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _loose(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _loose(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_loose(item) for item in value]
    return float(value) if value in ("nan", "inf", "-inf") else value
