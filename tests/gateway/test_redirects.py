"""Pages that Stripe's pages lead back to: ours, and nothing that could be read as another's."""

from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.errors import ApiError
from services.gateway.redirects import is_ours, page_of

ORIGINS = ("https://app.acme.example", "http://localhost:3000")

ALLOWED = [
    "https://app.acme.example",
    "https://app.acme.example/",
    "https://app.acme.example/billing/success",
    "https://app.acme.example/billing/success?session_id={CHECKOUT_SESSION_ID}",
    "https://app.acme.example/billing/success?a=1&b=%20c&next=/settings",
    "https://app.acme.example?tab=credits",
    "https://app.acme.example/caf%C3%A9/@me/(x)",
    "http://localhost:3000/billing/cancel",
]
REFUSED = [
    "",
    "/billing/success",
    "//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    # Another host, port or scheme.
    "https://evil.example",
    "https://app.acme.example.evil.example/",
    "https://evil.example/https://app.acme.example",
    "https://app.acme.exampleevil.example",
    "https://app.acme.example:443/",
    "https://app.acme.example:8443/",
    "https://app.acme.example:/",
    "http://app.acme.example/",
    "http://localhost/",
    "http://localhost:30000/",
    "http://127.0.0.1:3000/",
    "https://sub.app.acme.example/",
    "https://acme.example/",
    # The same host in another dress.
    "HTTPS://app.acme.example/",
    "https://APP.acme.example/",
    "https://app.acme.example./",
    "https://%61pp.acme.example/",
    "https://app%2eacme.example/",
    "https://app.acme.example%2f@evil.example/",
    "https://арр.acme.example/",
    "https://app.acme.example。evil.example/",
    "https://app。acme.example/",
    "https://xn--80ak6aa92e.example/",
    "https:app.acme.example",
    "https:/app.acme.example",
    "https:///app.acme.example",
    "http://[::1]:3000/",
    "http://localhost:3000:80/",
    # Somebody else behind an at sign or a backslash.
    "https://app.acme.example@evil.example/",
    "https://user:password@app.acme.example/",
    "https://app.acme.example:x@evil.example/",
    "https://app.acme.example\\@evil.example/",
    "https://app.acme.example\\.evil.example/",
    "https:\\\\app.acme.example/",
    "https://app.acme.example/\\evil.example",
    "https://app.acme.example/%5cevil.example",
    # What pages pass on as an address of its own.
    "https://app.acme.example//evil.example",
    "https://app.acme.example/x//evil.example",
    "https://app.acme.example/%2fevil.example",
    "https://app.acme.example/..//evil.example",
    "https://app.acme.example/a/../b",
    "https://app.acme.example/a/%2e%2e/b",
    "https://app.acme.example/a/.%2E",
    # Fragments carry tokens.
    "https://app.acme.example/#access_token=x",
    "https://app.acme.example#@evil.example",
    # Characters that readers drop or trip over.
    " https://app.acme.example/",
    "https://app.acme.example/ ",
    "https://app.acme.example/\t",
    "https://app.acme.example\n/",
    "https://app.acme.example/\r\nSet-Cookie: x",
    "https://app.acme.example/%0d%0aSet-Cookie:%20x",
    "https://app.acme.example/%00",
    "https://app.acme.example/\x00",
    "https://app.acme.example/\x7f",
    "https://app.acme.example/\u2028",
    "https://app.acme.example/é",
    "https://app.acme.example/%zz",
    "https://app.acme.example/<script>",
    'https://app.acme.example/"',
    "https://app.acme.example/{x}",
    "https://app.acme.example/{CHECKOUT_SESSION_ID}{CHECKOUT_SESSION_ID}",
    "https://app.acme.example/" + "a" * 2000,
    "ht\ttps://app.acme.example/",
    "https://app.acme.example\u200b/",
    "\u2066https://app.acme.example/",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_a_page_of_ours_is_led_back_to(url: str) -> None:
    assert page_of(url, "/other", ORIGINS, "success_url") == url


@pytest.mark.parametrize("url", REFUSED)
def test_a_trick_is_refused(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        page_of(url, "/other", ORIGINS, "success_url")

    assert caught.value.status == 422
    assert [field.key for field in caught.value.fields] == ["success_url"]


def test_without_a_page_it_is_the_usual_one_of_the_first_origin() -> None:
    assert page_of(None, "/billing/cancel", ORIGINS, "cancel_url") == (
        "https://app.acme.example/billing/cancel"
    )


# Pieces of which tricks are made, in any order.
HOSTS = [*ORIGINS, "localhost", "3000", "443", "evil.example", "[::1]", "https://", "http://"]
MARKS = ["//", "/", "\\", "@", ":", ".", "..", "%2e", "%2f", "#", "?", "%", "{", "é", "．", ";"]
pieces = st.sampled_from([*HOSTS, *MARKS, "\t", "\n", " "])
built = st.lists(pieces, max_size=8).map("".join)
behind_ours = st.tuples(st.sampled_from(ORIGINS), built | st.text(max_size=20)).map("".join)


@given(st.text(max_size=60) | built | behind_ours)
def test_whatever_is_let_through_every_reader_takes_for_ours(url: str) -> None:
    if not is_ours(url, ORIGINS):
        return

    parts, other = urlsplit(url), httpx.URL(url)
    assert f"{parts.scheme}://{parts.netloc}" in ORIGINS
    assert (parts.username, parts.fragment) == (None, "")
    port = "" if other.port is None else f":{other.port}"
    assert f"{other.scheme}://{other.host}{port}" in ORIGINS
    assert url.isascii()
    assert url.isprintable()
    assert not parts.path.startswith("//")
