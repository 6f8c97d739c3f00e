"""What is known to be wrong with or missing from the chosen number, and how far its interval opens for it."""
