"""Nearest neighbours: exact search, the KSG family, conditions and labels, the control variate."""
