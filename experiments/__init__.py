"""Experiments: one question a file, a frozen dataclass whose ``run(context)`` returns a ``Result``."""
