"""Freezing usage into drafts: from here on nothing that comes later changes what they bill."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from services.invoicing.handlers.means import Means
from services.invoicing.rules import invoices as rules
from services.invoicing.rules.invoices import Cut
from services.invoicing.rules.lines import left_over
from services.invoicing.store import drafts, invoices
from services.invoicing.tables import InvoiceRow, LineRow, ProfileRow
from shared.clock import new_ids
from shared.database import Db


class Frozen(NamedTuple):
    """Drafts by organization; of the others, what is too little and stays unbilled, in cents."""

    drafts: dict[str, InvoiceRow]
    rolled_over: dict[str, int]


def up_to(moment: datetime) -> Cut:
    """Everything that has happened, and is known, at this moment."""
    return Cut(moment + rules.MOMENT, moment + rules.MOMENT)


async def freeze(
    means: Means, db: Db, profiles: Mapping[str, ProfileRow], cuts: Mapping[str, Cut]
) -> Frozen:
    """Take the unbilled usage of organizations whose profiles are locked, and that have no draft,
    into drafts; too little to be charged is left where it is.
    """
    ids = dict(zip(profiles, new_ids(len(profiles)), strict=True))
    uses = await drafts.take_usage(db, ids, cuts)
    carries = await drafts.list_carries(db, list(uses))
    billed_until = await drafts.list_billed_until(db, list(uses))
    frozen = Frozen({}, {})
    lines: dict[str, tuple[LineRow, ...]] = {}
    for each, used in uses.items():
        draft, lines[each] = rules.make_draft(
            profiles[each],
            ids[each],
            used,
            carries.get(each, {}),
            rules.terms_of(profiles[each], means.tax_rates(profiles[each]), db.now),
            cuts[each],
            billed_until.get(each, profiles[each].opened_at),
            db.now,
        )
        if rules.is_worth_billing(draft, used):
            frozen.drafts[each] = draft
        else:
            frozen.rolled_over[each] = draft.total_cents
    await drafts.free_usage(db, {each: ids[each] for each in frozen.rolled_over})
    rows = list(frozen.drafts.values())
    await invoices.add_invoices(db, rows, [line for each in frozen.drafts for line in lines[each]])
    changes = {each: left_over(lines[each]) for each in frozen.drafts}
    await drafts.add_to_carries(db, changes)
    return frozen


class Drawn(NamedTuple):
    """What a draft would be; `held_cents` of it are covered by credits that are held."""

    draft: InvoiceRow
    lines: tuple[LineRow, ...]
    held_cents: int
    is_enough: bool


async def draft_now(means: Means, db: Db, profile: ProfileRow) -> Drawn | None:
    """What a draft would be now; None without usage."""
    organization_id, cut = profile.organization_id, up_to(db.now)
    uses = await drafts.find_usage(db, organization_id, cut)
    if not uses:
        return None
    carries = await drafts.list_carries(db, [organization_id])
    billed_until = await drafts.list_billed_until(db, [organization_id])
    draft, lines = rules.make_draft(
        profile,
        "preview",
        uses,
        carries.get(organization_id, {}),
        rules.terms_of(profile, means.tax_rates(profile), db.now),
        cut,
        billed_until.get(organization_id, profile.opened_at),
        db.now,
    )
    return Drawn(draft, lines, rules.held_cents(uses), rules.is_worth_billing(draft, uses))


async def drop(db: Db, draft: InvoiceRow, lines: tuple[LineRow, ...], reason: str) -> InvoiceRow:
    """Give a draft up, so that its usage is unbilled again; it never gets a number."""
    pair = {draft.organization_id: draft.invoice_id}
    row = rules.void(draft, reason, db.now)
    await invoices.save_invoices(db, [row])
    await drafts.forget_holds(db, pair)
    await take_back(db, pair, lines)
    return row


async def take_back(db: Db, invoice: Mapping[str, str], lines: tuple[LineRow, ...]) -> None:
    """Leave an invoice's records to the next one, and undo what its lines rounded away."""
    await drafts.free_usage(db, invoice)
    undone = {key: -rest for key, rest in left_over(lines).items()}
    await drafts.add_to_carries(db, dict.fromkeys(invoice, undone))
