"""Rows as rules and store see them; what an organization's credits are, in one `Book`."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.contracts.account import AccountStatus, CreditEntryKind, LotKind

LedgerAccount = Literal[
    "credits", "debt", "stripe_clearing", "revenue", "promotions", "adjustments", "breakage"
]
Source = Literal["purchase", "grant", "taking", "invoice", "lot", "debt"]
HoldStatus = Literal["held", "committed", "released", "expired", "spent"]


class Part(msgspec.Struct, frozen=True):
    """Cents of one lot; of a debt when there is no lot."""

    lot_id: str | None
    cents: int


class Lot(msgspec.Struct):
    """A portion of credits. What remains is free, or held by reservations that pin it."""

    lot_id: str
    kind: LotKind
    priority: int
    sequence: int
    amount_cents: int
    remaining_cents: int
    held_cents: int
    expires_at: datetime | None

    @property
    def free_cents(self) -> int:
        """What no reservation pins."""
        return self.remaining_cents - self.held_cents


class Hold(msgspec.Struct):
    """Credits set aside for a reservation, from these lots in this order."""

    hold_id: str
    amount_cents: int
    status: HoldStatus
    expires_at: datetime | None
    parts: tuple[Part, ...] = ()


class Origin(msgspec.Struct, frozen=True):
    """What a transaction is about, in a way that finds it again and that a customer can read."""

    source: Source
    reference: str
    description: str


class Entry(msgspec.Struct, frozen=True):
    """One side of a double entry: positive is what we owe or earn, negative what we are owed."""

    ledger_account: LedgerAccount
    lot_id: str | None
    amount_cents: int


class Posting(msgspec.Struct, frozen=True):
    """One transaction of the ledger; its entries sum to zero.

    `spendable_cents` is what the customer could spend right after it: the sum minus holds.
    """

    sequence: int
    kind: CreditEntryKind
    origin: Origin
    lot_kind: LotKind | None
    amount_cents: int
    balance_after_cents: int
    debt_after_cents: int
    spendable_cents: int
    expires_at: datetime | None
    entries: tuple[Entry, ...]


class Piece(msgspec.Struct, frozen=True):
    """An entry of a transaction written before, to be undone: who did it, and to which lot."""

    kind: CreditEntryKind
    part: Part


class Totals(msgspec.Struct):
    """What an account's row says about its credits."""

    ledger_cents: int
    held_cents: int
    debt_cents: int
    sequence: int
    low_armed: bool


class Book(msgspec.Struct):
    """An organization's credits while its row is locked; written back once, as differences.

    `lots` are the open ones and those that were asked for; `holds` those that were asked for.
    """

    organization_id: str
    at: datetime
    status: AccountStatus
    found: Totals
    now: Totals
    lots: dict[str, Lot]
    holds: dict[str, Hold] = msgspec.field(default_factory=dict)
    new_lots: set[str] = msgspec.field(default_factory=set)
    changed_lots: set[str] = msgspec.field(default_factory=set)
    new_holds: set[str] = msgspec.field(default_factory=set)
    changed_holds: set[str] = msgspec.field(default_factory=set)
    postings: list[Posting] = msgspec.field(default_factory=list)

    @property
    def spendable_cents(self) -> int:
        """What may be spent: the ledger's sum minus what is held."""
        return self.now.ledger_cents - self.now.held_cents


class AuditHead(msgspec.Struct, frozen=True):
    """Where an organization's audit log ends."""

    sequence: int
    hash: bytes


class AuditRow(msgspec.Struct, frozen=True):
    """An entry of the audit log; its hash covers everything else in it."""

    organization_id: str
    sequence: int
    actor: str
    action: str
    subject: str
    changes: dict[str, str]
    at: datetime
    previous_hash: bytes
    hash: bytes = b""
