"""Sparse logistic probes: the L1 path, read-outs, bits, stability selection."""
