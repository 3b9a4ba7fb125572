"""Streams and durable consumers, declared before anybody publishes or listens."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, get_args

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from shared.contracts.operations import Owner
from shared.contracts.usage import MAX_ENVELOPE_BYTES, USAGE_KINDS

OWNERS: tuple[Owner, ...] = get_args(Owner)
# Room for what a message carries beside its body.
HEADER_BYTES = 4096
# A fact that one of our services tells.
MAX_FACT_BYTES = 128 * 1024
GIBIBYTE = 1024**3

# Unread usage of one agent; beyond it that agent alone is told to wait.
MAX_ENVELOPES_PER_AGENT = 10_000

USAGE = StreamConfig(
    name="USAGE",
    subjects=[f"usage.{kind}.*.*" for kind in USAGE_KINDS],
    retention=RetentionPolicy.WORK_QUEUE,
    storage=StorageType.FILE,
    discard=DiscardPolicy.NEW,
    discard_new_per_subject=True,
    max_msgs_per_subject=MAX_ENVELOPES_PER_AGENT,
    max_bytes=4 * GIBIBYTE,
    max_msg_size=MAX_ENVELOPE_BYTES + HEADER_BYTES,
    duplicate_window=0.1,
    deny_delete=True,
    allow_direct=False,
    allow_rollup_hdrs=False,
)
EVENTS = StreamConfig(
    name="EVENTS",
    subjects=[f"event.{owner}.*.*" for owner in OWNERS],
    retention=RetentionPolicy.INTEREST,
    storage=StorageType.FILE,
    discard=DiscardPolicy.NEW,
    max_bytes=2 * GIBIBYTE,
    max_msg_size=MAX_FACT_BYTES + HEADER_BYTES,
    duplicate_window=600,
    deny_delete=True,
    allow_direct=False,
    allow_rollup_hdrs=False,
)
STREAMS = (USAGE, EVENTS)


class Durable(NamedTuple):
    """A consumer that outlives its processes; replicas of a service share it."""

    stream: str
    name: str
    subject: str
    ack_wait_seconds: float = 30
    max_ack_pending: int = 20_000

    def config(self) -> ConsumerConfig:
        """As the server wants it: deliveries are counted by us, never given up by the server."""
        return ConsumerConfig(
            durable_name=self.name,
            filter_subject=self.subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait_seconds,
            max_deliver=-1,
            max_ack_pending=self.max_ack_pending,
        )


def durable(service: str, stream: str, subject: str) -> Durable:
    """A service's consumer of a subject, named after both: never after a function."""
    words = [token for token in subject.split(".") if token not in {"*", ">"}]
    return Durable(stream, f"{service}-{'-'.join(words)}", subject)


# Consumers that nobody has any more: what is never taken from them would stay in the stream.
RETIRED = ((EVENTS.name or "", "subscription-event-account-credits_changed"),)


async def declare(
    js: JetStreamContext,
    durables: Sequence[Durable] = (),
    streams: Sequence[StreamConfig] = STREAMS,
) -> None:
    """Make streams and durables as written here; what exists is brought up to date."""
    for stream in streams:
        try:
            await js.stream_info(stream.name or "")
        except NotFoundError:
            await js.add_stream(stream)
        else:
            await js.update_stream(stream)
    for stream_name, name in RETIRED:
        with suppress(NotFoundError):
            await js.delete_consumer(stream_name, name)
    for consumer in durables:
        await js.add_consumer(consumer.stream, consumer.config())
