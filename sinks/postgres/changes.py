"""The table `segment_membership_change`: every entry and exit, only ever added to."""

from collections.abc import Iterator, Sequence

from psycopg import Cursor

from runtime.processor import InputRecord
from schemas.avro_codec import AvroDecodeError
from sinks.postgres.copying import change_tuple
from sinks.postgres.table import copy_tuples, time_of
from sinks.sink import Refusal

# The columns are those of `sinks.postgres.copying`.
_STAGE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_change (
        client_id text, destination_id text, aam_uuid text, segment_id text, status text, since bigint,
        verified_at bigint, expires_at bigint, cause text, partners text, regions text, version bigint, change text,
        previous_status text, previous_since bigint, changed_at bigint, origin_topic text, origin_partition integer,
        origin_offset bigint, origin_index integer
    ) ON COMMIT DELETE ROWS
"""
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
        cursor.execute(_STAGE)
        copy_tuples(cursor, _COPY, _tuples(records, refusals))
        cursor.execute(_MERGE)
        return refusals


def _tuples(records: Sequence[InputRecord], refusals: list[Refusal]) -> Iterator[bytes]:
    for record in records:
        try:
            yield change_tuple(record.value or b"")
        except AvroDecodeError as error:
            refusals.append(Refusal(record, "not-a-change", str(error)))
