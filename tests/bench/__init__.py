"""Benches: ratios measured in one run, never assertions on seconds."""
