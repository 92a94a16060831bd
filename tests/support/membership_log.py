"""Rows and changes without end, as the membership processor publishes them, and what a database must hold of them."""

import json
import random
import threading
from typing import Any

from confluent_kafka import Message, Producer

from schemas.avro_codec import AvroDecodeError, decode_change, decode_membership, encode_change, encode_key
from schemas.avro_codec import encode_membership as encode_row
from schemas.event import Partner, Status
from schemas.membership import Previous
from schemas.partitioning import partition_of
from schemas.topics import TopicNames
from tests.support.kafka import LIMIT_S
from tests.support.published import ENTERED_MS, change, key, row

ROW_COLUMNS = (
    "client_id", "destination_id", "aam_uuid", "segment_id", "status", "since", "verified_at", "expires_at", "cause",
    "version", "partners::text", "regions::text",
)  # fmt: skip
CHANGE_COLUMNS = ("aam_uuid", "segment_id", "version", "change", "cause", "changed_at", "previous_status")
NUL_PARTNER = Partner("a\0b", 12345)
NO_AVRO = b"no Avro"

Origin = tuple[bytes, int, int]


class MembershipLog:
    """Writes to both topics. A few records are bad: a partner ID that PostgreSQL cannot hold, and no Avro at all."""

    def __init__(self, servers: str, names: TopicNames, partitions: int, seed: int) -> None:
        self._names = names
        self._partitions = partitions
        self._chance = random.Random(seed)
        self._versions: dict[str, int] = {}
        self._status: dict[tuple[str, str], Status] = {}
        self._producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 5})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def write(self, count: int) -> None:
        for _ in range(count):
            self._one()
        assert self._producer.flush(LIMIT_S) == 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.write(10)

    def _one(self) -> None:
        chance = self._chance
        user, segment = f"{chance.randint(1, 300):038d}", str(chance.randint(1, 4))
        version = self._versions[user] = self._versions.get(user, ENTERED_MS) + chance.randint(1, 5)
        before = self._status.get((user, segment))
        if before == "INACTIVE" and chance.random() < 0.3:
            self._put(self._names.segment_membership, user, self._key(user, segment), None)
            del self._status[user, segment]
            return
        status: Status = "INACTIVE" if before == "ACTIVE" and chance.random() < 0.5 else "ACTIVE"
        is_bad = chance.random() < 0.005
        fields: dict[str, Any] = {
            "aam_uuid": user, "segment_id": segment, "version": version, "status": status,
            "since": version, "expires_at": version + 5 if status == "ACTIVE" else None,
            "cause": "QUALIFIED" if status == "ACTIVE" else "EXPIRED",
            "partners": [NUL_PARTNER] if is_bad else [Partner("4250948725049857", 12345)],
        }  # fmt: skip
        self._put(self._names.segment_membership, user, self._key(user, segment), encode_row(row(**fields)))
        previous = None if before is None else Previous(before, version - 1)
        entered = "EXITED" if status == "INACTIVE" else "ENTERED"
        fields |= {"change": entered, "changed_at": version, "previous": previous}
        value = NO_AVRO if is_bad else encode_change(change(**fields))
        self._put(self._names.segment_membership_changes, user, user.encode(), value)
        self._status[user, segment] = status

    def _key(self, user: str, segment: str) -> bytes:
        return encode_key(key(aam_uuid=user, segment_id=segment))

    def _put(self, topic: str, user: str, record_key: bytes, value: bytes | None) -> None:
        self._producer.produce(topic, value, record_key, partition_of(user, self._partitions))
        self._producer.poll(0)


def expected_rows(messages: list[Message]) -> list[tuple[Any, ...]]:
    """Return what the table must hold: the last record of each key that it can."""
    found: dict[bytes, tuple[Any, ...] | None] = {}
    for message in messages:
        value = message.value()
        if value is None:
            found[message.key() or b""] = None
            continue
        held = decode_membership(value)
        if held.partners == [NUL_PARTNER]:
            continue
        partners = [{"dpid": partner.dpid, "uuid": partner.uuid} for partner in held.partners]
        found[message.key() or b""] = (
            held.client_id, held.destination_id, held.aam_uuid, held.segment_id, held.status, held.since,
            held.verified_at, held.expires_at, held.cause, held.version, json.dumps(partners), json.dumps(held.regions),
        )  # fmt: skip
    return sorted((values for values in found.values() if values is not None), key=repr)


def expected_changes(messages: list[Message]) -> list[tuple[Any, ...]]:
    found = []
    for message in messages:
        try:
            held = decode_change(message.value() or b"")
        except AvroDecodeError:
            continue
        before = None if held.previous is None else held.previous.status
        found.append((held.aam_uuid, held.segment_id, held.version, held.change, held.cause, held.changed_at, before))
    return sorted(found, key=repr)


def refused_rows(messages: list[Message]) -> tuple[set[Origin], set[Origin]]:
    """Return the bad rows, and those among them after which nothing else came."""
    bad, last = set(), {}
    for message in messages:
        value = message.value()
        is_bad = value is not None and decode_membership(value).partners == [NUL_PARTNER]
        if is_bad:
            bad.add(origin_of(message))
        last[message.key()] = origin_of(message) if is_bad else None
    return bad, {origin for origin in last.values() if origin is not None}


def refused_changes(messages: list[Message]) -> set[Origin]:
    """Return the bad changes."""
    return {origin_of(message) for message in messages if message.value() == NO_AVRO}


def origin_of(message: Message) -> Origin:
    return (message.topic() or "").encode(), message.partition() or 0, message.offset() or 0


def header_bytes(message: Message) -> dict[str, bytes]:
    return {header[0]: header[1] for header in message.headers() or [] if isinstance(header[1], bytes)}
