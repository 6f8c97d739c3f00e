"""All pairs of columns: KSG, histogram, Gaussian, nulls, false discovery."""
