"""The tables of passing on LLM costs: what plans said of them, and what was announced."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from services.invoicing.tables.schema import Moment, metadata

# One row a version of a plan, never changed. It holds until the next one's beginning.
plan_terms = Table(
    "plan_terms",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("valid_from", Moment, nullable=False),
    Column("tier", Text, nullable=False),
    # Put upon LLM costs that are passed on; they are not without it.
    Column("markup_basis_points", Integer),
)

# One row an announcement, kept as long as a plan that held then may still be heard of.
llm_costs = Table(
    "llm_costs",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("billable_cost_picousd", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    # By which version it is passed on or not; 0 is before there was one, null is yet to be found.
    Column("passed_on_by", BigInteger),
    Index("llm_costs_recorded_at", "recorded_at"),
    Index(
        "llm_costs_in_question",
        "organization_id",
        postgresql_where=text("passed_on_by IS NULL"),
    ),
)
