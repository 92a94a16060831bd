"""The table `segment_membership_change`: every entry and exit, only ever added to."""

from collections.abc import Sequence

from psycopg import Cursor

from runtime.processor import InputRecord
from schemas.avro_codec import AvroDecodeError, decode_change
from schemas.membership import SegmentMembershipChange
from sinks.postgres.table import JSON, NUMBER, SMALL_NUMBER, TEXT, as_json, time_of
from sinks.sink import Refusal

_STAGE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_change (
        client_id text, destination_id text, aam_uuid text, segment_id text, version bigint, change text,
        changed_at bigint, cause text, status text, since bigint, verified_at bigint, expires_at bigint,
        previous_status text, previous_since bigint, partners text, regions text, origin_topic text,
        origin_partition integer, origin_offset bigint, origin_index integer
    ) ON COMMIT DELETE ROWS
"""
_TYPES = [
    *[TEXT] * 4, NUMBER, TEXT, NUMBER, TEXT, TEXT, NUMBER, NUMBER, NUMBER, TEXT, NUMBER, JSON, JSON, TEXT, SMALL_NUMBER,
    NUMBER, SMALL_NUMBER,
]  # fmt: skip
_COPY = "COPY staged_change FROM STDIN (FORMAT binary)"
_MERGE = f"""
    INSERT INTO segment_membership_change (
        client_id, destination_id, aam_uuid, segment_id, version, change, changed_at, cause, status, since, verified_at,
        expires_at, previous_status, previous_since, partners, regions, origin_topic, origin_partition, origin_offset,
        origin_index
    )
    SELECT client_id, destination_id, aam_uuid, segment_id, version, change, {time_of("changed_at")}, cause, status,
        {time_of("since")}, {time_of("verified_at")}, {time_of("expires_at")}, previous_status,
        {time_of("previous_since")}, partners::jsonb, regions::jsonb, origin_topic, origin_partition, origin_offset,
        origin_index
    FROM staged_change
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - every part is written here


class ChangeTable:
    """Writes `segment-membership-changes`; the same change twice is one row."""

    def write(self, cursor: Cursor, records: Sequence[InputRecord]) -> list[Refusal]:
        """Add the changes, as `Table` says."""
        refusals: list[Refusal] = []
        rows: list[tuple[object, ...]] = []
        for record in records:
            try:
                rows.append(_staged(decode_change(record.value or b"")))
            except AvroDecodeError as error:
                refusals.append(Refusal(record, "not-a-change", str(error)))
        if rows:
            cursor.execute(_STAGE)
            with cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_MERGE)
        return refusals


def _staged(change: SegmentMembershipChange) -> tuple[object, ...]:
    previous, origin = change.previous, change.origin
    return (
        change.client_id, change.destination_id, change.aam_uuid, change.segment_id, change.version, change.change,
        change.changed_at, change.cause, change.status, change.since, change.verified_at, change.expires_at,
        previous and previous.status, previous and previous.since, as_json(change.partners), as_json(change.regions),
        origin.topic, origin.partition, origin.offset, origin.index,
    )  # fmt: skip
