"""A number that is changed behind its owner's back is found, parks that account, is explained."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from services.auditor.handlers.verdicts import Verdict, keep_verdict
from services.auditor.rules.judging import Evidence, Failure
from shared.contracts.auditor import AccountParked, AccountReleased, ReleaseAccount
from shared.contracts.base import Refusal
from tests.auditor.house import House, Organization
from tests.stack import until

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
    "a usage record that is lost": (
        "invoicing",
        "DELETE FROM usage_records WHERE organization_id = $1 AND record_id IN (SELECT record_id"
        " FROM usage_records WHERE organization_id = $1 AND covered_by = 'free' LIMIT 1)",
        "workflows_are_usage",
    ),
    "what an invoiced use cost": (
        "invoicing",
        "UPDATE usage_records SET total_picousd = total_picousd + 1"
        " WHERE organization_id = $1 AND invoice_id IS NOT NULL",
        "lines_are_their_usage",
    ),
    "a line of a final invoice": (
        "invoicing",
        "UPDATE invoice_lines SET description = 'something else' WHERE organization_id = $1",
        "invoices_never_change",
    ),
    "a number": (
        "invoicing",
        "UPDATE billing_profiles SET last_invoice_number = 2 WHERE organization_id = $1",
        "invoice_numbers_have_no_gap",
    ),
    "credits that were burned": (
        "account",
        "UPDATE applications SET applied_cents = applied_cents - 1 WHERE organization_id = $1",
        "credits_were_burned_for_invoices",
    ),
    "a void invoice that holds its usage": (
        "invoicing",
        "UPDATE invoices SET status = 'void' WHERE organization_id = $1 AND kind = 'usage'",
        "usage_is_billed_or_will_be",
    ),
    "what was credited": (
        "invoicing",
        "UPDATE invoices SET credited_cents = credited_cents + 1 WHERE organization_id = $1"
        " AND kind = 'usage'",
        "corrections_are_noted",
    ),
    "a payment that is lost": (
        "invoicing",
        "DELETE FROM payments WHERE organization_id = $1 AND amount_cents = 1000",
        "payments_are_charges",
    ),
    "a charge": (
        "stripe_gateway",
        "UPDATE charges SET amount_cents = amount_cents + 1 WHERE organization_id = $1"
        " AND amount_cents = 2900",
        "charges_moved_money",
    ),
}


async def test_what_is_changed_parks_those_accounts_only_and_is_explained(
    house: House, bystander: Organization
) -> None:
    names = [f"org-{uuid4().hex[:12]}" for _ in SEEDS]
    organizations = await asyncio.gather(*(house.settled(name) for name in names))
    await house.rounds()
    for organization in organizations:
        assert await organization.findings() == []

    for organization, (service, statement, _) in zip(organizations, SEEDS.values(), strict=True):
        await organization.sql(service, statement)

    for organization, seed in zip(organizations, SEEDS, strict=True):
        await see_it_explained(organization, SEEDS[seed][2])
        await organization.close()
    await house.rounds()
    assert await bystander.parked() is None
    assert await bystander.findings() == []
    for organization in organizations:
        assert len(organization.told(AccountParked)) == 1


async def see_it_explained(organization: Organization, check: str) -> None:
    """It is found, parked, told once, and its figures and rows come to the difference."""
    finding = await organization.found(check)
    assert (finding.status, finding.parks, finding.difference != 0) == ("open", True, True)
    explained = await organization.explain(finding)
    left = sum(figure.value for figure in explained.left)
    right = sum(figure.value for figure in explained.right)
    assert left - right == finding.difference
    if explained.left_rows is not None:
        assert explained.rows, check
        assert explained.rows_complete
        gap = sum((row.left or 0) - (row.right or 0) for row in explained.rows)
        assert abs(gap) == abs(finding.difference)
    parked = await organization.parked()
    assert parked is not None
    assert parked.version == 1
    (told,) = await organization.was_told(AccountParked)
    assert (told["version"], told["reason"]) == (1, parked.reason)


async def test_a_released_account_goes_on_until_another_difference(
    house: House, organization: Organization
) -> None:
    spoil = "UPDATE cost_totals SET cost_picousd = cost_picousd + $2 WHERE organization_id = $1"
    await organization.sql("cost_metering", spoil, 7)
    finding = await organization.found("costs_are_announced")
    await until(organization.parked_reason, lambda reason: reason is not None)
    assert await organization.refusal_to_bill() == "account_parked"

    released = await organization.release("known since the migration")

    assert (released.parked, released.version, released.released_by) == (False, 2, "op-1")
    (told,) = await organization.was_told(AccountReleased)
    assert (told["version"], told["reason"]) == (2, "known since the migration")
    await until(organization.parked_reason, lambda reason: reason is None)
    assert await organization.refusal_to_bill() is None
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


PARKED_BY_ITSELF = """
UPDATE billing_profiles SET parked_reason = 'Draft DRAFT-1: other lines.', parked_at = now()
WHERE organization_id = $1
"""


async def test_an_account_that_invoicing_parks_again_can_be_released_again(
    house: House, organization: Organization
) -> None:
    for times in (1, 2):
        await organization.sql("invoicing", PARKED_BY_ITSELF)
        await organization.was_told(AccountParked, times)
        open_ones = await organization.findings(status="open")
        assert [each.check for each in open_ones] == ["recomputation_agreed"]
        released = await organization.release("its records were put right")
        assert (released.parked, released.version) == (False, 2 * times)
        await until(organization.parked_reason, lambda reason: reason is None)
        assert await organization.refusal_to_bill() is None
    await house.rounds(4)
    assert await organization.parked() is None
    assert {each.status for each in await organization.findings()} == {"closed"}
    assert len(organization.told(AccountParked)) == 2
    # And it is audited on.
    service, statement, check = SEEDS["a lot"]
    await organization.sql(service, statement)
    await organization.found(check)


async def test_a_look_from_before_a_release_does_not_park_again_what_it_saw(
    house: House, organization: Organization
) -> None:
    await organization.sql("invoicing", PARKED_BY_ITSELF)
    await organization.was_told(AccountParked)
    before = datetime.now(UTC)
    await organization.release("its records were put right")
    evidence = Evidence(left=(), right=(), judged_until=before, left_rows=None, right_rows=None)
    name = "recomputation_agreed"
    verdict = Verdict({}, {name: Failure(1, {})}, {name: evidence})
    database = house.stack.database("auditor")
    async with database.transaction() as db:
        told = await keep_verdict(db, organization.organization_id, verdict)
    await database.close()
    assert not told
    assert await organization.parked() is None


STEP = """
INSERT INTO steps (step_id, kind, state, traceparent, status, due_at, created_at)
VALUES ('of ' || $1, 'settle_holds', jsonb_build_object('organization_id', $1), '', 'parked',
        current_date, current_date)
"""


async def test_a_parked_step_does_not_hide_what_does_not_agree(
    house: House, organization: Organization
) -> None:
    for service in ("subscription", "invoicing"):
        await organization.sql(service, STEP)
    await house.rounds()
    assert await organization.findings() == []
    for seed in ("a hold", "a payment that is lost"):
        service, statement, check = SEEDS[seed]
        await organization.sql(service, statement)
        await organization.found(check)


async def test_only_a_parked_account_can_be_released(organization: Organization) -> None:
    refusal = await organization.house.bus.ask(
        ReleaseAccount(
            organization_id=organization.organization_id, reason="why not", requested_by="op-1"
        )
    )
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.status) == ("account_not_parked", 404)


async def test_a_hole_in_an_agents_sequence_is_told_and_parks_nobody(
    house: House, organization: Organization
) -> None:
    organization._sequence += 5
    await organization.spend()

    finding = await organization.found("producers_have_no_hole")

    assert (finding.difference, finding.parks) == (5, False)
    await house.rounds()
    assert await organization.parked() is None
