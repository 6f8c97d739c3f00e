"""Benchmarks of pairwise MI: calibration of its null, cost, many columns, parmigene, speed."""
