"""Costs over HTTP: what is asked of the meter, and how its answers look."""

from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dollars import dollars, exact_dollars
from services.gateway.errors import ApiError
from services.gateway.parameters import day_range, time_range
from services.gateway.translations import cost_record
from shared.bus import NoAnswerer
from shared.contracts.account import GetAccount
from shared.contracts.base import MAX_EXACT_INTEGER
from shared.contracts.cost_metering import (
    CostPage,
    GetCostSummary,
    GetDailyCosts,
    ListCosts,
)
from tests.gateway.scripted import RECORD, ScriptedServices, app_of, bearer, client_of

COSTS = "/api/billing/account/acme/costs"
START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
BETWEEN = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T01:00:00+01:00"}


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> httpx.Response:
    return await client.get(f"{COSTS}{path}", params=query, headers=bearer())


@given(st.integers(min_value=0, max_value=MAX_EXACT_INTEGER * 1000))
def test_dollars_are_the_nearest_number_to_the_exact_amount(picousd: int) -> None:
    exact = Fraction(picousd, 10**12)
    error = abs(Fraction(dollars(picousd)) - exact)

    assert error <= exact / 2**53
    assert Fraction(exact_dollars(picousd)) == exact


def test_adding_up_comes_before_dividing() -> None:
    record = msgspec.structs.replace(
        RECORD, prompt_cost_picousd=100_000_000_000, completion_cost_picousd=200_000_000_000
    )

    assert cost_record(record, "account-1").total_cost == 0.3


