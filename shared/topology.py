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

# Unread usage of one agent and kind; beyond it that agent alone is told to wait, and keeps on its
# own disk what it has. A call every two seconds fills it in more than an hour without a meter, and
# a client that sends as fast as it does, five envelopes a second, in seven minutes.
#
# An envelope is at most 64 KiB and a header, so one agent holds at most 3 kinds x 2,000 x 68 KiB
# = 0.39 GiB, a tenth of the stream: no one agent, and no ten, can fill it. (At 10,000 it took two.)
# A thousand agents of one organization, which is its cap, still can, if all of them send envelopes
# of full size for nothing: what rules that out as well, 20 each, would make every agent wait four
# seconds into any pause of the meter's. What an honest one sends is 1 to 3 KiB: a thousand agents
# of that kind stay below 4 GiB with 1,400 envelopes each.
MAX_ENVELOPES_PER_AGENT = 2_000

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
            standing = await js.stream_info(stream.name or "")
        except NotFoundError:
            await js.add_stream(stream)
        else:
            await js.update_stream(await _without_loss(js, stream, standing.config))
    for stream_name, name in RETIRED:
        with suppress(NotFoundError):
            await js.delete_consumer(stream_name, name)
    for consumer in durables:
        await js.add_consumer(consumer.stream, consumer.config())


async def _without_loss(
    js: JetStreamContext, wanted: StreamConfig, standing: StreamConfig
) -> StreamConfig:
    """Leave a subject's limit as it is while more waits there than half of a lower one: what stands
    beyond a limit that is lowered is deleted by the server, the oldest first.
    """
    old, new = standing.max_msgs_per_subject or -1, wanted.max_msgs_per_subject or -1
    if new < 0 or 0 < old <= new:
        return wanted
    told = await js.stream_info(wanted.name or "", subjects_filter=">")
    most = max((told.state.subjects or {}).values(), default=0)
    return wanted if 2 * most <= new else wanted.evolve(max_msgs_per_subject=old)
