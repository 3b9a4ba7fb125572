"""`make demo`: an organization as a customer would have it, and agents that report their calls."""
