"""What account keeps: its tables, and their rows as other code sees them."""

from services.account.tables.schema import metadata

__all__ = ["metadata"]
