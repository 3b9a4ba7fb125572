"""What account remembers, and its SQL."""
