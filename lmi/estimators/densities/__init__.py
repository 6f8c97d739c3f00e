"""Densities: t mixtures, maps that make columns jointly normal, kernel CCA."""
