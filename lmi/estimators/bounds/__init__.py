"""Variational lower bounds from critic scores: DV, NWJ, InfoNCE, SMILE; their held-out terms."""
