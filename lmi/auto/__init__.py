"""The automatic estimator: candidates judged on fresh pairs, and the verdict."""
