"""Estimators: plain functions on tensors, (n, dx) and (n, dy) to nats. No training, no global state."""
