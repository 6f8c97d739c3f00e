"""What is trained here: the only part of lmi that knows Lightning."""
