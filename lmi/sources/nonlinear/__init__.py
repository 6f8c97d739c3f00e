"""Dependence that no correlation of two columns shows."""
