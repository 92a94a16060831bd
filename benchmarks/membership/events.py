"""The input of every candidate: segment events as the fan-out writes them, the same bytes for all.

Every user once in random order, then users by a Zipf distribution. A message holds the user's whole profile (2 to 18
segments, 10 on average), verified within the last minute; one message in ten is an hour late, one segment in ten is
left. So about one segment event in seven enters or leaves a membership, the others verify it again.
"""

import random
import time
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from confluent_kafka import Producer

from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus, encode_event

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
ZIPF = 0.8
STEP_MS = 10


class Load(NamedTuple):
    """How much input: users, messages beyond the first of each, and the seed."""

    users: int
    extra: int
    seed: int = 7

    @property
    def messages(self) -> int:
        """How many messages in all."""
        return self.users + self.extra


class Filled(NamedTuple):
    """What is in the input topic."""

    load: Load
    segments: int
    size_bytes: int


def fill(bootstrap_servers: str, topic: str, load: Load) -> Filled:
    """Write the input, each message acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "acks": "all",
            "linger.ms": 20,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 200_000,
        }
    )
    segments = size_bytes = 0
    for count, event in enumerate(events(load), 1):
        value = encode_event(event)
        segments += len(event.segments)
        size_bytes += len(value)
        _produce(producer, topic, event.aam_uuid, value)
        if count % 1024 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0, "the input was not acknowledged"
    return Filled(load, segments, size_bytes)


def _produce(producer: Producer, topic: str, key: str, value: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.05)
        else:
            return


def events(load: Load) -> Iterator[SegmentEvent]:
    """Yield the events in order; received since yesterday 06:00 UTC, so that no day ends in between."""
    dice = random.Random(load.seed)
    begin_ms = (int(time.time() * 1000) // DAY_MS - 1) * DAY_MS + 6 * HOUR_MS
    users = [f"{dice.randrange(10**37, 10**38)}" for _ in range(load.users)]
    partners = [Partner(f"{dice.getrandbits(128):032x}", 353) for _ in range(load.users)]
    profiles = [[str(n) for n in dice.sample(range(12_000, 15_000), dice.randint(2, 18))] for _ in range(load.users)]
    for number, user in enumerate(_order(load, dice)):
        received_at = begin_ms + number * STEP_MS
        late_ms = HOUR_MS if number >= load.users and dice.random() < 0.1 else 0
        said = [
            SegmentStatus(
                segment_id,
                "INACTIVE" if dice.random() < 0.1 else "ACTIVE",
                received_at - late_ms - int(dice.random() * 60) * 1000,
            )
            for segment_id in profiles[user]
        ]
        yield SegmentEvent(
            client_id="74323", destination_id="423", aam_uuid=users[user], partner=partners[user], regions=[9, 4],
            segments=said, process_time=received_at - 1000, received_at=received_at, source="dev",
            origin=Origin("aam-posts", number % 4, number // 4, number % 10),
        )  # fmt: skip


def _order(load: Load, dice: random.Random) -> Iterator[int]:
    first = list(range(load.users))
    dice.shuffle(first)
    yield from first
    weights = list(accumulate((rank + 1) ** -ZIPF for rank in range(load.users)))
    for _ in range(load.extra):
        yield bisect(weights, dice.random() * weights[-1])
