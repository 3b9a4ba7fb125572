"""Which usage an invoice takes; its organization's profile is locked, so that nobody else does."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.invoicing.rules.invoices import (
    ENOUGH_CENTS,
    MAX_HELD_RECORDS,
    MAX_RECORDS,
    Cut,
)
from services.invoicing.rules.lines import Carries
from services.invoicing.tables import Use
from shared.contracts.invoicing import UsageType
from shared.database import Db
from shared.money import PICOUSD_PER_CENT

# What is summed up as one line; the same whether it was just chosen or is being recomputed.
_USE = """
position, usage_type, unit_price_cents, late_month, corrects_invoice,
CASE WHEN min(ticket_id) = max(ticket_id) AND count(ticket_id) = count(*)
     THEN min(ticket_id) END AS ticket_id,
sum(quantity)::bigint AS quantity, sum(total_picousd)::bigint AS exact_picousd,
coalesce(sum(total_picousd) FILTER (WHERE hold_id IS NOT NULL), 0)::bigint AS held_picousd,
min(occurred_at) AS first_at
"""
_BY_LINE = "position, usage_type, unit_price_cents, late_month, corrects_invoice"

# No more records are taken than one statement takes in time, account may be asked about, and one
# charge collects: the oldest first (of one moment by their own ids, which are no chance), the rest
# another time. Adjustments come after what is in its own month.
_CHOSEN = f"""
unbilled AS (
    SELECT u.*, d.draft_id,
           row_number() OVER (
               PARTITION BY u.organization_id, u.hold_id IS NULL
               ORDER BY u.occurred_at, u.usage_type, u.source_id
           ) AS nth,
           sum(u.total_picousd) OVER (
               PARTITION BY u.organization_id ORDER BY u.occurred_at, u.usage_type, u.source_id
               ROWS UNBOUNDED PRECEDING
           ) - u.total_picousd AS before_picousd
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
         AS d (organization_id, draft_id, usage_until, learned_until)
    CROSS JOIN LATERAL (
        SELECT * FROM usage_records r
        WHERE r.organization_id = d.organization_id
          AND r.billed_at IS NULL AND r.invoice_id IS NULL
          AND r.occurred_at < d.usage_until AND r.recorded_at < d.learned_until
        ORDER BY r.occurred_at, r.usage_type, r.source_id LIMIT {MAX_RECORDS}
    ) AS u
),
chosen AS (
    SELECT *, dense_rank() OVER (
        PARTITION BY organization_id
        ORDER BY (late_month IS NOT NULL OR corrects_invoice IS NOT NULL),
                 late_month NULLS FIRST, corrects_invoice NULLS FIRST,
                 usage_type DESC, unit_price_cents
    ) AS place
    FROM unbilled
    WHERE (hold_id IS NULL OR nth <= {MAX_HELD_RECORDS})
      AND before_picousd < {ENOUGH_CENTS * PICOUSD_PER_CENT}
)
"""  # noqa: S608 -- constants
_PREVIEW = f"""
WITH {_CHOSEN}, uses AS (
    SELECT organization_id, place AS position, usage_type, unit_price_cents, late_month,
           corrects_invoice, ticket_id, quantity, total_picousd, hold_id, occurred_at
    FROM chosen
)
SELECT organization_id, {_USE} FROM uses GROUP BY organization_id, {_BY_LINE}
"""  # noqa: S608 -- constants
_TAKE = f"""
WITH {_CHOSEN}, taken AS (
    UPDATE usage_records u SET invoice_id = c.draft_id, position = c.place
    FROM (SELECT organization_id, record_id, draft_id, place FROM chosen) AS c
    WHERE u.organization_id = c.organization_id AND u.record_id = c.record_id
    RETURNING u.*
)
SELECT organization_id, {_USE} FROM taken GROUP BY organization_id, {_BY_LINE}
"""  # noqa: S608 -- constants
_MORE = """
SELECT d.organization_id
FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
     AS d (organization_id, usage_until, learned_until)
