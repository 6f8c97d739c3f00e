"""Neural critics without Lightning: MINE, InfoNCE, NWJ, SMILE."""
