"""Mails: as they are written, and how they are handed over."""