WHERE EXISTS (
    SELECT 1 FROM usage_records u
    WHERE u.organization_id = d.organization_id AND u.billed_at IS NULL AND u.invoice_id IS NULL
      AND u.occurred_at < d.usage_until AND u.recorded_at < d.learned_until
)
"""
_TAKEN = f"""
SELECT organization_id, {_USE} FROM usage_records
WHERE (organization_id, invoice_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
GROUP BY organization_id, {_BY_LINE}
"""  # noqa: S608 -- constants
_FREE = """
UPDATE usage_records SET invoice_id = NULL, position = NULL, billed_at = NULL
WHERE (organization_id, invoice_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_UNHOLD = """
UPDATE usage_records SET hold_id = NULL
WHERE (organization_id, invoice_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_BILL = """
UPDATE usage_records SET billed_at = $3
WHERE (organization_id, invoice_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_HOLDS = """
SELECT organization_id, array_agg(hold_id ORDER BY occurred_at, source_id) AS hold_ids
FROM usage_records
WHERE (organization_id, invoice_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
  AND hold_id IS NOT NULL
GROUP BY organization_id
"""
_CARRIES = """
SELECT organization_id, usage_type, unit_price_cents, carry_picousd
FROM carries WHERE organization_id = ANY($1::text[])
"""
_CARRY = """
INSERT INTO carries (organization_id, usage_type, unit_price_cents, carry_picousd)
VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, usage_type, unit_price_cents)
DO UPDATE SET carry_picousd = carries.carry_picousd + EXCLUDED.carry_picousd
"""
_BILLED_UNTIL = """
SELECT organization_id, max(usage_until) AS billed_until FROM invoices
WHERE organization_id = ANY($1::text[]) AND kind = 'usage' AND status <> 'void'
GROUP BY organization_id
"""

# An organization and its invoice: of each organization one at most is asked for at a time.
Pairs = Mapping[str, str]
Uses = dict[str, list[Use]]


async def take_usage(db: Db, drafts: Pairs, cuts: Mapping[str, Cut]) -> Uses:
    """Take all unbilled usage of organizations before their cuts into these drafts."""
    return _by_organization(await db.driver.fetch(_TAKE, *_arguments(drafts, cuts)))


async def list_with_more(db: Db, cuts: Mapping[str, Cut]) -> set[str]:
    """Organizations that have more unbilled usage before their cuts."""
    until = [cut.usage_until for cut in cuts.values()]
    learned = [cut.learned_until for cut in cuts.values()]
    rows = await db.driver.fetch(_MORE, list(cuts), until, learned)
    return {row["organization_id"] for row in rows}


async def find_usage(db: Db, organization_id: str, cut: Cut) -> list[Use]:
    """What would be taken."""
    arguments = _arguments({organization_id: ""}, {organization_id: cut})
    found = _by_organization(await db.driver.fetch(_PREVIEW, *arguments))
    return found.get(organization_id, [])


async def sum_usage(db: Db, invoices: Pairs) -> Uses:
    """What invoices have taken, summed up anew from the records."""
    return _by_organization(await db.driver.fetch(_TAKEN, *_pairs(invoices)))


async def free_usage(db: Db, invoices: Pairs) -> None:
    """Leave the records of invoices to the next ones."""
    await db.driver.execute(_FREE, *_pairs(invoices))


async def forget_holds(db: Db, invoices: Pairs) -> None:
    """Credits are held no more for what these invoices have taken: account has ended the holds."""
    await db.driver.execute(_UNHOLD, *_pairs(invoices))


async def bill_usage(db: Db, invoices: Pairs) -> None:
    """The records of these invoices are billed."""
    await db.driver.execute(_BILL, *_pairs(invoices), db.now)


async def list_holds(db: Db, invoices: Pairs) -> dict[str, tuple[str, ...]]:
    """The credits that are held for what invoices have taken, the oldest use first."""
    rows = await db.driver.fetch(_HOLDS, *_pairs(invoices))
    return {row["organization_id"]: tuple(row["hold_ids"]) for row in rows}


async def list_carries(db: Db, organization_ids: Sequence[str]) -> dict[str, Carries]:
    """What rounding has left over."""
    carries: dict[str, dict[tuple[UsageType, int], int]] = {}
    for row in await db.driver.fetch(_CARRIES, list(organization_ids)):
        key = row["usage_type"], row["unit_price_cents"]
        carries.setdefault(row["organization_id"], {})[key] = row["carry_picousd"]
    return dict(carries)


async def add_to_carries(db: Db, changes: Mapping[str, Carries]) -> None:
    """Change what rounding has left over."""
    rows = [
        (organization_id, usage_type, price, change)
        for organization_id, carries in sorted(changes.items())
        for (usage_type, price), change in sorted(carries.items())
        if change
    ]
    if rows:
        await db.driver.executemany(_CARRY, rows)


async def list_billed_until(db: Db, organization_ids: Sequence[str]) -> dict[str, datetime]:
    """Until when each organization's usage is on invoices that stand."""
    rows = await db.driver.fetch(_BILLED_UNTIL, list(organization_ids))
    return {row["organization_id"]: row["billed_until"] for row in rows}


def _arguments(drafts: Pairs, cuts: Mapping[str, Cut]) -> tuple[list[Any], ...]:
    organizations, invoices = _pairs(drafts)
    ordered = [cuts[each] for each in organizations]
    until = [cut.usage_until for cut in ordered]
    return organizations, invoices, until, [cut.learned_until for cut in ordered]


def _pairs(invoices: Pairs) -> tuple[list[str], list[str]]:
    return list(invoices), list(invoices.values())


def _by_organization(rows: Sequence[Any]) -> Uses:
    uses: Uses = {}
    for row in rows:
        values = dict(row)
        uses.setdefault(values.pop("organization_id"), []).append(msgspec.convert(values, Use))
    return uses
