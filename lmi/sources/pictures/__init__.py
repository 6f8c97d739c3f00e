"""Pictures in pairs whose mutual information is known, and real ones."""
