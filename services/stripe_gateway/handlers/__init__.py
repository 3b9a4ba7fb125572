"""What stripe_gateway does with requests, facts and webhooks."""
