"""What account decides: pure functions over accounts, books of credits, and the audit log."""
