"""What the auditor does: it hears what changed, looks, compares, and answers operators."""
