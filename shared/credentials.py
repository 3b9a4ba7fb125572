"""Short-lived bus credentials for agents, and the token form that all NATS credentials have.

An agent's token carries no permissions. It is signed by the scoped key of the agents' account,
whose template (`deploy/bus_keys.py`) turns the token's two tags into the agent's own subjects.
"""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import nkeys

from shared.contracts.base import ORGANIZATION_PATTERN

DEFAULT_LIFETIME = timedelta(hours=1)
MAX_LIFETIME = timedelta(hours=24)
_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}


@dataclass(frozen=True)
class AgentCredential:
    """What an agent connects with. `text` is the content of a `.creds` file and a secret."""

    jwt: str = field(repr=False)
    seed: str = field(repr=False)
    public_key: str
    expires_at: datetime

    @property
    def text(self) -> str:
        """The content of a `.creds` file."""
        return credentials_text(self.jwt, self.seed)

    @property
    def inbox_prefix(self) -> str:
        """The only subjects the agent may hear: `nats.connect(inbox_prefix=...)` needs it."""
        return f"_INBOX.{self.public_key}"


def issue_agent_credential(
    signing_seed: str,
    agents_account: str,
    organization_id: str,
    agent_id: str,
    *,
    now: datetime,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> AgentCredential:
    """Let one agent publish its own organization's usage until `now + lifetime`.

    Raises ValueError for an id that is not exactly one token of a subject (a `*` would become a
    wildcard), or for a lifetime that is not within 24 hours.
    """
    for name, value in (("organization", organization_id), ("agent", agent_id)):
        if not re.match(ORGANIZATION_PATTERN, value):
            raise ValueError(f"{value!r} is not the id of an {name}.")
    if not timedelta(0) < lifetime <= MAX_LIFETIME:
        raise ValueError("An agent's credential lives at most 24 hours.")
    user, expires_at = new_key(nkeys.PREFIX_BYTE_USER), now + lifetime
    claims = {
        "name": f"{organization_id}/{agent_id}",
        "sub": public_key(user),
        "exp": int(expires_at.timestamp()),
        "nats": {
            "type": "user",
            "version": 2,
            "issuer_account": agents_account,
            "tags": [f"org:{organization_id}", f"agent:{agent_id}"],
        },
    }
    token = encode_token(claims, key_from_seed(signing_seed), now)
    return AgentCredential(token, user.seed.decode(), public_key(user), expires_at)


def encode_token(claims: Mapping[str, Any], signer: nkeys.KeyPair, now: datetime) -> str:
    """Sign claims as a NATS token (a JWT, signed with an nkey)."""
    body = {**claims, "iss": public_key(signer), "iat": int(now.timestamp())}
    digest = hashlib.sha256(msgspec.json.encode(body)).digest()
    body["jti"] = base64.b32encode(digest).decode().rstrip("=")
    signed = f"{_part(_HEADER)}.{_part(body)}"
    return f"{signed}.{_base64(signer.sign(signed.encode()))}"


def credentials_text(token: str, seed: str) -> str:
    """The content of a `.creds` file, as every NATS client reads it."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


def new_key(kind: int) -> nkeys.KeyPair:
    """A new key; `kind` is one of the `nkeys.PREFIX_BYTE_...`."""
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), kind))


def key_from_seed(seed: str) -> nkeys.KeyPair:
    """The key of a seed as text; raises `nkeys.NkeysError` when it is none."""
    return nkeys.from_seed(bytearray(seed.strip().encode()))


def public_key(key: nkeys.KeyPair) -> str:
    """The public half, as text."""
    return str(key.public_key.decode())


def _part(value: Mapping[str, Any]) -> str:
    return _base64(msgspec.json.encode(value))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
