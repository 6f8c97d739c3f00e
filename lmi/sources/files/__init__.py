"""The user's own arrays, read without executing anything in them."""
