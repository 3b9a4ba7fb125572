"""The whole database of invoicing: its own tables, and those of the chassis."""

from services.invoicing.tables import llm_costs, payments, schema
from shared.tables import with_chassis

__all__ = ["llm_costs", "metadata", "payments"]

metadata = schema.metadata
with_chassis(metadata)
