"""Builds every object with exactly the fields that the pinned version of the API gives it.

Names that begin with an underscore are the sandbox's own and never leave it.
"""
