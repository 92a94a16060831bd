"""The membership job on Quix Streams. Runs in its own environment: QUIX_JOB BROKER INPUT OUTPUT GROUP STATE COMMIT_MS.

One row per user in the state, with msgspec in place of the default serialiser, which is slower; the expanded rows go
out as (key, value) pairs.
"""

import sys
from typing import Any

import msgspec
from quixstreams import Application, State
from quixstreams.models.serializers import Serializer
from quixstreams.state.rocksdb import RocksDBOptions

BROKER, INPUT, OUTPUT, GROUP, STATE, COMMIT_MS = sys.argv[1:7]
Row = tuple[str, str]


class Second(Serializer):
    """Writes the value of a (key, value) pair."""

    def __call__(self, value: Row, ctx: object) -> bytes:  # noqa: ARG002
        """Return the bytes of the second."""
        return value[1].encode()


def apply(event: dict[str, Any], state: State) -> list[Row]:
    """Last writer wins per segment; a row for each segment whose status changed."""
    place = f"{event['client_id']}|{event['destination_id']}"
    known: dict[str, list[Any]] = state.get(place) or {}
    rows: list[Row] = []
    changed = False
    for said in event["segments"]:
        segment_id, status, verified_at = said["segment_id"], said["status"], said["verified_at"]
        before = known.get(segment_id)
        if before is None:
            version = 1
        elif verified_at > before[1] or (verified_at == before[1] and status > before[0]):
            version = before[2] + (status != before[0])
        else:
            continue
        known[segment_id] = [status, verified_at, version]
        changed = True
        if before is None or status != before[0]:
            key = f"{place}|{event['aam_uuid']}|{segment_id}"
            rows.append((key, f'{{"status":"{status}","verified_at":{verified_at},"version":{version}}}'))
    if changed:
        state.set(place, known)
    return rows


def main() -> None:
    app = Application(
        broker_address=BROKER,
        consumer_group=GROUP,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=int(COMMIT_MS) / 1000,
        state_dir=STATE,
        producer_extra_config={"compression.type": "lz4", "linger.ms": 20},
        loglevel="WARNING",
        rocksdb_options=RocksDBOptions(
            dumps=msgspec.msgpack.Encoder().encode, loads=msgspec.msgpack.Decoder().decode
        ),
    )  # fmt: skip
    source = app.topic(INPUT, value_deserializer="json", key_deserializer="str")
    target = app.topic(OUTPUT, value_serializer=Second(), key_serializer="str")
    rows = app.dataframe(source).apply(apply, stateful=True, expand=True)
    rows.to_topic(target, key=lambda row: row[0])
    app.run()


if __name__ == "__main__":
    main()
