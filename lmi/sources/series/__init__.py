"""Rows and sequences in time."""
