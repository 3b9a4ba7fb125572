"""Subscription: what an organization may use, what it has used, and how that changes."""
