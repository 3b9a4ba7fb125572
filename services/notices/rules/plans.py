"""What is to be said when a plan stands otherwise than before."""

from datetime import datetime, timedelta

import msgspec

from services.notices.rules.wording import Draft, date, plan
from services.notices.tables import OrganizationRow
from shared.contracts.notices import Severity
from shared.contracts.subscription import PlanChanged

TRIAL_NOTICE_BEFORE = timedelta(days=3)


def follow_plan(row: OrganizationRow, fact: PlanChanged, now: datetime) -> OrganizationRow:
    """The row after the fact; a trial that ends at another time is to be told of anew.

    One that is canceled is not: nothing is charged after it.
    """
    goes_on = fact.status == "trialing" and not fact.cancel_at_period_end
    ends = fact.current_period_end if goes_on else None
    tell_at = row.trial_notice_at if ends == row.trial_ends_at else None
    if ends is not None and ends != row.trial_ends_at and ends > now:
        tell_at = ends - TRIAL_NOTICE_BEFORE
    return msgspec.structs.replace(
        row,
        plan_version=fact.version,
        tier=fact.tier,
        plan_status=fact.status,
        period_end=fact.current_period_end,
        cancel_at_period_end=fact.cancel_at_period_end,
        pending_tier=fact.pending_tier,
        plan_suspended=fact.suspended,
        trial_ends_at=ends,
        trial_notice_at=tell_at if ends else None,
    )


def plan_changed(before: OrganizationRow, fact: PlanChanged) -> Draft | None:
    """What changed for the customer, the most important thing first; None if nothing did."""
    said = _new_tier(before, fact) or _new_status(before, fact) or _new_intention(before, fact)
    if said is None:
        return None
    severity, title, text = said
    reference = f"{fact.subscription_id}:{fact.version}"
    return Draft("plan_changed", severity, title, text, reference)


Said = tuple[Severity, str, str]


def _new_tier(before: OrganizationRow, fact: PlanChanged) -> Said | None:
    if fact.tier == before.tier:
        return None
    if fact.status == "trialing" and fact.current_period_end:
        text = f"You can try it until {date(fact.current_period_end)}."
        return "success", f"Your trial of the {plan(fact.tier)} plan has begun", text
    text = f"Before it was {plan(before.tier)}. What it includes is on the billing page."
    return "success", f"Your plan is now {plan(fact.tier)}", text


def _new_status(before: OrganizationRow, fact: PlanChanged) -> Said | None:
    if fact.status == before.plan_status or fact.status != "past_due":
        return None
    text = "Please check your card on the billing page, or the plan is suspended."
    return "critical", f"The payment of your {plan(fact.tier)} plan failed", text


def _new_intention(before: OrganizationRow, fact: PlanChanged) -> Said | None:
    ends = fact.current_period_end
    if fact.cancel_at_period_end and not before.cancel_at_period_end:
        until = f" on {date(ends)}" if ends else ""
        text = "Until then nothing changes, and you can take it back on the billing page."
        return "info", f"Your {plan(fact.tier)} plan ends{until}", text
    if before.cancel_at_period_end and not fact.cancel_at_period_end:
        return "success", f"Your {plan(fact.tier)} plan goes on", "It will not be canceled."
    if fact.pending_tier and fact.pending_tier != before.pending_tier:
        starts = f" on {date(fact.pending_change_at)}" if fact.pending_change_at else ""
        text = f"Until then you have {plan(fact.tier)}."
        return "info", f"Your plan changes to {plan(fact.pending_tier)}{starts}", text
    return None
