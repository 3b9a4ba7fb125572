"""The invariants as sums that must be equal: the one list that auditor and commands go by."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from shared.contracts.account import AccountTotals, GetAccountTotals
from shared.contracts.base import Event, Reply, Request
from shared.contracts.cost_metering import ControlTotals, GetControlTotals
from shared.contracts.stripe_gateway import (
    GetPaymentTotals,
    MoneyMoved,
    PaymentTotals,
    PurchasePaid,
    PurchaseReversed,
)
from shared.contracts.subscription import GetWorkflowTotals, WorkflowTotals


class Owner(NamedTuple):
    """Whom the auditor asks, for what, and what comes back."""

    request: type[Request[Any]]
    totals: type[Reply]


OWNERS: Mapping[str, Owner] = {
    "account": Owner(GetAccountTotals, AccountTotals),
    "cost_metering": Owner(GetControlTotals, ControlTotals),
    "stripe_gateway": Owner(GetPaymentTotals, PaymentTotals),
    "subscription": Owner(GetWorkflowTotals, WorkflowTotals),
}


class Pipe(NamedTuple):
    """A fact by which one owner's numbers reach another's."""

    fact: type[Event]
    consumer: str


class Check(NamedTuple):
    """The sum of `left` must be the sum of `right` (or `at_least` it); a figure is named
    `owner.figure`, a book of rows `owner.book`.

    Between owners it is judged only when all that the left one told has been heard (`pipes`), and
    while nothing moves that `quiet` counts. One that does not park only tells.
    """

    name: str
    invariant: str
    sentence: str
    left: tuple[str, ...]
    right: tuple[str, ...] = ()
    relation: Literal["equal", "at_least"] = "equal"
    left_rows: str | None = None
    right_rows: str | None = None
    pipes: tuple[Pipe, ...] = ()
    quiet: tuple[str, ...] = ()
    parks: bool = True

    @property
    def owners(self) -> frozenset[str]:
        """Those who must have answered."""
        figures = (*self.left, *self.right, *self.quiet)
        return frozenset(figure.partition(".")[0] for figure in figures)

    @property
    def is_within_one(self) -> bool:
        """Whether one owner's snapshot decides it, so that nothing can be in flight."""
        return len(self.owners) == 1 and not self.quiet


