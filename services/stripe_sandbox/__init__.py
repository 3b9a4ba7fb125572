"""Stripe, played on this machine for development and tests; no money moves here."""
