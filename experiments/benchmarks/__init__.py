"""Promises held: accuracy on suites, peers, speed, cost, calibration."""
