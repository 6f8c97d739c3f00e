"""Columns, networks and labels whose structure is planted, so that what is found can be judged."""
