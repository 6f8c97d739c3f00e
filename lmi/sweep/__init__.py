"""Trials of a sweep: each a process of its own, and the Optuna study that proposes them. No Hydra here."""
