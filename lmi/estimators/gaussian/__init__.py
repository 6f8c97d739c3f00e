"""The normal model: canonical correlations with their bias, the closed-form estimator, ridge CCA."""
