"""When a card can no longer be charged, and when its owner should know."""

from datetime import UTC, datetime, timedelta

import msgspec

from services.notices.tables import OrganizationRow
from shared.contracts.stripe_gateway import PaymentMethod, PaymentMethodsChanged

CARD_NOTICE_BEFORE = timedelta(days=30)


def follow_methods(
    row: OrganizationRow, fact: PaymentMethodsChanged, now: datetime
) -> OrganizationRow:
    """The row after the fact; another card, or one that was renewed, is to be told of anew."""
    card = fact.default_card
    expires = expiry_of(card) if card else None
    card_id = card.payment_method_id if card else None
    same = (card_id, expires) == (row.card_id, row.card_expires_at)
    tell_at = expires - CARD_NOTICE_BEFORE if expires and expires > now else None
    return msgspec.structs.replace(
        row,
        methods_version=fact.version,
        card_id=card_id,
        card_name=name_of(card) if card else None,
        card_expires_at=expires,
        card_notice_at=row.card_notice_at if same else tell_at,
    )


def expiry_of(card: PaymentMethod) -> datetime | None:
    """The first moment after the month that is printed on a card."""
    if not card.exp_year or not card.exp_month:
        return None
    year, month = divmod(card.exp_year * 12 + card.exp_month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def name_of(card: PaymentMethod) -> str:
    """`Visa card ending in 4242`."""
    brand = (card.card_brand or "").capitalize()
    ending = f" ending in {card.card_last4}" if card.card_last4 else ""
    return f"{brand} card{ending}".strip()
