"""A case of an accuracy suite: one source and one sample size; and the record of one estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lmi.types import Source

Record = dict[str, Any]  # what one estimate of a case leaves


@dataclass(frozen=True)
class Case:
    """One source and one sample size.

    Args:
        name: unique within the suite, fit for a file name.
        group: cases are averaged within a group.
        source: where the pairs come from.
        num_samples: how many.
    """

    name: str
    group: str
    source: Source
    num_samples: int
