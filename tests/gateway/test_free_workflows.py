"""The two fields of an account that somebody else counts: told as counted, or not at all."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from services.gateway.asks import Caller
from services.gateway.errors import ApiError
from services.gateway.free_workflows import FreeWorkflowCounter
from services.gateway.permissions import Principal
from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.account import UpdateAccount
from shared.contracts.base import Refusal
from shared.contracts.subscription import GetUsageSummary
from tests.gateway.billing_answers import USAGE
from tests.gateway.scripted import NOW, ScriptedServices, app_of, bearer, client_of

ACCOUNT = "/api/billing/account/acme"
FAILURES = [
    NoAnswerer("subscription is not answering"),
    AnswerTimedOut("late"),
    AnswerFailed("failed"),
    Refusal(code="a_word", detail="No."),
]


@pytest.fixture
async def client(services: ScriptedServices) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that remembers nothing."""
    async with client_of(app_of(services)) as ready:
        yield ready


@pytest.mark.parametrize("failure", FAILURES)
async def test_while_nobody_counts_the_page_shows_what_was_counted_last(
    client: httpx.AsyncClient, services: ScriptedServices, failure: Any
) -> None:
    before = await client.get(ACCOUNT, headers=bearer())
    services.answers[GetUsageSummary] = failure

    answer = await client.get(ACCOUNT, headers=bearer())

    assert answer.json() == before.json()
    assert answer.json()["free_workflows_remaining"] == 3


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_number_that_nobody_counted_is_not_told(
    client: httpx.AsyncClient, services: ScriptedServices, failure: Any
) -> None:
    services.answers[GetUsageSummary] = failure
    later = (503, "free_workflows_not_counted")

    answer = await client.get(ACCOUNT, headers=bearer())

    assert (answer.status_code, answer.json()["code"]) == later
    assert int(answer.headers["retry-after"]) > 0

    changed = await client.patch(ACCOUNT, json={"auto_billing_enabled": True}, headers=bearer())

    assert (changed.status_code, changed.json()["code"]) == later
    assert all(not isinstance(asked.request, UpdateAccount) for asked in services.asked)


@pytest.mark.parametrize(
    ("reset_after", "told_after", "not_told_after"),
    [
        (timedelta(days=3), timedelta(minutes=59), timedelta(hours=1)),
        (timedelta(minutes=5), timedelta(minutes=4), timedelta(minutes=5)),
    ],
)
async def test_what_was_counted_is_told_for_an_hour_and_not_into_the_next_month(
    services: ScriptedServices,
    reset_after: timedelta,
    told_after: timedelta,
    not_told_after: timedelta,
) -> None:
    services.answers[GetUsageSummary] = msgspec.structs.replace(
        USAGE, free_workflows_reset_at=NOW + reset_after
    )
    caller, counter = Caller(services, Principal(name="user:ada")), FreeWorkflowCounter()
    await counter.count(caller, "acme", NOW)
    services.answers[GetUsageSummary] = NoAnswerer("away")

    assert (await counter.count(caller, "acme", NOW + told_after)).remaining == 3
    for organization_id, at in (("acme", NOW + not_told_after), ("globex", NOW)):
        with pytest.raises(ApiError):
            await counter.count(caller, organization_id, at)


async def test_memory_does_not_grow_with_organizations(services: ScriptedServices) -> None:
    caller = Caller(services, Principal(name="user:ada"))
    counter = FreeWorkflowCounter(capacity=3)
    for number in range(10):
        await counter.count(caller, f"org-{number}", NOW)
    assert len(counter) == 3
