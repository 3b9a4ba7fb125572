"""stripe_gateway: everything of Stripe, and the only one that speaks with it."""
