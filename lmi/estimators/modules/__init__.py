"""MI between groups of neurons: partitions, closed form, Jacobian, quantised, finding modules."""
