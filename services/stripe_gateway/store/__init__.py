"""What stripe_gateway remembers."""
