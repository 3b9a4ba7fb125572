"""The month is closed on the 1st, 01:00 UTC, for everybody, however late and however often."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.invoicing.app import means, monthly_close
from services.invoicing.handlers import closing
from services.invoicing.handlers.drafting import Frozen, freeze, up_to
from services.invoicing.handlers.means import Means
from services.invoicing.rules.profiles import first_close, next_close
from services.invoicing.store import closing as closing_store
from services.invoicing.store.closing import lock_due_profiles
from services.invoicing.store.profiles import lock_profiles
from services.invoicing.tables import ProfileRow
from shared.contracts.invoicing import Invoice
from shared.database import Database, Db
from tests.invoicing.customer import Customer, World
from tests.stack import until


@pytest.fixture
async def month(world: World) -> datetime:
    """When the month that runs ends."""
    now = world.clock.now()
    return next_close(now) - timedelta(hours=1)


async def pass_until(customer: Customer, moment: datetime) -> None:
    customer.clock.advance(moment - customer.clock.now())


async def closed(customer: Customer, count: int = 1) -> list[Invoice]:
    """Wait until so many invoices are final."""

    async def look() -> list[Invoice]:
        found = await customer.invoices()
        return [each for each in found if each.status != "draft"]

    return await until(look, lambda found: len(found) == count)


async def test_a_month_is_closed_with_all_that_happened_in_it(
    customer: Customer, month: datetime
) -> None:
    await customer.account_stands()
    await customer.complete(2)
    await pass_until(customer, month + timedelta(minutes=30))
    await customer.use(
        customer.charged(at=month - timedelta(minutes=1)),
        customer.charged(at=month, cents=700),
    )
    assert await customer.invoices() == ()
    await pass_until(customer, month + timedelta(hours=1))
    (invoice,) = await closed(customer)
    assert [(line.kind, line.quantity) for line in invoice.lines] == [("workflow_completion", 3)]
    assert (invoice.usage_until, invoice.total_cents) == (month, 3000)
    assert invoice.learned_until == month + timedelta(hours=1)
    # What happened at midnight belongs to the next month.
    await pass_until(customer, next_close(month + timedelta(hours=1)))
    _, second = await closed(customer, 2)
    assert (second.total_cents, second.period_start) == (700, month)


async def test_what_is_learned_too_late_is_an_adjustment_that_names_its_month(
    customer: Customer, month: datetime
) -> None:
    await customer.account_stands()
    await pass_until(customer, month + timedelta(hours=2))
    await customer.complete(1)
    await customer.complete(2, at=month - timedelta(days=3))
    invoice = await customer.invoice()
    own, late = invoice.lines
    assert (own.kind, own.quantity, own.period_start) == ("workflow_completion", 1, None)
    assert (late.kind, late.quantity, late.total_cents) == ("adjustment", 2, 2000)
    begin = (month - timedelta(days=3)).replace(day=1, hour=0, minute=0)
    assert (late.period_start, late.period_end) == (begin, month)
    assert f"{begin:%B %Y}" in late.description


async def test_what_is_heard_only_after_the_close_names_its_month_too(
    customer: Customer, month: datetime
) -> None:
    await customer.account_stands()
    told = customer.charged(at=month - timedelta(minutes=10), learned_at=month)
    await customer.complete()
    await pass_until(customer, month + timedelta(hours=1))
    await closed(customer)
    # Its word was on its way while the month was closed.
    await customer.use(told)
    (late,) = (await customer.invoice()).lines
    assert (late.kind, late.period_end) == ("adjustment", month)


async def test_a_close_that_takes_too_long_is_tried_with_fewer(
    customer: Customer, month: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    too_slow = 2

    async def lock(db: Db, limit: int) -> dict[str, ProfileRow]:
        limits.append(limit)
        return await lock_due_profiles(db, limit)

    async def slow(means: Means, db: Db, profiles: dict[str, ProfileRow], cuts: Any) -> Frozen:
        nonlocal too_slow
        if too_slow:
            too_slow -= 1
            await db.driver.execute("SET LOCAL statement_timeout = '10ms'")
            await db.driver.execute("SELECT pg_sleep(1)")
        return await freeze(means, db, profiles, cuts)

    await customer.account_stands()
    await customer.complete()
    monkeypatch.setattr(closing, "freeze", slow)
    monkeypatch.setattr(closing_store, "lock_due_profiles", lock)
    await pass_until(customer, month + timedelta(hours=1))
    await closed(customer)
    assert min(limits) <= closing.CLOSED_AT_ONCE // 4


async def test_closing_again_or_late_makes_nothing_new(
    customer: Customer, month: datetime, database: Database
) -> None:
    await customer.account_stands()
    await customer.complete()
    await pass_until(customer, month + timedelta(days=40))
    # Two months are closed, one after the other; there is nothing in the second.
    await closed(customer)

    async def next_at() -> datetime:
        query = "SELECT next_close_at FROM billing_profiles WHERE organization_id = $1"
        ((found,),) = await customer.sql(query)
        return found  # type: ignore[no-any-return]

    expected = next_close(customer.clock.now())
    await until(next_at, lambda found: found == expected)
    for _ in range(3):
        async with database.transaction() as db:
            await monthly_close.close(db)
    assert await next_at() == expected
    assert len(await closed(customer)) == 1


async def test_an_account_that_is_parked_is_closed_when_it_is_released(
    customer: Customer, month: datetime
) -> None:
    await customer.account_stands()
    await customer.complete()
    other = Customer(customer.world, f"org-{uuid4().hex[:12]}")
    await other.account_stands()
    await other.complete()
    park = "UPDATE billing_profiles SET parked_reason = $2 WHERE organization_id = $1"
    await customer.sql(park, "numbers do not agree")
    await pass_until(customer, month + timedelta(hours=1))
    await closed(other)
    assert await customer.invoices() == ()
    await customer.sql(park, None)
    (invoice,) = await closed(customer)
    assert invoice.usage_until == month


async def test_a_draft_that_somebody_left_is_finished(
    customer: Customer, database: Database
) -> None:
    await customer.account_stands()
    await customer.complete()
    # As if its step had been given up.
    async with database.transaction() as db:
        profiles = await lock_profiles(db, [customer.organization_id])
        cuts = {each: up_to(db.now) for each in profiles}
        await freeze(means, db, profiles, cuts)
    (draft,) = await customer.invoices()
    assert (draft.status, draft.invoice_number[:6]) == ("draft", "DRAFT-")
    customer.clock.advance(timedelta(minutes=6))
    async with database.transaction() as db:
        await monthly_close.finish_left(db)
    (invoice,) = await closed(customer)
    assert invoice.invoice_id == draft.invoice_id


async def test_more_holds_than_account_may_be_asked_for_at_once_make_two_invoices(
    customer: Customer, month: datetime
) -> None:
    await customer.account_stands()
    await customer.sql(
        "INSERT INTO usage_records (organization_id, record_id, usage_type, source_id, quantity,"
        " unit_price_cents, total_picousd, covered_by, tier, hold_id, occurred_at, recorded_at)"
        " SELECT $1, n::text, 'workflow_completion', n::text, 1, 60, 600000000000, 'credits',"
        " 'pro', 'hold-' || n, $2::timestamptz, $2::timestamptz FROM generate_series(1, 1001) n",
        customer.clock.now(),
    )
    await pass_until(customer, month + timedelta(hours=1))
    first, second = await closed(customer, 2)
    assert [first.lines[0].quantity, second.lines[0].quantity] == [1000, 1]


@pytest.fixture
async def database(world: World) -> AsyncIterator[Database]:
    connected = Database(world.stack.databases["invoicing"].dsn, world.clock)
    yield connected
    await connected.close()


async def test_more_than_one_charge_collects_makes_several_invoices(
    customer: Customer, month: datetime
) -> None:
    await customer.account_stands()
    await customer.terms(tax_basis_points=10_000, tax_name="Tax")
    at = month - timedelta(hours=1)
    for cents in (30_000_000, 15_000_000, 1, 46_000_000, 1000):
        await customer.use(customer.charged(at=at, cents=cents))
        at += timedelta(minutes=1)
    await pass_until(customer, month + timedelta(hours=1))
    invoices = await closed(customer, 3)
    assert [each.subtotal_cents for each in invoices] == [45_000_000, 46_000_001, 1000]
    assert all(record.billed for record in await customer.usage())


def test_a_month_that_begins_with_an_account_is_closed_at_its_end() -> None:
    at = datetime(2027, 2, 1, 0, 30, tzinfo=UTC)
    # In the last hour somebody may have used something in the month before.
    assert first_close(at) == datetime(2027, 2, 1, 1, tzinfo=UTC)
    assert first_close(at + timedelta(hours=1)) == datetime(2027, 3, 1, 1, tzinfo=UTC)
    assert next_close(datetime(2027, 12, 31, 23, tzinfo=UTC)) == datetime(2028, 1, 1, 1, tzinfo=UTC)
