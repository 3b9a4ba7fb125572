"""A refund that a bank stands in the way of: refused for now, and made once when it can be."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from services.invoicing.app import means
from services.invoicing.app import service as invoicing
from services.invoicing.handlers.returning import GiveBack, Returning
from shared.clock import FixedClock, write_offset
from shared.contracts.stripe_gateway import (
    Charge,
    ChargeChanged,
    CustomerLinked,
    RefundPayment,
)
from shared.steps import prepare_step
from tests.stack import Stack, until
from tests.stripe_gateway.shop import Shop, at_once
from tests.stripe_gateway.test_subscriptions import change, subscribe


class Hours:
    """Moves stripe_gateway on in time; Stripe stays where it is, and keeps its keys."""

    def __init__(self, shop: Shop, file: Path) -> None:
        self._shop, self._file = shop, file
        self._hours = 0
        shop.gateway.environment["TIME_MACHINE"] = str(file)
        self.begin_again()

    def begin_again(self) -> None:
        """Start anew, at the hour that it is."""
        self._shop.gateway.kill()
        self._shop.gateway.start()

    async def pass_one(self) -> None:
        """An hour later, in which whatever was under way has run out."""
        self._hours += 1
        write_offset(self._file, timedelta(hours=self._hours))
        self.begin_again()
        await self._shop.pass_time()

    def end(self) -> None:
        """Back to the present."""
        del self._shop.gateway.environment["TIME_MACHINE"]
        self.begin_again()


@pytest.fixture
def hours(shop: Shop, tmp_path: Path) -> Iterator[Hours]:
    """A time machine for stripe_gateway alone."""
    machine = Hours(shop, tmp_path / "time")
    yield machine
    machine.end()


async def charged(shop: Shop, organization: str, cents: int = 2500) -> Charge:
    """A charge that was collected."""
    await shop.open_account(organization)
    await shop.attach(organization)
    return await shop.settled(shop.charge(organization, cents))


def refunding(organization: str, charge: Charge, cents: int | None = None) -> RefundPayment:
    """A refund, by one name."""
    return RefundPayment(
        organization_id=organization,
        refund_id=f"{organization}-refund",
        charge_id=charge.charge_id,
        amount_cents=cents,
        requested_by="operator",
    )


async def test_a_refund_refused_while_its_charge_is_disputed_is_made_once_when_that_is_won(
    shop: Shop, organization: str, hours: Hours
) -> None:
    charge = await charged(shop, organization)
    intent = charge.stripe_payment_intent_id
    dispute = shop.sandbox.control("disputes", payment_intent=intent)
    request = refunding(organization, charge, 1000)
    assert (await shop.settled_refusal(request)).code == "refused_by_stripe"
    shop.sandbox.control(f"disputes/{dispute['id']}/won")
    await hours.pass_one()
    # By two at once, and once more in an hour that has another key at Stripe.
    first, second = await at_once(2, lambda: shop.settled(request))
    assert (first.refunded_cents, second.refunded_cents) == (1000, 1000)
    await hours.pass_one()
    assert (await shop.settled(request)).refunded_cents == 1000
    found = await shop.stripe.refunds.list_async({"payment_intent": intent or ""})
    assert [each.amount for each in found.data] == [1000]


async def test_a_refund_that_stripe_made_an_hour_ago_is_found_before_another_one_is_made(
    shop: Shop, organization: str, hours: Hours
) -> None:
    charge = await charged(shop, organization)
    intent = charge.stripe_payment_intent_id or ""
    request = refunding(organization, charge, 1000)
    # Its webhook is lost, too, so that it stands only at Stripe.
    shop.sandbox.control("faults", kind="webhook_lose", target="*refund*", count=10)
    await shop.stripe.refunds.create_async(
        {
            "payment_intent": intent,
            "amount": 1000,
            "metadata": {"organization_id": organization, "refund_id": request.refund_id},
        }
    )
    await hours.pass_one()
    assert (await shop.settled(request)).refunded_cents == 1000
    found = await shop.stripe.refunds.list_async({"payment_intent": intent})
    assert [each.amount for each in found.data] == [1000]


@pytest.mark.parametrize(("verdict", "back"), [("won", [7900]), ("lost", [])])
async def test_money_for_a_plan_waits_for_its_bank_and_goes_back_if_it_is_ours(
    shop: Shop, organization: str, verdict: str, back: list[int]
) -> None:
    await subscribe(shop, organization)
    customer = shop.facts.all(CustomerLinked, organization)[0].stripe_customer_id or ""
    [payment] = (await shop.stripe.payment_intents.list_async({"customer": customer})).data
    dispute = shop.sandbox.control("disputes", payment_intent=payment.id)
    assert (await shop.ask(change(organization, "cancel_now", refund=True))).status == "canceled"

    async def stands() -> tuple[str, str]:
        [row] = await shop.rows(
            "SELECT status, last_error FROM steps WHERE step_id = :id", id=f"give_back:{payment.id}"
        )
        return row.status, row.last_error or ""

    await until(stands, lambda found: "HeldBack" in found[1])
    async with shop.database.transaction() as db:
        # As after four hours of trying; a bank takes weeks.
        await db.execute(
            text("UPDATE steps SET status = 'parked' WHERE step_id = :id"),
            {"id": f"give_back:{payment.id}"},
        )
    shop.sandbox.control(f"disputes/{dispute['id']}/{verdict}")
    await until(stands, lambda found: found[0] == "concluded")
    found = await shop.stripe.refunds.list_async({"payment_intent": payment.id})
    assert [each.amount for each in found.data] == back


async def test_a_surplus_that_is_disputed_goes_back_once_when_the_dispute_is_won(
    shop: Shop, stack: Stack, organization: str, hours: Hours
) -> None:
    charge = await charged(shop, organization)
    dispute = shop.sandbox.control("disputes", payment_intent=charge.stripe_payment_intent_id)
    step_id = f"give_back:{charge.charge_id}"
    clock = FixedClock(datetime.now(UTC))
    async with stack.running(invoicing, clock):
        async with means.database.transaction() as db:
            await prepare_step(db, GiveBack, step_id, Returning(organization, charge.charge_id))

        async def stands() -> tuple[str, str]:
            async with means.database.read() as db:
                found = await db.execute(
                    text("SELECT status, last_error FROM steps WHERE step_id = :id"),
                    {"id": step_id},
                )
                row = found.one()
                return row.status, row.last_error or ""

        await until(stands, lambda found: "refused_by_stripe" in found[1], 40)
        shop.sandbox.control(f"disputes/{dispute['id']}/won")
        await hours.pass_one()
        clock.advance(timedelta(hours=1))
        async with means.database.transaction() as db:
            await db.execute(
                text("UPDATE steps SET due_at = now() WHERE step_id = :id"), {"id": step_id}
            )
        await until(stands, lambda found: found[0] == "concluded", 40)
    found = await shop.stripe.refunds.list_async(
        {"payment_intent": charge.stripe_payment_intent_id or ""}
    )
    assert [each.amount for each in found.data] == [2500]

    async def told() -> str:
        facts = shop.facts.all(ChargeChanged, organization)
        return max(facts, key=lambda fact: fact.version).charge.status

    assert await until(told, lambda status: status == "refunded")
