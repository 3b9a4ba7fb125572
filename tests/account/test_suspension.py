"""Dunning suspends an account and lets it go on; what is told late or twice changes nothing."""

import itertools

import pytest

from shared.contracts.account import AccountChanged
from shared.contracts.base import Event
from shared.contracts.invoicing import AccountReinstated, AccountSuspended
from tests.account.customer import Customer
from tests.account.test_accounts import methods
from tests.stack import until


def told(customer: Customer, version: int) -> Event:
    """Suspended by odd versions, reinstated by even ones."""
    organization_id, at = customer.organization_id, customer.clock.now()
    if version % 2:
        return AccountSuspended(
            organization_id=organization_id, version=version, invoice_id="inv-1", suspended_at=at
        )
    return AccountReinstated(organization_id=organization_id, version=version, reinstated_at=at)


async def test_an_account_is_suspended_and_goes_on(customer: Customer) -> None:
    await customer.tell(methods(customer, 1, True))
    await customer.tell(told(customer, 1), times=2)
    assert (await customer.account()).status == "suspended"
    # Another card alone pays nothing.
    await customer.tell(methods(customer, 2, True))
    assert (await customer.account()).status == "suspended"
    await customer.tell(told(customer, 2), times=2)
    assert (await customer.account()).status == "active"

    async def statuses() -> list[str]:
        return [each["status"] for each in customer.facts(AccountChanged)]

    await until(statuses, lambda found: found[-3:] == ["active", "suspended", "active"])
    trail = await customer.trail(verify=True)
    changes = [(each.actor, each.action) for each in trail.entries if each.actor == "invoicing"]
    assert sorted(changes) == [("invoicing", "debts_paid"), ("invoicing", "dunning_exhausted")]


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))), ids=str)
async def test_it_ends_the_same_in_any_order(customer: Customer, order: tuple[int, ...]) -> None:
    await customer.tell(methods(customer, 1, True))
    for version in order:
        await customer.tell(told(customer, version))
    assert (await customer.account()).status == "suspended"