_LEDGER = (
    Check(
        "transactions_balance",
        "I4",
        "The entries of every ledger transaction sum to zero.",
        left=("account.unbalanced_cents",),
        left_rows="account.transactions",
    ),
    Check(
        "ledger_sequence_has_no_gap",
        "I4",
        "The ledger has as many transactions as its last number says.",
        left=("account.sequence",),
        right=("account.transactions",),
    ),
    Check(
        "balance_is_the_ledgers",
        "I6",
        "The account's credits are what its ledger's entries sum to.",
        left=("account.account_ledger_cents",),
        right=("account.credits_ledger_cents",),
    ),
    Check(
        "balance_is_the_statements",
        "I6",
        "Credits granted - burned - expired, as the statement says, are the balance.",
        left=("account.account_ledger_cents",),
        right=("account.statement_cents",),
    ),
    Check(
        "lots_hold_the_balance",
        "I6",
        "What remains in each lot of credits is what its entries say, and together the balance.",
        left=("account.lots_cents",),
        right=("account.credits_ledger_cents",),
        left_rows="account.lots",
        right_rows="account.lots_by_entries",
    ),
    Check(
        "balance_is_not_negative",
        "I6",
        "No more is held than there is.",
        left=("account.account_ledger_cents",),
        right=("account.account_held_cents",),
        relation="at_least",
    ),
    Check(
        "held_is_what_holds_pin",
        "I6",
        "The account holds back what its reservations' holds pin.",
        left=("account.account_held_cents",),
        right=("account.pinned_cents",),
    ),
    Check(
        "lots_hold_what_is_pinned",
        "I6",
        "Each lot holds back what holds pin in it.",
        left=("account.lots_held_cents",),
        right=("account.pinned_cents",),
        left_rows="account.lots_held",
        right_rows="account.lots_by_pins",
    ),
    Check(
        "debt_is_the_ledgers",
        "I6",
        "The account's debt is what its ledger's entries sum to.",
        left=("account.account_debt_cents",),
        right=("account.debt_ledger_cents",),
    ),
    Check(
        "spent_is_what_moved",
        "I12",
        "What the account shows as spent is the sum of its money movements.",
        left=("account.account_spent_cents",),
        right=("account.movements_cents",),
    ),
    Check(
        "audit_log_has_no_gap",
        "I12",
        "The audit log has as many entries as its head says.",
        left=("account.audit_sequence",),
        right=("account.audit_entries",),
    ),
)
_COSTS = (
    Check(
        "costs_are_rolled_up",
        "I3",
        "The costs of all records are the costs of the roll-ups, to the pico-dollar.",
        left=("cost_metering.records_cost_picousd",),
        right=("cost_metering.window_rollups_cost_picousd",),
        left_rows="cost_metering.costs_by_records",
        right_rows="cost_metering.costs_by_rollups",
    ),
    Check(
        "records_are_rolled_up",
        "I3",
        "There are as many records as the roll-ups count.",
        left=("cost_metering.records",),
        right=("cost_metering.window_rollups_records",),
    ),
    Check(
        "costs_are_announced",
        "I3",
        "The costs of the roll-ups are those that were announced, to the pico-dollar.",
        left=("cost_metering.rollups_cost_picousd",),
        right=("cost_metering.announced_cost_picousd",),
    ),
    Check(
        "records_are_announced",
        "I3",
        "The roll-ups count as many records as were announced.",
        left=("cost_metering.rollups_records",),
        right=("cost_metering.announced_records",),
    ),
    Check(
        "producers_have_no_hole",
        "I2",
        "Every number of the agents' sequences has come.",
        left=("cost_metering.holes",),
        # An agent could make one, and must not be able to stop its own invoices by it.
        parks=False,
    ),
)
_WORKFLOWS = (
    Check(
        "counters_count_workflows",
        "I9",
        "Workflows used of plan, free and auto-billing quotas are those that were charged to them.",
        left=("subscription.quota_used",),
        right=("subscription.charged_by_quota",),
        left_rows="subscription.used_by_quotas",
        right_rows="subscription.used_by_workflows",
    ),
    Check(
        "counters_count_reservations",
        "I9",
        "Workflows reserved of quotas are those that are reserved.",
        left=("subscription.quota_reserved",),
        right=("subscription.reserved_by_quota",),
        left_rows="subscription.reserved_by_quotas",
        right_rows="subscription.reserved_by_workflows",
    ),
    Check(
        "reservations_have_holds",
        "I6",
        "Every reservation by credits has its hold at the account, and no hold is without one.",
        left=("subscription.reserved_by_credits",),
        right=("account.holds_open",),
        left_rows="subscription.open_holds",
        right_rows="account.open_holds",
        quiet=("subscription.unsettled",),
    ),
)
_MONEY = (
    Check(
        "charges_moved_money",
        "I8",
        "Each charge that succeeded moved its amount, once.",
        left=("stripe_gateway.collected_cents",),
        right=("stripe_gateway.charge_movements_cents",),
        left_rows="stripe_gateway.charges",
        right_rows="stripe_gateway.charges_by_movements",
    ),
    Check(
        "purchases_moved_money",
        "I12",
        "Each purchase that was paid moved its amount, once.",
        left=("stripe_gateway.bought_cents",),
        right=("stripe_gateway.purchase_movements_cents",),
        left_rows="stripe_gateway.purchases",
        right_rows="stripe_gateway.purchases_by_movements",
    ),
    Check(
        "refunds_moved_money",
        "I12",
        "Each refund moved its amount back, once.",
        left=("stripe_gateway.refunds_cents", "stripe_gateway.refund_movements_cents"),
        left_rows="stripe_gateway.refunds",
        right_rows="stripe_gateway.refunds_by_movements",
    ),
    Check(
        "money_reached_the_account",
        "I12",
        "The money that moved at Stripe is the money that the account knows of.",
        left=("stripe_gateway.movements_cents",),
        right=("account.movements_cents",),
        left_rows="stripe_gateway.movements",
        right_rows="account.movements",
        pipes=(Pipe(MoneyMoved, "account"),),
    ),
    Check(
        "purchases_reached_the_account",
        "I6",
        "Credits that were paid for were granted, once.",
        left=("stripe_gateway.credits_cents",),
        right=("account.purchases_cents",),
        left_rows="stripe_gateway.credits",
        right_rows="account.purchases",
        pipes=(Pipe(PurchasePaid, "account"),),
    ),
    Check(
        "reversals_reached_the_account",
        "I6",
        "What was refunded or disputed of purchased credits was taken back.",
        left=("stripe_gateway.credits_reversed_cents",),
        right=("account.purchases_reversed_cents",),
        left_rows="stripe_gateway.reversals",
        right_rows="account.reversals",
        pipes=(Pipe(PurchasePaid, "account"), Pipe(PurchaseReversed, "account")),
    ),
)

CHECKS = (*_LEDGER, *_COSTS, *_WORKFLOWS, *_MONEY)
BY_NAME: Mapping[str, Check] = {check.name: check for check in CHECKS}
