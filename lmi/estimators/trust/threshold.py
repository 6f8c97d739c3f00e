"""A number that decides something, with its unit and its reason: a float, so that using one costs nothing."""

from __future__ import annotations


class Threshold(float):
    """A number that decides something, with its unit and its reason.

    >>> sure = Threshold(2.5, "standard errors", "a dozen candidates could win by chance")
    >>> sure * 2, sure.unit
    (5.0, 'standard errors')
    """

    unit: str
    reason: str

    def __new__(cls, value: float, unit: str, reason: str) -> Threshold:
        threshold = super().__new__(cls, value)
        threshold.unit, threshold.reason = unit, reason
        return threshold
