"""Pages of lists, newest first, and search by a query."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.stripe_sandbox.errors import Body, invalid, missing
from services.stripe_sandbox.parameters import ID, Either, Integer, Kind, Shape, Text, needed, shape
from services.stripe_sandbox.work import Work

DEFAULT_LIMIT = 10
RANGE = Either((Integer(), shape(gt=Integer(), gte=Integer(), lt=Integer(), lte=Integer())))
LIMIT = Integer(least=1, most=100)
PAGE: Mapping[str, Kind] = {"limit": LIMIT, "starting_after": ID, "ending_before": ID}
SEARCH = shape(query=needed(Text()), limit=LIMIT, page=Text())
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

CLAUSE = re.compile(
    r"""\s*(?P<minus>-?)(?P<field>[a-z_.]+)(?:\[(?P<kq>["'])(?P<key>.*?)(?P=kq)\])?"""
    r"""\s*(?P<operator>[:~<>]=?)\s*(?:(?P<vq>["'])(?P<text>(?:\\.|[^\\])*?)(?P=vq)|(?P<bare>[^\s]+))"""
    r"""\s*(?P<word>AND|OR|\Z)""",
    re.IGNORECASE,
)


def list_of(filters: Shape | None = None, *, by_time: bool = True) -> Shape:
    """The parameters of a list endpoint; most can be filtered by the time of creation."""
    created: Mapping[str, Kind] = {"created": RANGE} if by_time else {}
    return Shape({**PAGE, **created, **(filters.fields if filters else {})})


def list_object(url: str, data: list[Body], *, has_more: bool = False) -> Body:
    """A list as Stripe shows it."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


@dataclass
class Where:
    """Conditions in SQL, with their values."""

    sql: list[str]
    values: list[Any]

    def add(self, condition: str, *values: Any) -> None:
        """One condition more."""
        self.sql.append(condition)
        self.values.extend(values)

    def equals(self, field: str, value: Any) -> None:
        """A field of the object has a value, or lies in a range."""
        column = field if field in {"customer", "created"} else f"json_extract(body, '$.{field}')"
        if isinstance(value, dict):
            for word, bound in value.items():
                self.add(f"{column} {OPERATORS[word]} ?", bound)
        else:
            self.add(f"{column} = ?", value)

    @property
    def text(self) -> str:
        """All of them."""
        return " AND ".join(self.sql)


def conditions(params: Body, *fields: str) -> Where:
    """Conditions for the filters of a list that are named like fields of the object."""
    where = Where(["json_extract(body, '$.deleted') IS NULL"], [])
    for name in ("created", *fields):
        if name in params:
            where.equals(name, params[name])
    return where


def page(work: Work, kind: str, url: str, params: Body, where: Where) -> Body:
    """One page: newest first, at most `limit` (default 10), from a cursor on."""
    limit = params.get("limit", DEFAULT_LIMIT)
    order = "seq DESC"
    if "starting_after" in params:
        where.add("seq < ?", _position(work, kind, params, "starting_after"))
    if "ending_before" in params:
        where.add("seq > ?", _position(work, kind, params, "ending_before"))
        order = "seq ASC"
    found = work.store.select(kind, where.text, *where.values, order=order, limit=limit + 1)
    data = found[:limit]
    if order == "seq ASC":
        data.reverse()
    return list_object(url, data, has_more=len(found) > limit)


def page_of(items: list[Body], url: str, params: Body) -> Body:
    """One page of a list that another object carries, in its own order."""
    ids = [each["id"] for each in items]
    first = ids.index(params["starting_after"]) + 1 if params.get("starting_after") in ids else 0
    limit = params.get("limit", DEFAULT_LIMIT)
    return list_object(url, items[first : first + limit], has_more=len(items) > first + limit)


def _position(work: Work, kind: str, params: Body, cursor: str) -> int:
    row = work.store.one("SELECT seq FROM objects WHERE id = ? AND kind = ?", params[cursor], kind)
    if row is None:
        raise missing(kind, params[cursor], cursor)
    return int(row["seq"])


def search(work: Work, kind: str, url: str, params: Body) -> Body:
    """Objects that match a query such as `metadata['order']:'6735' AND status:'succeeded'`.

    What is younger than the `search_lag_seconds` that a test has set is not found yet.
    """
    where = Where(["json_extract(body, '$.deleted') IS NULL"], [])
    where.add(f"({_condition(params['query'], where)})")
    if lag := work.store.setting("search_lag_seconds", 0):
        where.add("created <= ?", work.store.now() - int(lag))
    if "page" in params:
        where.add("seq < ?", _page_position(params["page"]))
    limit = params.get("limit", DEFAULT_LIMIT)
    found = work.store.select(kind, where.text, *where.values, limit=limit + 1)
    more = len(found) > limit
    return {
        "object": "search_result",
        "data": found[:limit],
        "has_more": more,
        "next_page": _page_after(work, found[limit - 1]) if more else None,
        "url": url,
    }


def _condition(query: str, where: Where) -> str:
    """The query as SQL; its values are added to `where`."""
    parts: list[str] = []
    words: set[str] = set()
    place = 0
    while place < len(query):
        match = CLAUSE.match(query, place)
        if match is None:
            message = "We were unable to parse your search query. Try using the format metadata"
            raise invalid(f'{message}["key"]:"value" to query for metadata.', "query")
        parts.append(_clause(match, where))
        words.add(match["word"].upper())
        place = match.end()
    words.discard("")
    if len(words) > 1:
        raise invalid("Queries may use AND or OR, but not both.", "query")
    return f" {words.pop() if words else 'AND'} ".join(parts) or "1"


def _clause(match: re.Match[str], where: Where) -> str:
    text = match["text"] if match["text"] is not None else match["bare"]
    value = re.sub(r"\\(.)", r"\1", text)
    path = match["field"] + (f'."{match["key"]}"' if match["key"] else "")
    if '"' in (match["key"] or ""):
        raise invalid("Metadata keys cannot hold quotation marks.", "query")
    where.values.append(f"$.{path}")
    field, operator = "json_extract(body, ?)", match["operator"]
    if operator == "~":
        where.values.append(f"%{value}%")
        sql = f"{field} LIKE ?"
    elif operator == ":":
        where.values.append(value)
        # Numbers and truth values are compared as their words.
        sql = f"CAST({field} AS TEXT) = ?"
    else:
        where.values.append(value)
        sql = f"CAST({field} AS REAL) {operator} CAST(? AS REAL)"
    return f"NOT coalesce({sql}, 0)" if match["minus"] else sql


def _page_after(work: Work, body: Body) -> str:
    row = work.store.one("SELECT seq FROM objects WHERE id = ?", body["id"])
    return base64.urlsafe_b64encode(str(row["seq"] if row else 0).encode()).decode()


def _page_position(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token.encode()))
    except ValueError:
        raise invalid("Invalid page token.", "page") from None
