"""What account says and answers: billing accounts and their credits. Money is integer cents."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from shared.contracts.base import (
    Contract,
    Event,
    Organization,
    PageLimit,
    Refusal,
    Reply,
    Request,
    Text,
)

AccountStatus = Literal["pending", "active", "suspended"]
LotKind = Literal["purchased", "promotional"]
CreditEntryKind = Literal[
    "granted", "burned", "restored", "taken_back", "reinstated", "expired", "debt", "debt_paid"
]

Cents = Annotated[int, Meta(ge=0, le=10**12)]
PositiveCents = Annotated[int, Meta(ge=1, le=10**12)]
Email = Annotated[str, Meta(pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}\Z")]
Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=200)]


class Address(Contract, frozen=True, kw_only=True):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    line1: Line
    line2: Line | None = None
    city: Line | None = None
    state: Line | None = None
    postal_code: Line | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]


class Buyer(Contract, frozen=True, kw_only=True):
    """Who invoices are made out to."""

    name: Line | None = None
    address: Address | None = None
    tax_id: Line | None = None


class Account(Reply, frozen=True, kw_only=True):
    """A billing account as it stands. `credit_balance_cents` = ledger − holds, never negative.

    `credit_debt_cents` is what a refund or dispute took back after it had been spent.
    `total_amount_spent_cents` is money collected minus refunds.
    """

    billing_account_id: str
    organization_id: str
    stripe_customer_id: str | None
    has_payment_method: bool
    status: AccountStatus
    credit_balance_cents: int
    credit_held_cents: int
    credit_debt_cents: int
    auto_billing_enabled: bool
    auto_billing_monthly_limit_cents: int | None
    billing_email: str | None
    tax_exempt: bool
    buyer: Buyer
    total_workflows_completed: int
    total_amount_spent_cents: int
    version: int
    created_at: datetime
    updated_at: datetime


class GetAccount(Request[Account], frozen=True, kw_only=True):
    """Get an organization's account; the first one to ask opens it."""

    organization_id: Organization


class UpdateAccount(Request[Account], frozen=True, kw_only=True):
    """Change settings; a field that is left out stays as it is."""

    organization_id: Organization
    requested_by: Text
    billing_email: Email | UnsetType | None = UNSET
    auto_billing_enabled: bool | UnsetType = UNSET
    auto_billing_monthly_limit_cents: PositiveCents | UnsetType | None = UNSET
    buyer: Buyer | UnsetType = UNSET
    tax_exempt: bool | UnsetType = UNSET


class AccountOpened(Event, frozen=True, kw_only=True):
    """An organization has an account now."""

    billing_account_id: str
    opened_at: datetime


class AccountChanged(Event, frozen=True, kw_only=True):
    """An account stands like this; a lower `version` than one seen before is out of date."""

    billing_account_id: str
    version: int
    status: AccountStatus
    has_payment_method: bool
    auto_billing_enabled: bool
    auto_billing_monthly_limit_cents: int | None
    billing_email: str | None
    tax_exempt: bool
    buyer: Buyer
    changed_at: datetime


class CreditsChanged(Event, frozen=True, kw_only=True):
    """The credit ledger grew by an entry; `sequence` is gapless per organization.

    `balance_cents` is what the account shows: the ledger's sum minus holds.
    """

    sequence: int
    kind: CreditEntryKind
    amount_cents: int
    balance_cents: int
    debt_cents: int
    reference: str
    changed_at: datetime


class CreditsLow(Event, frozen=True, kw_only=True):
    """The balance fell below the threshold; said once until it rises above it again."""

    balance_cents: int
    threshold_cents: int
    noticed_at: datetime


class CreditEntry(Contract, frozen=True, kw_only=True):
    """One line of the ledger; `amount_cents` is signed, from the customer's point of view.

    `balance_after_cents` is the ledger's sum, holds included; a `debt` leaves it as it is.
    """

    entry_id: str
    sequence: int
    kind: CreditEntryKind
    lot_kind: LotKind | None
    amount_cents: int
    balance_after_cents: int
    description: str
    reference: str
    expires_at: datetime | None
    created_at: datetime
    debt_after_cents: int = 0


class CreditEntries(Reply, frozen=True, kw_only=True):
    """A page of the ledger, newest first."""

    entries: tuple[CreditEntry, ...]
    next_cursor: str | None = None


class ListCreditEntries(Request[CreditEntries], frozen=True, kw_only=True):
    """One page of an organization's credit ledger."""

    organization_id: Organization
    limit: PageLimit = 50
    cursor: Text | None = None


