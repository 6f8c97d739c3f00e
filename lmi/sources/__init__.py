"""Sources: samplers with a known mutual information, and arrays from files."""
