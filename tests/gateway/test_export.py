"""The CSV file: complete, bounded, and harmless in a spreadsheet."""

import asyncio
import csv
import io
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.costs_export import COLUMNS, MAX_RECORDS, record_row
from services.gateway.csv_cells import FORMULA_TRIGGERS, csv_row, guarded
from shared.bus import AnswerTimedOut, NoAnswerer
from shared.contracts.cost_metering import CostPage, GetCostSummary, ListCosts
from tests.gateway.scripted import RECORD, SUMMARY, ScriptedServices, bearer

EXPORT = "/api/billing/account/acme/costs/export.csv"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


texts = st.text(max_size=30) | st.sampled_from(FORMULA_TRIGGERS).map(lambda start: f"{start}1+1")


@given(st.lists(texts | st.integers() | st.none(), min_size=1, max_size=8))
def test_no_cell_begins_with_a_trigger_and_no_text_is_lost(cells: list[str | int | None]) -> None:
    read = next(csv.reader(io.StringIO(csv_row(cells), newline="")))

    assert len(read) == len(cells)
    for cell, original in zip(read, cells, strict=True):
        assert not cell.startswith(FORMULA_TRIGGERS)
        text = "" if original is None else str(original)
        assert cell in {text, f"'{text}"}


@given(st.text())
def test_guarding_twice_changes_nothing_more(text: str) -> None:
    assert guarded(guarded(text)) == guarded(text)


@given(texts, texts)
def test_a_hostile_model_or_task_stays_text(model: str, task: str) -> None:
    record = msgspec.structs.replace(RECORD, model=model, task_id=task)

    for cell in next(csv.reader(io.StringIO(record_row(record), newline=""))):
        assert not cell.startswith(FORMULA_TRIGGERS)


async def test_the_file_has_every_page_and_exact_costs(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListCosts] = [
        CostPage(records=(RECORD, RECORD), next_cursor="2"),
        CostPage(records=(RECORD,), next_cursor="3"),
        CostPage(records=()),
    ]

    answer = await client.get(
        EXPORT,
        params={"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"},
        headers=bearer(),
    )

    rows = rows_of(answer.text)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="costs-2026-11-01-2026-12-01.csv"'
    )
    assert answer.text.startswith("\ufeff")
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 3
    assert Decimal(rows[0]["total_cost_usd"]) == Decimal("0.0075")
    assert rows[0]["sandbox_id"] == ""
    assert [asked.request.cursor for asked in services.asked[1:]] == [None, "2", "3"]


async def test_what_is_not_priced_has_no_cost_in_the_file(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    unpriced = msgspec.structs.replace(
        RECORD, prompt_cost_picousd=None, completion_cost_picousd=None, pricing_status="unpriced"
    )
    services.answers[ListCosts] = CostPage(records=(unpriced,))

    row = rows_of((await client.get(EXPORT, headers=bearer())).text)[0]

    assert (row["total_cost_usd"], row["pricing_status"]) == ("", "unpriced")


async def test_a_file_that_would_be_too_large_is_refused_before_it_begins(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[GetCostSummary] = msgspec.structs.replace(SUMMARY, records=MAX_RECORDS + 1)

    answer = await client.get(EXPORT, headers=bearer())

    assert (answer.status_code, answer.json()["code"]) == (422, "export_too_large")
    assert len(services.asked) == 1


async def test_a_service_that_is_away_at_the_beginning_is_a_503(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListCosts] = NoAnswerer("away")

    assert (await client.get(EXPORT, headers=bearer())).status_code == 503


@pytest.mark.parametrize(
    "failure", [AnswerTimedOut("late"), NoAnswerer("away")], ids=["late", "away"]
)
async def test_a_file_that_cannot_be_finished_is_broken_off(
    client: httpx.AsyncClient, services: ScriptedServices, failure: Exception
) -> None:
    services.answers[ListCosts] = [CostPage(records=(RECORD,), next_cursor="2"), failure]

    with pytest.raises(BaseException) as broken:  # a server closes the connection on it
        await client.get(EXPORT, headers=bearer())
    assert "after response started" in str(broken.value)


async def test_a_list_without_end_is_broken_off(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListCosts] = CostPage(records=(), next_cursor="again")

    with pytest.raises(BaseException, match="after response started"):
        await client.get(EXPORT, headers=bearer())
    assert len(services.asked) < 2000


async def test_a_principal_has_two_exports_at_once(
    client: httpx.AsyncClient, services: ScriptedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    plain = services.ask

    async def ask(request: Any, **options: Any) -> Any:
        if isinstance(request, ListCosts):
            await release.wait()
        return await plain(request, **options)

    monkeypatch.setattr(services, "ask", ask)
    first = [asyncio.create_task(client.get(EXPORT, headers=bearer())) for _ in range(2)]
    while len(services.asked) < 2:
        await asyncio.sleep(0)
    refused = await client.get(EXPORT, headers=bearer())
    release.set()

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_exports")
    assert [(await each).status_code for each in first] == [200, 200]
    assert (await client.get(EXPORT, headers=bearer())).status_code == 200
