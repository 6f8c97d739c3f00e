"""Figures and the report page: drawn from results, importing nothing else of the project."""
