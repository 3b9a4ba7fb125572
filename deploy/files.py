"""Files with secrets: readable by their owner only, from the first byte on."""

import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600; a reader sees the old content or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkstemp makes files that only their owner can read.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def default_home() -> Path:
    """The folder of an installation's data and keys: `BILLING_HOME`, else `var`."""
    return Path(os.environ.get("BILLING_HOME") or "var")


def default_nats_url() -> str:
    """The bus: `NATS_URL`, else the one of `make run` on `NATS_PORT`."""
    port = os.environ.get("NATS_PORT") or "4222"
    return os.environ.get("NATS_URL") or f"nats://127.0.0.1:{port}"
