"""What clients send: the parameters that routes share, and strict reading of bodies.

Litestar ignores msgspec's `Meta` on parameters, so their limits stand in the parameter itself.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.params import HeaderParameter, PathParameter, QueryParameter, SkipValidation
from msgspec import Meta

from services.gateway.errors import ApiError, FieldError, Source, invalid
from services.gateway.permissions import Principal

# The same rules as the contracts', in a form that JavaScript reads too (it has no `\Z`).
END = r"(?![\s\S])"
ID_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}{END}"
TEXT_PATTERN = rf"^[^\u0000-\u001f\u007f]*{END}"
DOLLARS_PATTERN = rf"^[0-9]{{1,9}}(\.[0-9]{{1,12}})?{END}"

T = TypeVar("T")
# What the application hands to a handler by name; it is ours and needs no validation.
Given: TypeAlias = NamedDependency[SkipValidation[T]]

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Text = Annotated[str, Meta(pattern=TEXT_PATTERN, min_length=1, max_length=128)]
AwareTime = Annotated[datetime, Meta(tz=True)]


def text_query(description: str, name: str | None = None) -> QueryParameter:
    """A filter: printable text of at most 128 characters."""
    return QueryParameter(
        name=name, description=description, pattern=TEXT_PATTERN, min_length=1, max_length=128
    )


OrganizationId = Annotated[str, PathParameter(description="The organization.")]
AgentId = Annotated[str, PathParameter(description="The agent.", pattern=ID_PATTERN)]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="The most entries to answer.")]
Cursor = Annotated[str | None, text_query("Where to go on, from the `Link` of the last page.")]
From = Annotated[
    datetime | None,
    QueryParameter(name="from", description="The first moment, with a zone (RFC 3339)."),
]
To = Annotated[
    datetime | None,
    QueryParameter(name="to", description="The moment after the last, with a zone (RFC 3339)."),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="The same key with the same body gets the same answer, with one effect.",
        pattern=r"^[\x21-\x7e]{1,128}$",
    ),
]

# Outside of this no call of an LLM can lie, and calendars overflow.
FIRST_TIME = datetime(2000, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(2200, 1, 1, tzinfo=UTC)
MAX_DAYS = 366


class TimeRange(msgspec.Struct, frozen=True):
    """Half-open, in UTC; None is open."""

    start: datetime | None
    end: datetime | None


def time_range(
    start: datetime | None,
    end: datetime | None,
    *,
    names: tuple[str, str] = ("from", "to"),
    source: Source = "query",
) -> TimeRange:
    """Check two times that clients call `names`; raises the 422 that names the wrong one."""
    times = TimeRange(_utc(start, names[0], source), _utc(end, names[1], source))
    if times.start and times.end and times.start >= times.end:
        raise invalid(names[0], f"must be before `{names[1]}`", source)
    return times


def _utc(at: datetime | None, name: str, source: Source) -> datetime | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise invalid(name, "needs a time zone, such as 2026-01-01T00:00:00Z", source)
    if not FIRST_TIME <= at <= LAST_TIME:
        raise invalid(name, "must be between the years 2000 and 2200", source)
    return at.astimezone(UTC)


def day_range(
    days: int | None, first_day: date | None, end_day: date | None, today: date
) -> tuple[date, date]:
    """The days that `days` (up to today) or `from` and `to` name, half-open; 30 days if none."""
    if first_day is None and end_day is None:
        end = today + timedelta(days=1)
        return end - timedelta(days=days or 30), end
    if days is not None:
        raise invalid("days", "cannot be combined with `from` and `to`")
    if first_day is None or end_day is None:
        raise invalid("to" if end_day is None else "from", "is needed too")
    if first_day >= end_day:
        raise invalid("from", "must be before `to`")
    for name, day in (("from", first_day), ("to", end_day)):
        if not FIRST_TIME.date() <= day <= LAST_TIME.date():
            raise invalid(name, "must be between the years 2000 and 2200")
    if (end_day - first_day).days > MAX_DAYS:
        raise invalid("to", f"must be at most {MAX_DAYS} days after `from`")
    return first_day, end_day


class RequestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body: a misspelt field is refused, not ignored."""


class StrictRequest(Request[Principal | None, Any, State]):
    """Reads a JSON body straight into the type that the handler declares, without coercion.

    Litestar would read `"5"` as 5, and answer 500 to invalid UTF-8 or deep nesting.
    """

    async def body(self) -> bytes:
        """The bytes; raises a 400 when the client left before their end."""
        try:
            return await super().body()
        except InternalServerException:
            raise ApiError(400, "body_incomplete", "The body ended before its end.") from None

    async def json(self) -> Any:
        """The body; raises a 400 when it is no JSON and a 422 when a field is wrong."""
        declared = self.route_handler.parsed_fn_signature.parameters["data"].annotation
        try:
            return msgspec.json.decode(await self.body(), type=declared)
        except msgspec.ValidationError as error:
            message, _, place = str(error).partition(" - at `$.")
            field = FieldError(place.rstrip("`") or "body", message, "body")
            raise ApiError(
                422, "invalid_field", f"{field.key}: {message}", fields=[field]
            ) from None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ApiError(400, "malformed_json", "The body is not valid JSON.") from None
