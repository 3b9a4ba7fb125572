"""The loop of the sandbox's own clock: what is due is done, what is old is forgotten."""

import asyncio
import contextlib
import logging
import time

from services.stripe_sandbox.flows.renewing import do_next
from services.stripe_sandbox.idempotency import prune_keys
from services.stripe_sandbox.sandbox import Sandbox

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
TIDY_SECONDS = 600
# As Stripe: events can be listed for 30 days.
EVENT_SECONDS = 30 * 24 * 3600


async def run_clock(sandbox: Sandbox) -> None:
    """Do what is due, until canceled."""
    tidied = 0.0
    while True:
        while do_one(sandbox):
            sandbox.wake()
            await asyncio.sleep(0)
        if time.monotonic() - tidied > TIDY_SECONDS:
            tidy(sandbox)
            tidied = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                await sandbox.store.travelled.wait()
        sandbox.store.travelled.clear()


def do_one(sandbox: Sandbox) -> bool:
    """Do the next thing that is due; False when there is nothing."""
    try:
        with sandbox.store.transaction():
            return do_next(sandbox.work(), "", sandbox.store.now())
    except Exception:
        # One thing that cannot be done must not stop all others for ever.
        logger.exception("something due could not be done")
        with sandbox.store.transaction():
            sandbox.store.run(
                "DELETE FROM agenda WHERE seq ="
                " (SELECT seq FROM agenda WHERE clock = '' ORDER BY due, seq LIMIT 1)"
            )
        return True


def tidy(sandbox: Sandbox) -> None:
    """Forget idempotency keys, events and deliveries that are older than Stripe keeps them."""
    oldest = sandbox.store.now() - EVENT_SECONDS
    with sandbox.store.transaction():
        prune_keys(sandbox.store)
        sandbox.store.run("DELETE FROM objects WHERE kind = 'event' AND created < ?", oldest)
        sandbox.store.run("DELETE FROM deliveries WHERE event NOT IN (SELECT id FROM objects)")
