"""The ledger as the customer reads it: newest first, page by page, whole."""

from shared.contracts.account import CreditEntries, ListCreditEntries
from tests.account.customer import Customer


def page(customer: Customer, limit: int = 50, cursor: str | None = None) -> ListCreditEntries:
    return ListCreditEntries(organization_id=customer.organization_id, limit=limit, cursor=cursor)


async def test_pages_tile_the_ledger_while_it_grows(customer: Customer) -> None:
    await customer.account()
    for cents in range(1, 8):
        await customer.ask(customer.grant(cents))
    first: CreditEntries = await customer.ask(page(customer, 3))
    await customer.ask(customer.grant(100))
    second: CreditEntries = await customer.ask(page(customer, 3, first.next_cursor))
    third: CreditEntries = await customer.ask(page(customer, 3, second.next_cursor))
    amounts = [[entry.amount_cents for entry in each.entries] for each in (first, second, third)]
    assert amounts == [[7, 6, 5], [4, 3, 2], [1]]
    assert third.next_cursor is None


async def test_each_line_says_what_the_balance_was_after_it(customer: Customer) -> None:
    await customer.granted(700)
    await customer.tell(customer.paid(1999))
    await customer.ask(customer.apply(900))
    entries = (await customer.ask(page(customer))).entries
    assert [(e.kind, e.lot_kind, e.amount_cents, e.balance_after_cents) for e in entries] == [
        ("burned", None, -900, 1799),
        ("granted", "purchased", 1999, 2699),
        ("granted", "promotional", 700, 700),
    ]
    assert entries[0].created_at == customer.clock.now()
    assert len({entry.entry_id for entry in entries}) == 3


async def test_an_organization_sees_only_its_own(customer: Customer) -> None:
    await customer.granted(700)
    stranger = ListCreditEntries(organization_id=f"{customer.organization_id}-b")
    assert (await customer.ask(stranger)).entries == ()


async def test_a_cursor_that_is_not_ours_is_refused(customer: Customer) -> None:
    await customer.granted(700)
    for cursor in ("x", "-1", "1.5", "9" * 19, "１", " 1", "1 OR true", "٣"):
        assert await customer.refused(page(customer, cursor=cursor)) == (422, "invalid_cursor")
