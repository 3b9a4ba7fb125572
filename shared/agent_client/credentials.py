"""Who an agent is: its NATS credential, which names its organization and is replaced hourly."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from shared.contracts.base import ORGANIZATION_PATTERN

# The path of a .creds file, its text, or a function that fetches a fresh one.
CredentialsSource = str | Path | Callable[[], str]

_JWT = re.compile(r"-----BEGIN NATS USER JWT-----\s+(\S+)\s+-")


class CredentialsError(Exception):
    """A credential cannot be read or is another agent's; the message never repeats its content."""


class Credentials(msgspec.Struct, frozen=True):
    """A credential's text and what its token says."""

    text: str
    user_key: str
    organization_id: str
    agent_id: str


class _NatsClaims(msgspec.Struct):
    tags: list[str] = []


class _Claims(msgspec.Struct):
    sub: str
    nats: _NatsClaims


def read_credentials(source: CredentialsSource) -> Credentials:
    """Read a credential as it is now; the organization and the agent are tags of its token.

    Raises CredentialsError; whatever a `source` function raises passes through.
    """
    text = _text_of(source)
    found = _JWT.search(text)
    parts = found.group(1).split(".") if found else []
    if len(parts) != 3:
        raise CredentialsError("This is not a NATS credential: it holds no user token.")
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=="), type=_Claims)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CredentialsError("The credential's user token cannot be read.") from error
    tags = dict(tag.split(":", 1) for tag in claims.nats.tags if ":" in tag)
    names = (tags.get("org", ""), tags.get("agent", ""))
    if not all(re.match(ORGANIZATION_PATTERN, name) for name in names):
        raise CredentialsError("The credential names no organization and agent.")
    return Credentials(text, claims.sub, *names)


def _text_of(source: CredentialsSource) -> str:
    if callable(source):
        return source()
    if "-----BEGIN" in str(source):
        return str(source)
    try:
        return Path(source).expanduser().read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise CredentialsError(f"The credentials file cannot be read: {error}") from error