async def test_the_summary_of_an_organization(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await get(client, "/summary", **BETWEEN)

    assert answer.json() == {
        "scope_type": "billing_account",
        "scope_id": "account-1",
        "total_cost": 0.0075,
        "total_tokens": 1500,
        "record_count": 1,
        "breakdown": [
            {
                "provider": "openai",
                "model": "gpt-4o",
                "cost": 0.0075,
                "tokens": 1500,
                "records": 1,
                "unpriced_records": 0,
            }
        ],
        "unpriced_records": 0,
        "unpriced_tokens": 0,
        "suspect_records": 0,
    }
    assert services.last.request == GetCostSummary(
        organization_id="acme", occurred_from=START, occurred_to=END
    )
    assert services.last.principal == "user:alice"


@pytest.mark.parametrize("scope", ["task", "agent", "sandbox"])
async def test_the_summary_of_a_narrower_scope(
    client: httpx.AsyncClient, services: ScriptedServices, scope: str
) -> None:
    answer = await get(client, "/summary", scope_type=scope, scope_id="x 1")

    assert (answer.json()["scope_type"], answer.json()["scope_id"]) == (scope, "x 1")
    assert services.last.request.scope_type == scope
    assert services.last.request.scope_id == "x 1"


async def test_an_organization_has_one_billing_account(client: httpx.AsyncClient) -> None:
    own = await get(client, "/summary", scope_id="account-1")
    other = await get(client, "/summary", scope_id="account-2")

    assert (own.status_code, own.json()["scope_id"]) == (200, "account-1")
    assert (other.status_code, other.json()["code"]) == (404, "billing_account_not_found")


async def test_costs_are_shown_while_nobody_knows_the_account(
    services: ScriptedServices,
) -> None:
    services.answers[GetAccount] = NoAnswerer("account is not answering")
    async with client_of(app_of(services)) as client:
        summary = (await get(client, "/summary")).json()
        record = (await get(client, "")).json()[0]

    assert (summary["scope_id"], summary["total_cost"]) == (None, 0.0075)
    assert (record["billing_account_id"], record["total_cost"]) == (None, 0.0075)


async def test_the_account_of_an_organization_is_asked_for_once(
    services: ScriptedServices,
) -> None:
    async with client_of(app_of(services)) as client:
        for _ in range(3):
            assert (await get(client, "")).json()[0]["billing_account_id"] == "account-1"

    assert [type(each.request) for each in services.asked].count(GetAccount) == 1


async def test_every_filter_of_the_list_reaches_the_meter(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    names = {"provider": "openai", "model": "gpt-4o", "task_id": "t 1", "agent_id": "agent-1"}

    await get(client, "", **BETWEEN, **names, limit=7, cursor="abc")

    assert services.last.request == ListCosts(
        organization_id="acme",
        occurred_from=START,
        occurred_to=END,
        limit=7,
        cursor="abc",
        **names,
    )


async def test_the_next_page_is_linked_with_the_same_filters(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListCosts] = [
        CostPage(records=(RECORD,), next_cursor="a/b=&?é"),
        CostPage(records=()),
    ]
    first = await get(client, "", model="gpt-4o", cursor="old", limit=1)
    following = first.links["next"]["url"]

    second = await client.get(following, headers=bearer())

    assert services.last.request.cursor == "a/b=&?é"
    assert services.last.request.model == "gpt-4o"
    assert services.last.request.limit == 1
    assert "link" not in second.headers
    assert second.json() == []


async def test_an_unpriced_record_is_shown_as_such_and_costs_nothing_yet(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    unpriced = msgspec.structs.replace(
        RECORD,
        pricing_status="unpriced",
        prompt_cost_picousd=None,
        completion_cost_picousd=None,
    )
    services.answers[ListCosts] = CostPage(records=(unpriced,))

    record = (await get(client, "")).json()[0]

    assert (record["pricing_status"], record["total_cost"]) == ("unpriced", 0)


async def test_days_of_a_month(client: httpx.AsyncClient, services: ScriptedServices) -> None:
    answer = await get(client, "/daily", days=7, group_by="model")

    assert answer.json() == [
        {
            "date": "2026-11-22",
            "provider": "openai",
            "model": None,
            "cost": 0.0075,
            "tokens": 1500,
            "records": 1,
            "unpriced_records": 0,
        }
    ]
    assert services.last.request == GetDailyCosts(
        organization_id="acme",
        first_day=date(2026, 11, 16),
        end_day=date(2026, 11, 23),
        group_by="model",
    )


async def test_days_can_be_named(client: httpx.AsyncClient, services: ScriptedServices) -> None:
    await get(client, "/daily", **{"from": "2026-11-01", "to": "2026-11-03"})

    assert services.last.request.first_day == date(2026, 11, 1)
    assert services.last.request.end_day == date(2026, 11, 3)


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/summary", {"scope_type": "everything"}, "scope_type"),
        ("/summary", {"scope_type": "task"}, "scope_id"),
        ("/summary", {"scope_type": "task", "scope_id": ""}, "scope_id"),
        ("/summary", {"from": "2026-11-01T00:00:00"}, "from"),
        ("/summary", {"to": "2026-11-01T00:00:00"}, "to"),
        ("/summary", {"from": "yesterday"}, "from"),
        ("/summary", {"from": "0001-01-01T00:00:00+14:00"}, "from"),
        ("/summary", {"to": "9999-12-31T23:59:59-14:00"}, "to"),
        ("/summary", {"from": "2026-11-02T00:00:00Z", "to": "2026-11-02T00:00:00Z"}, "from"),
        ("", {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, "from"),
        ("", {"limit": 0}, "limit"),
        ("", {"limit": 201}, "limit"),
        ("", {"limit": "many"}, "limit"),
        ("", {"limit": 10**30}, "limit"),
        ("", {"provider": "a\0b"}, "provider"),
        ("", {"model": "x" * 129}, "model"),
        ("", {"task_id": "a\nb"}, "task_id"),
        ("", {"agent_id": "a.b"}, "agent_id"),
        ("", {"cursor": ""}, "cursor"),
        ("/daily", {"days": 8}, "days"),
        ("/daily", {"days": "x"}, "days"),
        ("/daily", {"days": 7, "from": "2026-11-01"}, "days"),
        ("/daily", {"from": "2026-11-01"}, "to"),
        ("/daily", {"to": "2026-11-01"}, "from"),
        ("/daily", {"from": "2026-11-02", "to": "2026-11-02"}, "from"),
        ("/daily", {"from": "2024-01-01", "to": "2026-01-01"}, "to"),
        ("/daily", {"from": "0001-01-01", "to": "0001-01-02"}, "from"),
        ("/daily", {"group_by": "task"}, "group_by"),
        ("/export.csv", {"from": "2026-11-01T00:00:00"}, "from"),
    ],
)
async def test_a_wrong_parameter_is_named(
    client: httpx.AsyncClient,
    services: ScriptedServices,
    path: str,
    query: dict[str, Any],
    field: str,
) -> None:
    answer = await get(client, path, **query)

    body = answer.json()
    assert answer.status_code == body["status_code"] == 422
    assert [each["key"] for each in body["extra"]] == [field]
    assert body["extra"][0]["source"] == "query"
    assert body["detail"].startswith(f"{field}: ")
    assert not services.asked


# What RFC 3339 can say: an offset of whole minutes, or none.
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=offsets | st.none()) | st.none()


@given(moments, moments)
def test_any_two_times_are_a_range_or_an_error_that_names_one(
    start: datetime | None, end: datetime | None
) -> None:
    try:
        times = time_range(start, end)
    except ApiError as error:
        wrong = error.fields[0].key
    else:
        wrong = "from"
        assert times.start is None or times.end is None or times.start < times.end
        assert (times.start, times.end) == (start, end)
    assert wrong in {"from", "to"}


@given(st.sampled_from([7, 30, None]), st.dates() | st.none(), st.dates() | st.none())
def test_any_days_are_a_bounded_range_or_an_error_that_names_a_field(
    days: int | None, start: date | None, end: date | None
) -> None:
    try:
        first_day, end_day = day_range(days, start, end, date(2026, 11, 22))
    except ApiError as error:
        wrong = error.fields[0].key
    else:
        wrong = "days"
        assert timedelta(0) < end_day - first_day <= timedelta(days=366)
    assert wrong in {"days", "from", "to"}
