"""The web page as the gateway serves it: what browsers may keep, run and reach."""

import base64
import gzip
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.gateway.site import Site, page_policy
from tests.gateway.scripted import ScriptedServices, app_of, client_of, settings

SCRIPT = "self.__next_f=[];"
PAGE = f'<html><script>{SCRIPT}</script><script src="/_next/static/chunks/a.js"></script></html>'
CHUNK = "/_next/static/chunks/a.js"
BILLING = "/settings/billing/"


def build(folder: Path, page: str = PAGE) -> Path:
    """An export as `make ui` leaves it."""
    files = {
        f"{BILLING}index.html": page,
        "/404.html": "<html>Nothing here.</html>",
        CHUNK: "console.log(1)",
        "/icon.svg": "<svg/>",
        "/site.json": "{}",
    }
    for path, text in files.items():
        file = folder / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / f"{CHUNK[1:]}.gz").write_bytes(gzip.compress(b"console.log(1)"))
    (folder / f"{CHUNK[1:]}.br").write_bytes(b"as brotli")
    return folder


@pytest.fixture
async def client(services: ScriptedServices, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    given = settings(frontend_folder=str(build(tmp_path)))
    async with client_of(app_of(services, given)) as client:
        yield client


async def test_the_front_page_leads_on_to_billing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, BILLING)


@pytest.mark.parametrize("path", [BILLING, BILLING.rstrip("/"), f"{BILLING}?invoice=1"])
async def test_a_page_has_its_address_with_and_without_a_slash(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.text == PAGE
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-frame-options"] == "DENY"


async def test_a_page_runs_its_own_scripts_and_no_other(client: httpx.AsyncClient) -> None:
    policy = (await client.get(BILLING)).headers["content-security-policy"]

    own = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    scripts = next(each for each in policy.split("; ") if each.startswith("script-src"))
    assert scripts.split() == [
        "script-src",
        "'self'",
        f"'sha256-{own}'",
        "https://js.stripe.com",
        "https://*.js.stripe.com",
    ]
    assert "default-src 'none'" in policy


def test_with_the_sandbox_a_page_reaches_the_sandbox_and_not_stripe() -> None:
    policy = page_policy(PAGE.encode(), "http://127.0.0.1:12111/stripe.js")

    assert "stripe.com" not in policy
    assert "connect-src 'self' http://127.0.0.1:12111;" in policy
    assert "frame-src http://127.0.0.1:12111;" in policy


@pytest.mark.parametrize(
    ("accepted", "sent"), [("gzip, br", "br"), ("gzip", "gzip"), ("identity", None)]
)
async def test_a_part_is_kept_for_ever_and_sent_as_it_was_compressed(
    client: httpx.AsyncClient, accepted: str, sent: str | None
) -> None:
    headers = {"Accept-Encoding": accepted}
    async with client.stream("GET", CHUNK, headers=headers) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])

    assert answer.headers.get("content-encoding") == sent
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"
    forms = {"br": b"as brotli", None: b"console.log(1)"}
    assert gzip.decompress(raw) == b"console.log(1)" if sent == "gzip" else raw == forms[sent]


async def test_what_a_browser_has_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    etag = (await client.get(BILLING)).headers["etag"]

    again = await client.get(BILLING, headers={"If-None-Match": etag})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/_next/../site.json",
        "/_next/%2e%2e/site.json",
        "/_next/static/chunks/",
        "/_next/static/chunks/a.js.gz",
        "/_next/static/none.js",
    ],
)
async def test_only_what_was_exported_is_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == answer.json()["status_code"] == 404


async def test_a_mistyped_page_is_a_page_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/settings/biling")

    assert (answer.status_code, answer.text) == (404, "<html>Nothing here.</html>")


async def test_an_unknown_address_of_the_api_is_still_answered_by_the_api(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/api/billing/nothing", "/nothing"):
        answer = await client.get(path)
        assert answer.json()["code"] == "not_found"


async def test_without_the_page_the_gateway_says_how_to_get_it(services: ScriptedServices) -> None:
    async with client_of(app_of(services)) as client:
        for path in ("/", BILLING):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "make ui" in answer.text
        assert (await client.get("/api/billing/config")).status_code == 200


async def test_a_page_that_is_built_later_appears_and_a_new_one_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.site.LOOK_AGAIN_SECONDS", 0.0)
    site = Site(tmp_path, None)
    assert not await site.is_built()

    build(tmp_path)
    first = await site.find(BILLING)
    (tmp_path / "site.json").unlink()  # a build is under way
    build(tmp_path / "elsewhere")
    during = await site.find(BILLING)
    build(tmp_path, page="<html>New.</html>")
    os.utime(tmp_path / "site.json", ns=(0, 0))
    after = await site.find(BILLING)

    assert first
    assert first == during
    assert after is not None
    assert after.content == b"<html>New.</html>"
