"""Tells customers what they should know, once, on the bus and by mail."""
