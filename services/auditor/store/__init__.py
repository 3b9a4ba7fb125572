"""What the auditor remembers, and its SQL."""
