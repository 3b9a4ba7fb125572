"""A number that is changed behind its owner's back is found, parks that account, is explained."""

import pytest

from shared.contracts.auditor import AccountParked, AccountReleased
from tests.auditor.house import House, Organization

# What is changed by SQL as the tables' owner, and the check that must notice.
SEEDS = {
    "an entry of the ledger": (
        "account",
        "UPDATE ledger_entries SET amount_cents = amount_cents + 5 WHERE organization_id = $1"
        " AND sequence = 1 AND ledger_account = 'credits'",
        "transactions_balance",
    ),
    "a balance": (
        "account",
        "UPDATE accounts SET ledger_cents = ledger_cents + 100 WHERE organization_id = $1",
        "balance_is_the_ledgers",
    ),
    "a lot": (
        "account",
        "UPDATE credit_lots SET remaining_cents = remaining_cents - 1 WHERE organization_id = $1",
        "lots_hold_the_balance",
    ),
    "what is spent": (
        "account",
        "UPDATE accounts SET total_amount_spent_cents = total_amount_spent_cents + 1"
        " WHERE organization_id = $1",
        "spent_is_what_moved",
    ),
    "the audit log": (
        "account",
        "DELETE FROM audit_entries WHERE organization_id = $1 AND sequence = 1",
        "audit_log_has_no_gap",
    ),
    "a hold": (
        "account",
        "UPDATE holds SET status = 'released' WHERE organization_id = $1 AND status = 'held'",
        "reservations_have_holds",
    ),
    "a movement that is lost": (
        "account",
        "DELETE FROM money_movements WHERE organization_id = $1 AND amount_cents = 1000",
        "money_reached_the_account",
    ),
    "a roll-up": (
        "cost_metering",
        "UPDATE cost_rollups SET cost_picousd = cost_picousd + 1 WHERE organization_id = $1",
        "costs_are_rolled_up",
    ),
    "a record that is lost": (
        "cost_metering",
        "DELETE FROM cost_records WHERE organization_id = $1 AND event_id IN"
        " (SELECT event_id FROM cost_records WHERE organization_id = $1 LIMIT 1)",
        "records_are_rolled_up",
    ),
    "an announced total": (
        "cost_metering",
        "UPDATE cost_totals SET cost_picousd = cost_picousd - 1 WHERE organization_id = $1",
        "costs_are_announced",
    ),
    "a counter": (
        "subscription",
        "UPDATE quotas SET used = used - 1 WHERE organization_id = $1 AND source = 'free'",
        "counters_count_workflows",
    ),
    "a charge": (
        "stripe_gateway",
        "UPDATE charges SET amount_cents = amount_cents + 1 WHERE organization_id = $1"
        " AND amount_cents = 2900",
        "charges_moved_money",
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_changed_parks_that_account_only_and_is_explained(
    house: House, organization: Organization, bystander: Organization, seed: str
) -> None:
    service, statement, check = SEEDS[seed]
    await house.rounds()
    assert await organization.findings() == []

    await organization.sql(service, statement)

    finding = await organization.found(check)
    assert (finding.status, finding.parks, finding.difference != 0) == ("open", True, True)
    explained = await organization.explain(finding)
    left = sum(figure.value for figure in explained.left)
    right = sum(figure.value for figure in explained.right)
    assert left - right == finding.difference
    assert {figure.owner for figure in explained.left} | {service} >= {service}
    if explained.left_rows is not None:
        assert explained.rows
        assert explained.rows_complete
        gap = sum((row.left or 0) - (row.right or 0) for row in explained.rows)
        assert abs(gap) == abs(finding.difference)
    parked = await organization.parked()
    assert parked is not None
    assert parked.version == 1
    (told,) = await organization.was_told(AccountParked)
    assert told["version"] == 1
    assert told["reason"] == parked.reason
    await house.rounds()
    assert await bystander.parked() is None
    assert await bystander.findings() == []
    assert len(organization.told(AccountParked)) == 1


async def test_a_released_account_goes_on_until_another_difference(
    house: House, organization: Organization
) -> None:
    spoil = "UPDATE cost_totals SET cost_picousd = cost_picousd + $2 WHERE organization_id = $1"
    await organization.sql("cost_metering", spoil, 7)
    finding = await organization.found("costs_are_announced")

    released = await organization.release("known since the migration")

    assert (released.parked, released.version, released.released_by) == (False, 2, "op-1")
    (told,) = await organization.was_told(AccountReleased)
    assert (told["version"], told["reason"]) == (2, "known since the migration")
    await house.rounds(4)
    assert await organization.parked() is None
    (accepted,) = await organization.findings()
    assert (accepted.finding_id, accepted.status) == (finding.finding_id, "accepted")

    await organization.sql("cost_metering", spoil, 1)
    told_again = await organization.was_told(AccountParked, 2)
    assert told_again[-1]["version"] == 3
    await organization.sql("cost_metering", spoil, -8)
    # It agrees again, and yet it is an operator who lets it go on.
    await house.rounds(4)
    (open_one,) = await organization.findings()
    assert open_one.agrees_since is not None
    assert await organization.parked() is not None
    await organization.release()
    (closed,) = await organization.findings()
    assert closed.status == "closed"


async def test_only_a_parked_account_can_be_released(organization: Organization) -> None:
    from shared.contracts.auditor import ReleaseAccount

    refusal = await organization.house.bus.ask(
        ReleaseAccount(
            organization_id=organization.organization_id, reason="why not", requested_by="op-1"
        )
    )
    assert (refusal.code, refusal.status) == ("account_not_parked", 404)  # type: ignore[union-attr]


async def test_a_hole_in_an_agents_sequence_is_told_and_parks_nobody(
    house: House, organization: Organization
) -> None:
    organization._sequence += 5
    await organization.spend()

    finding = await organization.found("producers_have_no_hole")

    assert (finding.difference, finding.parks) == (5, False)
    await house.rounds()
    assert await organization.parked() is None
