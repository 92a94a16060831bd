"""Compares what was published with what a reader of the specification expects of the same input."""

import json
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Message

from schemas.avro_codec import decode_change, decode_key, decode_membership
from schemas.event import Origin, SegmentEvent, decode_event
from schemas.membership import SegmentMembership
from schemas.privacy import PrivacyRequest
from tests.chaos.traffic import DAY_MS, INACTIVITY_DAYS, SEGMENT_TTL_DAYS, TOMBSTONE_AFTER_DAYS, TTL_DAYS
from tests.support.oracle import Key, Oracle, Row, User, change_of, changes_by_key, row_of
from tests.support.processors import Pipeline

SHOWN = 5


class Verdict(NamedTuple):
    """What a run ended with; `differences` is empty where all is as it should be."""

    events: int
    rows: int
    changes: int
    differences: list[str]


class _Grave(NamedTuple):
    """The rows of a removed user, and when they are deleted."""

    at_ms: int
    keys: frozenset[Key]


class RemovalOracle(Oracle):
    """Hears requests for removals, too, and knows of tombstones. Source: wire format, section 3 (d).

    `published` holds what each key's rows are, in order: None is a tombstone.
    """

    def __init__(self, *, default_ttl_days: int, inactivity_days: int, ttl_days: Mapping[str, int]) -> None:
        super().__init__(
            default_ttl_days=default_ttl_days, inactivity_days=inactivity_days, ttl_days=ttl_days
        )  # fmt: skip
        self.published: dict[Key, list[Row | None]] = {}
        self._graves: dict[str, _Grave] = {}

    def pass_time(self, aam_uuid: str, now_ms: int) -> None:
        """Let rows be deleted in their turn: a removal before that puts it off."""
        while (grave := self._graves.get(aam_uuid)) is not None and grave.at_ms <= now_ms:
            super().pass_time(aam_uuid, grave.at_ms)
            if self._graves[aam_uuid] == grave:
                del self._graves[aam_uuid]
                for key in grave.keys - self._users[aam_uuid].memberships.keys():
                    self.published[key].append(None)
        super().pass_time(aam_uuid, now_ms)
        if (grave := self._graves.get(aam_uuid)) is not None and grave.at_ms <= now_ms:
            self.pass_time(aam_uuid, now_ms)

    def hear_request(self, request: PrivacyRequest, origin: Origin) -> None:
        self.pass_time(request.aam_uuid, request.requested_at)
        user = self._users[request.aam_uuid]
        if user.removed_at is not None and request.requested_at <= user.removed_at:
            return
        at_ms = request.requested_at
        for key, known in user.memberships.items():
            if known.status == "ACTIVE":
                known.origin = origin
                self._turn(user, key, "PRIVACY", since=at_ms, changed_at=at_ms)
            known.since = at_ms
            self._publish(user, key, "PRIVACY")
        self._dig(user, at_ms)
        user.memberships, user.partners, user.regions, user.seen = {}, [], (), None
        user.removed_at = at_ms

    def _remove(self, user: User, at_ms: int) -> None:
        self._dig(user, at_ms)
        super()._remove(user, at_ms)

    def _dig(self, user: User, at_ms: int) -> None:
        """All rows that are not deleted yet are to be, a while after the latest removal."""
        aam_uuid = next(known for known, at in self._users.items() if at is user)
        before = self._graves.get(aam_uuid)
        keys = frozenset(user.memberships) | (before.keys if before is not None else frozenset())
        if keys:
            self._graves[aam_uuid] = _Grave(at_ms + TOMBSTONE_AFTER_DAYS * DAY_MS, keys)

    def _publish(self, user: User, key: Key, cause: str) -> None:
        super()._publish(user, key, cause)
        self.published.setdefault(key, []).append(self.rows[-1])


def expect(messages: Sequence[Message]) -> RemovalOracle:
    """Tell the oracle the input in the order of each partition, and then what time it is."""
    oracle = RemovalOracle(default_ttl_days=TTL_DAYS, inactivity_days=INACTIVITY_DAYS, ttl_days=SEGMENT_TTL_DAYS)
    users: dict[str, None] = {}
    for message in messages:
        event = decode_event(bytes(message.value() or b""))
        assert event is not None
        users[event.aam_uuid] = None
        if isinstance(event, SegmentEvent):
            oracle.hear(event)
        else:
            where = Origin(str(message.topic()), message.partition() or 0, message.offset() or 0, 0)
            oracle.hear_request(event, where)
    now_ms = time.time_ns() // 1_000_000
    for aam_uuid in users:
        oracle.pass_time(aam_uuid, now_ms)
    return oracle


def judge(pipeline: Pipeline) -> Verdict:
    """Read everything, and compare it."""
    messages = pipeline.read(pipeline.names.segment_events)
    oracle = expect(messages)
    published = published_by_key(pipeline.read(pipeline.names.segment_membership))
    rows = [row for of_key in published.values() for row in of_key if row is not None]
    changes = [decode_change(bytes(m.value() or b"")) for m in pipeline.read(pipeline.names.segment_membership_changes)]
    differences = [
        *_differences("changes", changes_by_key(oracle.changes), changes_by_key(map(change_of, changes))),
        *_differences("rows", oracle.published, {key: list(map(_row_of, rows)) for key, rows in published.items()}),
        *_unsorted("changes", [(tuple(row_of(change).key), change.version) for change in changes]),
        *_unsorted("rows", [(tuple(row_of(row).key), row.version) for row in rows]),
        *_dead(pipeline),
    ]
    return Verdict(len(messages), len(rows), len(changes), differences)


def published_by_key(messages: Sequence[Message]) -> dict[Key, list[SegmentMembership | None]]:
    """Return the rows of each key in order, None for a tombstone."""
    found: dict[Key, list[SegmentMembership | None]] = {}
    for message in messages:
        key, value = decode_key(bytes(message.key() or b"")), message.value()
        where = Key(key.client_id, key.destination_id, key.aam_uuid, key.segment_id)
        found.setdefault(where, []).append(None if value is None else decode_membership(bytes(value)))
    return found


def _row_of(published: SegmentMembership | None) -> Row | None:
    return None if published is None else row_of(published)


def _differences(what: str, wanted: Mapping[Any, list[Any]], found: Mapping[Any, list[Any]]) -> list[str]:
    told = []
    for key in sorted({*wanted, *found}):
        expected, got = wanted.get(key, []), found.get(key, [])
        if expected == got:
            continue
        at = next((n for n, pair in enumerate(zip(expected, got, strict=False)) if pair[0] != pair[1]), None)
        place = min(len(expected), len(got)) if at is None else at
        told.append(
            f"{what} of {tuple(key)}: {len(expected)} wanted, {len(got)} found; number {place}:\n"
            f"    wanted {_shown(expected, place)}\n    found  {_shown(got, place)}"
        )
    return told


def _shown(items: list[Any], place: int) -> str:
    if place >= len(items):
        return "nothing more"
    return json.dumps(msgspec.to_builtins(items[place]))


def _unsorted(what: str, versions: list[tuple[tuple[str, ...], int]]) -> list[str]:
    by_key: dict[tuple[str, ...], list[int]] = {}
    for key, version in versions:
        by_key.setdefault(key, []).append(version)
    return [
        f"{what} of {key}: version {later} follows {earlier}"
        for key, of_key in by_key.items()
        for earlier, later in pairwise(of_key)
        if later <= earlier
    ]


def _dead(pipeline: Pipeline) -> list[str]:
    return [f"a dead letter: {m.headers()}" for m in pipeline.read(pipeline.names.dead_letters)[:SHOWN]]
