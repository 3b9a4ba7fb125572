"""Checks of what was used: costs of calls, workflows and their counters."""

from services.auditor.rules.forms import Check

COSTS = (
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
WORKFLOWS = (
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
