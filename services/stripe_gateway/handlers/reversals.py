"""Money that goes back: refunds, and disputes of the customers' banks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from services.stripe_gateway.handlers.charges import charge_changed
from services.stripe_gateway.rules.objects import Dispute, Intent, Refund
from services.stripe_gateway.rules.reversals import (
    giving_back_of,
    reason_of,
    refunded,
    withdrawn,
)
from services.stripe_gateway.rules.states import (
    NOT_GIVEN_BACK,
    dispute_stage,
    refunded_status,
    withdrawn_cents,
)
from services.stripe_gateway.store import charges, purchases, reversals
from services.stripe_gateway.store.money import has_moved, move_money
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import DisputeChanged, PurchaseReversed, RefundFailed
from shared.database import Db
from shared.parked_steps import resume

Found = Row[Any] | None


async def keep_reversals(
    db: Db,
    organization_id: str,
    intent: Intent,
    all_refunds: Sequence[Refund],
    all_disputes: Sequence[Dispute],
    purchase: Found,
    charge: Found,
) -> Sequence[Event]:
    """Write down all that was asked back of a payment; what there is to tell."""
    reference = purchase.session_id if purchase else charge.charge_id if charge else intent.id
    events: list[Event] = []
    for refund in all_refunds:
        if await reversals.set_refund(db, organization_id, intent.id, refund):
            events.extend(_refund_failed(db, organization_id, refund))
        events.extend(await _refund_money(db, organization_id, refund, reference))
    for dispute in all_disputes:
        events.extend(await _dispute(db, organization_id, intent, dispute, purchase, charge))
        events.extend(await _dispute_money(db, organization_id, dispute, reference))
    given_back = refunded(all_refunds)
    if purchase is not None:
        taken = min(purchase.amount_cents, given_back + withdrawn(all_disputes))
        events.extend(await _purchase_reversed(db, purchase, taken, all_disputes))
    if charge is not None:
        events.extend(await _charge_reversed(db, charge, given_back, withdrawn(all_disputes)))
    return events


def _refund_failed(db: Db, organization_id: str, refund: Refund) -> Sequence[Event]:
    """What there is to tell of a refund that stands otherwise than before."""
    refund_id = (refund.metadata or {}).get("refund_id")
    if refund_id is None or refund.status not in NOT_GIVEN_BACK:
        return ()
    return (
        RefundFailed(
            organization_id=organization_id,
            refund_id=refund_id,
            amount_cents=refund.amount,
            failed_at=db.now,
        ),
    )


async def _refund_money(
    db: Db, organization_id: str, refund: Refund, reference: str
) -> Sequence[Event]:
    at = datetime.fromtimestamp(refund.created, UTC)
    name = f"refund:{refund.id}"
    if refund.status not in NOT_GIVEN_BACK:
        return await move_money(db, organization_id, name, -refund.amount, "refund", reference, at)
    if not await has_moved(db, organization_id, name):
        return ()
    return await move_money(
        db, organization_id, f"{name}:failed", refund.amount, "refund", reference, db.now
    )


async def _dispute_money(
    db: Db, organization_id: str, dispute: Dispute, reference: str
) -> Sequence[Event]:
    name = f"dispute:{dispute.id}"
    if withdrawn_cents(dispute.status, dispute.amount):
        return await move_money(
            db, organization_id, name, -dispute.amount, "dispute", reference, db.now
        )
    if dispute_stage(dispute.status) != "reinstated" or not await has_moved(
        db, organization_id, name
    ):
        return ()
    return await move_money(
        db, organization_id, f"{name}:reinstated", dispute.amount, "dispute", reference, db.now
    )


async def _dispute(
    db: Db,
    organization_id: str,
    intent: Intent,
    dispute: Dispute,
    purchase: Found,
    charge: Found,
) -> Sequence[Event]:
    version = await reversals.set_dispute(db, organization_id, intent.id, dispute)
    if version is None:
        return ()
    if dispute_stage(dispute.status) != "withdrawn":
        # It may have waited for the bank for longer than it is tried.
        await resume(db, giving_back_of(intent.id))
    return (
        DisputeChanged(
            organization_id=organization_id,
            dispute_id=dispute.id,
            version=version,
            stage=dispute_stage(dispute.status),
            amount_cents=dispute.amount,
            session_id=purchase.session_id if purchase else None,
            charge_id=charge.charge_id if charge else None,
            changed_at=db.now,
        ),
    )


async def _purchase_reversed(
    db: Db, purchase: Row[Any], taken: int, all_disputes: Sequence[Dispute]
) -> Sequence[Event]:
    before = purchase.reversed_cents
    if taken == before:
        return ()
    row = await purchases.set_purchase(
        db,
        purchase.purchase_id,
        reversed_cents=taken,
        reversal_version=purchase.reversal_version + 1,
    )
    return (
        PurchaseReversed(
            organization_id=row.organization_id,
            session_id=row.session_id,
            kind=row.kind,
            amount_cents=row.amount_cents,
            reversed_cents=taken,
            version=row.reversal_version,
            reason=reason_of(before, taken, all_disputes),
            reversed_at=db.now,
        ),
    )


async def _charge_reversed(
    db: Db, charge: Row[Any], given_back: int, held_back: int
) -> Sequence[Event]:
    # The row was locked before the payment was written down, so it is read again.
    row = await charges.lock_charge(db, charge.organization_id, charge.charge_id)
    if row is None or row.succeeded_at is None:
        return ()
    refunded_cents = min(row.amount_cents, given_back)
    changed = await charges.set_charge(
        db,
        row,
        refunded_cents=refunded_cents,
        # Together they are no more than was paid.
        disputed_cents=min(row.amount_cents - refunded_cents, held_back),
        status=refunded_status(row.amount_cents, refunded_cents),
    )
    return () if changed is None else (charge_changed(changed, db),)
