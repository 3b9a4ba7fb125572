"""A person with a browser, as far as hosted pages need one: opens, fills in a form, clicks."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

MAX_STEPS = 10


@dataclass
class Form:
    """A form as the page has it; a choice has the value that is chosen at first."""

    action: str
    values: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, and what is in it."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", "")))
        elif tag == "input" and self.found:
            self._note_input(self.found[-1], given)
        elif tag == "button" and self.found and "name" in given:
            self.found[-1].buttons.append((given["name"], given.get("value", "")))

    @staticmethod
    def _note_input(form: Form, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        if given.get("type") == "radio":
            form.choices.setdefault(name, []).append(value)
            if "checked" in given:
                form.values[name] = value
        elif name:
            form.values[name] = value


class Browser:
    """Follows links and forms of one site, and stops where it is led away from it."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)
        self.address = ""
        self.page = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    @property
    def forms(self) -> list[Form]:
        """What can be filled in here."""
        return Forms(self.page).found

    async def open(self, address: str) -> None:
        """Go there, as a link does."""
        await self._arrive(await self._http.get(address), address)

    async def submit(self, **filled: str) -> None:
        """Fill in the first form, with what the page suggests for the rest, and send it."""
        form = self.forms[0]
        for name, value in filled.items():
            assert name in form.values or name in form.choices, f"no field {name} here"
            assert value in form.choices.get(name, [value]), f"{value} cannot be chosen"
        clicked = dict(form.buttons[:1])
        target = urljoin(self.address, form.action)
        answer = await self._http.post(target, data={**form.values, **clicked, **filled})
        await self._arrive(answer, target)

    async def _arrive(self, answer: httpx.Response, address: str) -> None:
        site = urlsplit(address)[:2]
        for _ in range(MAX_STEPS):
            self.address, self.page = address, answer.text
            if not answer.has_redirect_location:
                return
            address = urljoin(address, answer.headers["location"])
            if urlsplit(address)[:2] != site:
                # Back at the shop, whose pages are somebody else's to test.
                self.address, self.page = address, ""
                return
            answer = await self._http.get(address)
        raise AssertionError(f"led in circles, at last to {address}")
