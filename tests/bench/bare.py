"""A Litestar application with one route that answers a Struct from memory."""

import json
import os
from typing import Any

import msgspec
import uvicorn
from litestar import Litestar, get

BODY = json.loads(os.environ["BARE_BODY"])
Answer = msgspec.defstruct("Answer", [(name, Any) for name in BODY])
ANSWER = Answer(**BODY)


@get("/", sync_to_thread=False)
def answer() -> Answer:  # type: ignore[valid-type]
    """The body that the gateway would have asked for."""
    return ANSWER


if __name__ == "__main__":
    uvicorn.run(
        Litestar([answer], openapi_config=None),
        port=int(os.environ["BARE_PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
