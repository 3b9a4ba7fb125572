"""What account does with what it receives: questions, orders, and news of Stripe."""
