"""The NATS server's configuration: what it keeps, how safely, and who may connect."""

import json
from datetime import datetime
from pathlib import Path

from deploy.bus_keys import BusKeys

GIGABYTE = 1024**3
# The largest webhook, as text in JSON. Agents are held to less by their credential, streams by
# their own limit.
MAX_PAYLOAD_BYTES = 1024 * 1024
# A service connects with its token in one line; each consumer it reads from makes that longer, and
# the server's own 4 KiB would hold some ten of them.
MAX_CONTROL_LINE_BYTES = 16 * 1024


def server_configuration(
    accounts: str,
    store: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 4222,
    monitor_port: int = 8222,
    durable: bool = True,
    max_file_bytes: int = 8 * GIGABYTE,
) -> str:
    """The text of a configuration file; `accounts` is what `closed_accounts` returns.

    `max_file_bytes` bounds all streams together and must be below the disk's free space: a full
    disk stops every stream until the server is restarted. With `durable` a message is on disk
    before it is acknowledged; without, a power cut loses up to two minutes (measurements only).
    """
    return f"""\
server_name: billing
listen: "{host}:{port}"
http: "{host}:{monitor_port}"
max_payload: {MAX_PAYLOAD_BYTES}
max_control_line: {MAX_CONTROL_LINE_BYTES}
jetstream {{
  store_dir: {json.dumps(str(store))}
  sync_interval: {"always" if durable else "2m"}
  max_file_store: {max_file_bytes}
  max_memory_store: 0
}}
{accounts}
"""


def closed_accounts(keys: BusKeys, now: datetime) -> str:
    """Operator mode: only users whose token one of our accounts signed are let in."""
    tokens = keys.account_tokens(now).items()
    preload = "\n".join(f"  {account}: {json.dumps(token)}" for account, token in tokens)
    return f"""\
operator: {json.dumps(keys.operator_token(now))}
system_account: {keys.system}
resolver: MEMORY
resolver_preload {{
{preload}
}}
"""
