"""What the toy ledger says."""

from shared.contracts.base import Event


class EntryBooked(Event, frozen=True, kw_only=True):
    """An order was booked."""

    order_id: str
