"""Why a message cannot be recorded: a word for machines and a sentence for the user."""

import re

import msgspec

from shared.contracts.base import ORGANIZATION_PATTERN, PRINTABLE_PATTERN

# All that decoding hostile bytes raises. Bad UTF-8 is a ValueError, deep nesting a RuntimeError.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
MAX_DETAIL_CHARACTERS = 300

_FIELD = re.compile(r" - at `\$\.?([^`]*)`\Z")
_MISSING = re.compile(r"\AObject missing required field `([^`]*)`")
_PATTERNS_IN_WORDS = (
    (PRINTABLE_PATTERN, "`str` without control characters"),
    (ORGANIZATION_PATTERN, "`str` of 1 to 64 letters, digits, `_` or `-`"),
)


class Parked(msgspec.Struct, frozen=True):
    """A message that is kept for an operator instead of being recorded.

    `reason` is one machine word, `detail` a sentence that names the field and the rule.
    """

    reason: str
    detail: str


def parked_for(error: Exception, what: str, under: str = "") -> Parked:
    """Say what is wrong with `what` (a noun, as in "The event").

    `under` is the path of the field that held the bytes, when they are not a whole message.
    """
    if isinstance(error, RecursionError):
        return Parked("too_deep", f"{what} is nested deeper than any usage object is.")
    if isinstance(error, UnicodeDecodeError):
        return Parked("bad_utf8", f"{what} holds bytes that are not UTF-8.")
    if isinstance(error, msgspec.ValidationError):
        return Parked("invalid_field", _printable(_sentence(str(error), what, under)))
    return Parked("malformed", _printable(f"{what} is not valid JSON: {error}."))


def _sentence(message: str, what: str, under: str) -> str:
    for pattern, words in _PATTERNS_IN_WORDS:
        message = message.replace(f"`str` matching regex {pattern!r}", words)
    field = _FIELD.search(message)
    path = [under] if under else []
    if field:
        message = message[: field.start()]
        path += [field[1]] if field[1] else []
    missing = _MISSING.match(message)
    if missing:
        return f"Field `{'.'.join([*path, missing[1]])}` is required."
    return f"Field `{'.'.join(path)}`: {message}." if path else f"{what}: {message}."


def _printable(sentence: str) -> str:
    # A decoder may quote what was sent; a NUL in the reason would be refused by PostgreSQL.
    shown = "".join(letter if letter.isprintable() else "�" for letter in sentence)
    return shown[:MAX_DETAIL_CHARACTERS]
