"""The keys of the closed bus: made once, kept in files of mode 0600, and what each may do.

Three accounts under one operator. BILLING holds the services and all streams; AGENTS holds agents
and reaches BILLING only by a service import of `usage.*.*.*`; SYS is the server's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nkeys

from deploy.files import write_private
from shared.contracts.usage import MAX_ENVELOPE_BYTES, USAGE_KINDS
from shared.credentials import credentials_text, encode_token, key_from_seed, new_key, public_key

USAGE_SUBJECTS = "usage.*.*.*"
UNLIMITED = -1
SECOND_NS = 1_000_000_000
# Below the server's own limit of 65,536, so that agents cannot keep services from reconnecting.
AGENT_CONNECTIONS = 20_000
# An agent listens on its inbox only; a few more let a client library resubscribe.
AGENT_SUBSCRIPTIONS = 5
# How long after a request its answer may still be sent; no caller waits longer.
ANSWER_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class BusKeys:
    """The keys in one folder. `agents` and `system` sign nothing, so their seeds are not kept."""

    folder: Path
    operator: nkeys.KeyPair
    billing: nkeys.KeyPair
    agent_signer: nkeys.KeyPair
    agents: str
    system: str

    @classmethod
    def load_or_create(cls, folder: Path) -> "BusKeys":
        """Read the keys, or make those that are missing."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(
            folder=folder,
            operator=_key(folder / "operator.seed", nkeys.PREFIX_BYTE_OPERATOR),
            billing=_key(folder / "billing.seed", nkeys.PREFIX_BYTE_ACCOUNT),
            agent_signer=_key(folder / "agents_signing.seed", nkeys.PREFIX_BYTE_ACCOUNT),
            agents=_public_account(folder / "agents.account"),
            system=_public_account(folder / "system.account"),
        )

    @property
    def agent_signing_seed(self) -> Path:
        """The file that lets the gateway issue agents' credentials."""
        return self.folder / "agents_signing.seed"

    def credentials_file(self, user: str) -> Path:
        """Where the credentials of a service or tool are."""
        return self.folder / f"{user}.creds"

    def operator_token(self, now: datetime) -> str:
        """The root of trust, as the server reads it."""
        claims = {
            "name": "operator",
            "sub": public_key(self.operator),
            "nats": {"type": "operator", "version": 2, "system_account": self.system},
        }
        return encode_token(claims, self.operator, now)

    def account_tokens(self, now: datetime) -> dict[str, str]:
        """Each account's public key with its token, for the server's memory resolver."""
        accounts = {
            self.system: {"name": "SYS", "nats": _account(_limits())},
            public_key(self.billing): {"name": "BILLING", "nats": _billing_account()},
            self.agents: {"name": "AGENTS", "nats": self._agents_account()},
        }
        return {
            account: encode_token({**claims, "sub": account}, self.operator, now)
            for account, claims in accounts.items()
        }

    def issue_service(
        self,
        service: str,
        durables: Sequence[tuple[str, str]],
        now: datetime,
        *,
        hears: Sequence[str] = (),
        asks: Sequence[str] = (),
    ) -> Path:
        """Write a service's credentials file and return its path.

        `durables` are the (stream, durable consumer) pairs it reads; `hears` are subjects it may
        subscribe to beside its own requests, such as `event.>` for the gateway; `asks` are those
        it may publish to beside its own facts and other services' requests.
        """
        publish = [f"event.{service}.>", "ask.>", *asks]
        for stream, durable in durables:
            publish += [
                f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
                f"$JS.ACK.{stream}.{durable}.>",
            ]
        publish += sorted({f"$JS.API.STREAM.INFO.{stream}" for stream, _ in durables})
        return self._issue(service, publish, [f"ask.{service}.>", *hears], now, answers=True)

    def issue_topology(self, now: datetime) -> Path:
        """Write the credentials of the step that declares streams and consumers."""
        return self._issue("topology", ["$JS.API.>"], [], now)

    def issue_operator(self, now: datetime) -> Path:
        """Write the credentials of the command lines, which ask services and hear nothing."""
        return self._issue("operator", ["ask.>"], [], now)

    def _issue(
        self,
        user: str,
        publish: list[str],
        subscribe: list[str],
        now: datetime,
        *,
        answers: bool = False,
    ) -> Path:
        key = new_key(nkeys.PREFIX_BYTE_USER)
        permissions: dict[str, Any] = {
            "pub": {"allow": publish},
            "sub": {"allow": [f"_INBOX_{user}.>", *subscribe]},
            "subs": UNLIMITED,
            "data": UNLIMITED,
            "payload": UNLIMITED,
        }
        if answers:
            permissions["resp"] = {"max": 1, "ttl": ANSWER_WITHIN_SECONDS * SECOND_NS}
        claims = {
            "name": user,
            "sub": public_key(key),
            "nats": {"type": "user", "version": 2, **permissions},
        }
        token = encode_token(claims, self.billing, now)
        path = self.credentials_file(user)
        write_private(path, credentials_text(token, key.seed.decode()))
        return path

    def _agents_account(self) -> dict[str, Any]:
        imported = {
            "name": "usage",
            "subject": USAGE_SUBJECTS,
            "account": public_key(self.billing),
            # Never a stream import: there, a forged reply subject made the server publish for the
            # agent where the agent itself may not (measured).
            "type": "service",
        }
        scope = {
            "kind": "user_scope",
            "key": public_key(self.agent_signer),
            "role": "agent",
            "template": _agent_template(),
        }
        # A user that the scoped key did not sign may do nothing at all.
        nothing = {"pub": {"deny": [">"]}, "sub": {"deny": [">"]}}
        return _account(
            _limits(imports=1, connections=AGENT_CONNECTIONS),
            imports=[imported],
            signing_keys=[scope],
            default_permissions=nothing,
        )


def _agent_template() -> dict[str, Any]:
    return {
        "pub": {
            "allow": [f"usage.{kind}.{{{{tag(org)}}}}.{{{{tag(agent)}}}}" for kind in USAGE_KINDS]
        },
        "sub": {"allow": ["_INBOX.{{subject()}}.>"]},
        "subs": AGENT_SUBSCRIPTIONS,
        "data": UNLIMITED,
        "payload": MAX_ENVELOPE_BYTES,
        "allowed_connection_types": ["STANDARD"],
    }


def _billing_account() -> dict[str, Any]:
    exported = {
        "name": "usage",
        "subject": USAGE_SUBJECTS,
        "type": "service",
        "response_type": "Singleton",
    }
    streams = {
        "disk_storage": UNLIMITED,
        "streams": UNLIMITED,
        "consumer": UNLIMITED,
        # A stream without a bound would fill the disk, and a full disk stops every stream.
        "max_bytes_required": True,
    }
    return _account({**_limits(exports=1), **streams}, exports=[exported])


def _limits(*, imports: int = 0, exports: int = 0, connections: int = UNLIMITED) -> dict[str, Any]:
    return {
        "subs": UNLIMITED,
        "data": UNLIMITED,
        "payload": UNLIMITED,
        "conn": connections,
        "leaf": 0,
        "imports": imports,
        "exports": exports,
        "wildcards": True,
        "disallow_bearer": True,
    }


def _account(limits: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"type": "account", "version": 2, "limits": limits, **parts}


def _key(path: Path, kind: int) -> nkeys.KeyPair:
    if not path.exists():
        write_private(path, new_key(kind).seed.decode())
    return key_from_seed(path.read_text())


def _public_account(path: Path) -> str:
    if not path.exists():
        write_private(path, public_key(new_key(nkeys.PREFIX_BYTE_ACCOUNT)))
    return path.read_text()
