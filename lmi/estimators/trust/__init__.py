"""How far an estimate can be trusted: intervals, drift, nulls, verdicts."""
