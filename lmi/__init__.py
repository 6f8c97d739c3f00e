"""lmi: mutual information in high-dimensional representations, every number held against a known truth."""
