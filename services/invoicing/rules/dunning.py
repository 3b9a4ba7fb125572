"""When auto-billing tries again, what it never tries again, and when it gives up."""

from datetime import datetime, timedelta

from services.invoicing.tables.rows import DunningRow, ProfileRow

# After the first failure. The last one is also when an account is suspended.
RETRY_AFTER = (timedelta(days=1), timedelta(days=3), timedelta(days=5), timedelta(days=7))
REMIND_BEFORE = timedelta(days=3)
# While a customer pays by hand, auto-billing waits; it does not wait for one who has left.
CUSTOMER_TAKES = timedelta(hours=1)
# What the same card will answer again. Sources: docs.stripe.com/declines/codes and
# docs.stripe.com/billing/revenue-recovery/smart-retries (hard declines).
HARD_DECLINES = frozenset(
    {
        "authentication_required",
        "currency_not_supported",
        "expired_card",
        "fraudulent",
        "highest_risk_level",
        "incorrect_number",
        "invalid_account",
        "invalid_cvc",
        "incorrect_cvc",
        "lost_card",
        "new_account_information_available",
        "payment_method_not_found",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)


def is_hard(failure_code: str | None) -> bool:
    """Whether only another card can help."""
    return failure_code in HARD_DECLINES


def next_attempt(first_failed_at: datetime, after: datetime) -> datetime | None:
    """When it is tried again; None when it was tried for the last time."""
    moments = (first_failed_at + wait for wait in RETRY_AFTER)
    return next((moment for moment in moments if moment > after), None)


def gives_up_at(first_failed_at: datetime) -> datetime:
    """When an account is suspended if nothing was collected by then."""
    return first_failed_at + RETRY_AFTER[-1]


def next_move(row: DunningRow, failure_code: str | None, at: datetime) -> datetime | None:
    """When dunning acts again after a failure, to charge or to give up; None: it gives up now."""
    first = row.first_failed_at or at
    if not is_hard(failure_code):
        return next_attempt(first, at)
    last = gives_up_at(first)
    return last if last > at else None


def may_charge(
    profile: ProfileRow, row: DunningRow, amount_cents: int, collected_cents: int
) -> bool:
    """Whether auto-billing may charge the default card now. `collected_cents` is what it has
    collected this month.
    """
    if not profile.auto_billing_enabled or profile.parked_reason is not None:
        return False
    if profile.default_payment_method_id is None and not profile.has_payment_method:
        return False
    limit = profile.auto_billing_monthly_limit_cents
    if limit is not None and collected_cents + amount_cents > limit:
        return False
    return not is_hard(row.last_failure_code)


def first_reminder(due_at: datetime, at: datetime) -> datetime:
    """When an invoice is reminded of first: some days before it is due, if there are so many."""
    before = due_at - REMIND_BEFORE
    return before if before > at else due_at


def month_of(at: datetime) -> datetime:
    """When the calendar month of a moment began, UTC."""
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
