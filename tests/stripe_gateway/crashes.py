"""An operation, and how it is killed halfway and finished by another process."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from tests.stripe_gateway.shop import Shop

STEP = ("step.prepared", "step.called", "step.uncommitted", "step.concluded")

# What an operation needs before, as `prepare` left it.
Prepared = Any


class Operation(NamedTuple):
    """What is done at Stripe, and how to see that it was done once."""

    prepare: Callable[[Shop, str], Awaitable[Prepared]]
    act: Callable[[Shop, str, Prepared], Coroutine[Any, Any, Any]]
    check: Callable[[Shop, str, Any, Prepared], Awaitable[None]]
    points: tuple[str, ...]


async def nothing(_shop: Shop, _organization: str) -> None:
    """Nothing is needed before."""


async def customer_only(shop: Shop, organization: str) -> str:
    """A customer; answers its id at Stripe."""
    return await shop.open_account(organization)


def cases(operations: Mapping[str, Operation]) -> list[tuple[str, str]]:
    """Every operation with each of its points."""
    return [(name, point) for name, each in operations.items() for point in each.points]


async def killed_at(point: str, operation: Operation, shop: Shop, organization: str) -> None:
    """`kill -9` at a point; the next process ends what was begun, and it is as if done once."""
    before = await operation.prepare(shop, organization)
    await shop.delivered()
    await shop.idle()
    shop.patience_seconds = 0.8
    shop.gateway.kill()
    shop.gateway.start(point)
    acting = asyncio.create_task(operation.act(shop, organization, before))
    await shop.gateway.died()
    await shop.pass_time()
    shop.gateway.start()
    result = await acting
    await operation.check(shop, organization, result, before)
