"""Two toy services: a shop that takes orders and charges cards, and a ledger that hears of them.

A note in a message tells the toy how to behave. Nothing in their table refuses a second effect,
so that whatever happens twice is seen.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
)

from shared.bus import Message, NoAnswerer
from shared.consumers import Handled
from shared.contracts.base import Event, Refusal, Reply
from shared.database import Db
from shared.service import Service
from shared.steps import AnsweringStep
from shared.tables import with_chassis
from tests.chassis.contracts.ledger import EntryBooked
from tests.chassis.contracts.shop import (
    CardCharged,
    ChargeCard,
    Charged,
    ListOrders,
    OrderPlaced,
    Orders,
    Placed,
    PlaceOrder,
)

metadata = MetaData()
effects = Table(
    "effects",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("what", Text, nullable=False),
)
with_chassis(metadata)
VERSIONS = Path(__file__).parent / "migrations" / "versions"


async def add_effect(db: Db, organization_id: str, what: str) -> None:
    await db.execute(insert(effects).values(organization_id=organization_id, what=what))


async def has_declined(db: Db) -> bool:
    declined = select(effects.c.position).where(effects.c.what == "declined")
    return (await db.execute(declined)).first() is not None


async def behave(note: str) -> None:
    """Do as the note says."""
    name, _, argument = note.partition(":")
    if name == "poison":
        raise RuntimeError(f"poison {argument}")
    if name == "alone":
        raise NoAnswerer(f"{argument} is not answering")
    if name == "slow":
        await asyncio.sleep(float(argument))
    if name == "stuck":
        time.sleep(float(argument))


class Charging(msgspec.Struct, frozen=True):
    organization_id: str
    amount_cents: int
    note: str


class ChargeStep(AnsweringStep[ChargeCard, Charging, str]):
    """Charges at another system: a file in which every call leaves a line."""

    kind = "charge"
    state = Charging
    request = ChargeCard

    async def prepare(self, request: ChargeCard, db: Db) -> Charging | Reply:
        if request.amount_cents <= 0:
            return Refusal(code="nothing_to_charge", detail="Charge more than nothing.", status=422)
        await add_effect(db, request.organization_id, "prepared")
        return Charging(request.organization_id, request.amount_cents, request.note)

    async def call(self, step_id: str, state: Charging) -> str:
        with Path(os.environ["TOY_CALLS"]).open("a") as calls:
            calls.write(f"{step_id}\n")
        await behave(state.note)
        return f"charge-of-{step_id}"

    async def answer(
        self, step_id: str, state: Charging, outcome: str, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        await add_effect(db, state.organization_id, f"charged {state.amount_cents}")
        if state.note == "spoil":
            raise RuntimeError("cannot conclude")
        if state.note.startswith("decline at first") and not await has_declined(db):
            await add_effect(db, state.organization_id, "declined")
            return Refusal(code=state.note.rpartition(" ")[2], detail="Ask again."), ()
        if state.note == "decline":
            return Refusal(code="declined", detail="The card was declined.", status=402), ()
        event = CardCharged(organization_id=state.organization_id, charge_id=outcome)
        return Charged(charge_id=outcome), (event,)


class Shop:
    """Takes orders and charges cards. `answered` counts what this one has answered."""

    def __init__(self) -> None:
        self.answered = 0
        self.service = Service("shop", metadata, VERSIONS)
        self.service.answers(PlaceOrder, writes=True)(self.place_order)
        self.service.answers(ListOrders)(self.list_orders)
        self.service.step(ChargeStep())

    async def place_order(
        self, request: PlaceOrder, db: Db
    ) -> Refusal | tuple[Placed, Sequence[Event]]:
        self.answered += 1
        await add_effect(db, request.organization_id, request.order_id)
        await behave(request.note)
        if request.note == "refuse":
            return Refusal(code="closed", detail="The shop is closed.", status=403)
        counted = select(func.count()).where(effects.c.organization_id == request.organization_id)
        place = (await db.execute(counted)).scalar_one()
        event = OrderPlaced(
            organization_id=request.organization_id, order_id=request.order_id, note=request.note
        )
        if request.note == "oversized":
            event = msgspec.structs.replace(event, note="x" * 200_000)
        if request.note == "malformed":
            event = msgspec.structs.replace(event, order_id="")
        return Placed(order_id=request.order_id, place=place), (event,)

    async def list_orders(self, request: ListOrders, db: Db) -> Any:
        self.answered += 1
        await behave(request.note)
        mine = effects.c.organization_id == request.organization_id
        rows = await db.execute(select(effects.c.what).where(mine).order_by(effects.c.position))
        orders = Orders(order_ids=tuple(row.what for row in rows))
        if request.note == "large":
            return msgspec.structs.replace(orders, padding="x" * 2_000_000)
        if request.note == "tells":
            return orders, (OrderPlaced(organization_id="acme", order_id="o"),)
        return orders


Behaviour = Callable[[OrderPlaced, Db], Awaitable[None]]


async def as_noted(event: OrderPlaced, _db: Db) -> None:
    """Behave as the event's note says; the shop does not heed what begins with `ledger`."""
    await behave(event.note.removeprefix("ledger "))


class Ledger:
    """Books orders that it hears of, and the parts of gauges; a test may change how."""

    def __init__(self, behaviour: Behaviour = as_noted) -> None:
        self.behaviour = behaviour
        self.service = Service("ledger", metadata, VERSIONS)
        self.service.hears(OrderPlaced)(self.book_order)
        self.service.hears(CardCharged)(self.book_charge)
        self.service.takes("usage.gauge.*.*", "USAGE", split=split_gauges)(self.book_gauges)

    async def book_order(self, event: OrderPlaced, db: Db) -> Sequence[Event]:
        await add_effect(db, event.organization_id, event.order_id)
        await self.behaviour(event, db)
        return (EntryBooked(organization_id=event.organization_id, order_id=event.order_id),)

    async def book_charge(self, event: CardCharged, db: Db) -> Sequence[Event]:
        await add_effect(db, event.organization_id, event.charge_id)
        return ()

    async def book_gauges(self, messages: Sequence[Message], db: Db) -> Handled:
        for message in messages:
            _, _, organization_id, _ = message.subject.split(".")
            for order in msgspec.json.decode(message.body, type=list[OrderPlaced]):
                await add_effect(db, organization_id, order.order_id)
                await self.behaviour(order, db)
        return Handled()


def split_gauges(message: Message) -> Sequence[Message]:
    """A gauge message holds a list; each of its items can stand alone."""
    parts = msgspec.json.decode(message.body, type=list[msgspec.Raw])
    return [msgspec.structs.replace(message, body=b"[" + bytes(each) + b"]") for each in parts]
