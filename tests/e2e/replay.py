"""Prints a digest of what the membership processor makes of made-up events, and the PostgreSQL sink of that.

And whether both are compiled. Run by the interpreter of whichever installation is to be looked at; needs nothing else
from the tests.
"""

import hashlib
import random
import sys
from collections.abc import Iterator, Sequence
from typing import Any, cast

from processors import membership as module
from processors.membership import Membership, user_codec
from processors.rules.expiry import DAY_MS, TimeLimits
from processors.rules.state import UserState
from runtime.clock import SystemClock
from runtime.processor import InputRecord, OutputRecord
from runtime.state.keys import split_data_key
from runtime.state.store import Timer
from runtime.state.table import StateTable
from schemas.avro_codec import AvroDecodeError
from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus, encode_event
from schemas.privacy import PrivacyRequest, encode_privacy_request
from schemas.topics import TopicNames
from sinks.postgres import copying

NAMES = TopicNames()
BEGIN_MS = 20_000 * DAY_MS
DAYS = 40
LIMITS = TimeLimits(default_ttl_days=3, ttl_days={"1": 0, "2": 30}, inactivity_days=9, tombstone_after_days=2)


class Entries:
    """In the place of the store."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}
        self.timers: dict[bytes, int] = {}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    def due(self, partition: int, now_ms: int) -> Iterator[Timer]:
        for key, due_ms in sorted(self.timers.items(), key=lambda timer: (timer[1], timer[0])):
            if split_data_key(key)[0] == partition and due_ms <= now_ms:
                yield Timer(due_ms, key)


def _value(dice: random.Random, number: int, day: int) -> bytes:
    user = f"{dice.randrange(60):038d}"
    received_at = BEGIN_MS + day * DAY_MS + number * 1000
    if dice.random() < 0.02:
        return encode_privacy_request(PrivacyRequest(aam_uuid=user, requested_at=received_at, request_id="r"))
    back_ms = [0, 1000, DAY_MS, 5 * DAY_MS]
    said = [
        SegmentStatus(str(dice.randrange(9)), dice.choice(["ACTIVE", "ACTIVE", "INACTIVE"]), received_at - back)
        for back in dice.choices(back_ms, k=dice.randrange(7))
    ]
    return encode_event(
        SegmentEvent(
            client_id="74323", destination_id=dice.choice(["", "423", "ü"]), aam_uuid=user,
            partner=dice.choice([None, Partner("a", 7), Partner(f"{dice.randrange(9)}", None)]),
            regions=dice.choice([[], [9], [4, -6]]), segments=said, process_time=None, received_at=received_at,
            source="dev", origin=Origin("aam-posts", number % 4, 1000 * day + number, number % 3),
        )
    )  # fmt: skip


def _copied(output: OutputRecord, dice: random.Random) -> bytes:
    """Return what the database is sent of a record that was published, or of a damaged one."""
    value = output.value
    if value is None or output.topic not in (NAMES.segment_membership, NAMES.segment_membership_changes):
        return b""
    if dice.random() < 0.1:
        at = dice.randrange(len(value))
        value = value[:at] + dice.randbytes(dice.randrange(2)) + value[at + 1 :]
    try:
        if output.topic == NAMES.segment_membership:
            return copying.membership_tuple(value, dice.randrange(1 << 40))
        return copying.change_tuple(value)
    except AvroDecodeError:
        return b"refused"


def main() -> None:
    """Run forty days of random events, with timers and a commit each day."""
    dice, damage, store, digest, offset = random.Random(11), random.Random(12), Entries(), hashlib.sha256(), 0
    table: StateTable[UserState] = StateTable(cast("Any", store), user_codec(LIMITS))
    processor = Membership(NAMES, LIMITS, table, SystemClock())
    for day in range(DAYS):
        values = [b"no event" if dice.random() < 0.01 else _value(dice, number, day) for number in range(250)]
        records = [InputRecord(0, offset + number, b"k", value, None, 0) for number, value in enumerate(values)]
        offset += len(records)
        told = [*processor.process(records), *processor.punctuate(BEGIN_MS + (day + 1) * DAY_MS, [0])]
        for output in told:
            digest.update(repr((output.topic, output.partition, output.key, output.value)).encode())
            digest.update(_copied(output, damage))
        for record in sorted(table.changelog()):
            key = b"u\0\0" + record.key
            digest.update(repr(tuple(record)).encode())
            table.load([key])
            store.entries[key], store.timers[key] = record.value, table[key].due_at
        table.drop()
    interpreted = [(each.__file__ or "").endswith(".py") for each in (module, copying)]
    built = "python" if all(interpreted) else "half" if any(interpreted) else "compiled"
    sys.stdout.write(f"{digest.hexdigest()} {built}\n")


if __name__ == "__main__":
    main()
