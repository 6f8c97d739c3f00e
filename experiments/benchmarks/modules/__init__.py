"""Benchmarks of MI between groups of neurons: bars and the coverage of intervals."""