class CreditBalance(Reply, frozen=True, kw_only=True):
    """Credits after a change; `changed_cents` is what this request moved, 0 if it was known.

    `total_cents` is what its id stands for, now or since it first came: granted, taken, held,
    applied or restored.
    """

    balance_cents: int
    held_cents: int
    debt_cents: int
    changed_cents: int
    total_cents: int = 0


class GrantCredits(Request[CreditBalance], frozen=True, kw_only=True):
    """An operator gives credits; `grant_id` makes a repetition harmless."""

    organization_id: Organization
    grant_id: Text
    amount_cents: PositiveCents
    kind: LotKind = "promotional"
    expires_at: datetime | None = None
    description: Line
    requested_by: Text


class TakeCredits(Request[CreditBalance], frozen=True, kw_only=True):
    """An operator takes credits; at most what is free is taken."""

    organization_id: Organization
    taking_id: Text
    amount_cents: PositiveCents
    description: Line
    requested_by: Text


class HoldCredits(Request[CreditBalance], frozen=True, kw_only=True):
    """Set credits aside for a reservation; their lots are pinned. Refused (402) beyond them."""

    organization_id: Organization
    hold_id: Text
    amount_cents: PositiveCents
    expires_at: datetime


class SettleHold(Request[CreditBalance], frozen=True, kw_only=True):
    """Make a hold permanent until its record is invoiced (`commit`), renew it, or let it go."""

    organization_id: Organization
    hold_id: Text
    action: Literal["commit", "renew", "release"]
    expires_at: datetime | None = None


class ApplyCredits(Request[CreditBalance], frozen=True, kw_only=True):
    """Burn credits for an invoice, once: first the holds named, then free credits, up to amount.

    The holds end by it. What credits leave to pay is nothing or at least `least_left_cents`.
    """

    organization_id: Organization
    invoice_id: Text
    amount_cents: Cents
    hold_ids: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    least_left_cents: Cents = 0


class AppliedCredits(Contract, frozen=True, kw_only=True):
    """One of many: what was burned, or a "no"."""

    organization_id: str
    balance: CreditBalance | None = None
    refusal: Refusal | None = None


class ManyApplied(Reply, frozen=True, kw_only=True):
    """In the order in which they were asked for."""

    results: tuple[AppliedCredits, ...]


class ApplyManyCredits(Request[ManyApplied], frozen=True, kw_only=True):
    """Burn credits for invoices of many organizations in one transaction, each answered as if it
    came alone; when a month is closed, most of them have none.
    """

    applications: Annotated[tuple[ApplyCredits, ...], Meta(min_length=1, max_length=256)]


class RestoreCredits(Request[CreditBalance], frozen=True, kw_only=True):
    """Give back what an invoice burned, in reverse order, once."""

    organization_id: Organization
    invoice_id: Text


class AuditEntry(Contract, frozen=True, kw_only=True):
    """Who changed what, chained to the entry before by its hash."""

    sequence: int
    actor: str
    action: str
    subject: str
    changes: dict[str, str]
    at: datetime
    hash: str


class AuditTrail(Reply, frozen=True, kw_only=True):
    """A page of the audit log, newest first; `broken_at` names the first entry that was altered."""

    entries: tuple[AuditEntry, ...]
    broken_at: int | None = None


class ListAudit(Request[AuditTrail], frozen=True, kw_only=True):
    """An organization's audit log; with `verify` the whole chain is recomputed."""

    organization_id: Organization
    limit: PageLimit = 50
    before_sequence: int | None = None
    verify: bool = False


class AccountTotals(Reply, frozen=True, kw_only=True):
    """What the auditor compares of one account, in one snapshot; zeros when there is none.

    `sequence` is the ledger's last number. `*_ledger_cents` are sums of entries, `statement_cents`
    what the statement's lines come to; a reversal counts up to what was bought.
    """

    sequence: int
    account_ledger_cents: int
    account_held_cents: int
    account_debt_cents: int
    account_spent_cents: int
    audit_sequence: int
    transactions: int
    unbalanced_cents: int
    credits_ledger_cents: int
    debt_ledger_cents: int
    statement_cents: int
    lots_cents: int
    lots_held_cents: int
    pinned_cents: int
    holds_open: int
    movements: int
    movements_cents: int
    audit_entries: int
    purchases_cents: int
    purchases_reversed_cents: int
    applied_cents: int
    dead_letters: int
    untold: int


class GetAccountTotals(Request[AccountTotals], frozen=True, kw_only=True):
    """Control totals of one organization's account."""

    organization_id: Organization
