"""Normal and Student t pairs, seen through maps that keep or lose information."""
