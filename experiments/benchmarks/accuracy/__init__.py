"""Accuracy against known truth: the experiment, its suites of cases, and the tables it prints."""

from lmi.experiments.benchmarks.accuracy.experiment import AccuracyExperiment as AccuracyExperiment
