"""A small HTTP load: many connections kept open, one request after another on each."""

import asyncio
import time
import urllib.error
import urllib.request
from dataclasses import dataclass


@dataclass
class Load:
    """What came of a load: requests per second and latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


async def load(
    port: int, path: str, token: str | None, *, seconds: float, connections: int
) -> Load:
    """GET `path` as fast as answers come; every answer must be a 200."""
    deadline = time.perf_counter() + seconds
    latencies: list[float] = []
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n".encode()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < deadline:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(head.decode())
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            latencies.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    took = time.perf_counter() - began
    latencies.sort()
    return Load(
        per_second=round(len(latencies) / took, 1),
        p50_ms=round(1000 * latencies[len(latencies) // 2], 2),
        p99_ms=round(1000 * latencies[int(len(latencies) * 0.99)], 2),
    )


def wait_for(url: str, timeout_seconds: float = 30) -> None:
    """Wait until an address answers 200."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
