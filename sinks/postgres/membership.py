"""The table `segment_membership`: the present row of each membership."""

from collections.abc import Sequence

from psycopg import Cursor

from runtime.processor import InputRecord
from schemas.avro_codec import AvroDecodeError, decode_key
from schemas.membership import SegmentMembershipKey
from sinks.postgres.copying import membership_tuple
from sinks.postgres.table import copy_tuples, time_of
from sinks.sink import Refusal

# The columns are those of `sinks.postgres.copying`.
_STAGE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_membership (
        client_id text, destination_id text, aam_uuid text, segment_id text, status text, since bigint,
        verified_at bigint, expires_at bigint, cause text, partners text, regions text, version bigint,
        source_offset bigint
    ) ON COMMIT DELETE ROWS
"""
_COPY = "COPY staged_membership FROM STDIN (FORMAT binary)"
_MERGE = f"""
    INSERT INTO segment_membership AS held (
        client_id, destination_id, aam_uuid, segment_id, status, since, verified_at, expires_at, cause, version,
        partners, regions, source_offset
    )
    SELECT client_id, destination_id, aam_uuid, segment_id, status, {time_of("since")}, {time_of("verified_at")},
        {time_of("expires_at")}, cause, version, partners::jsonb, regions::jsonb, source_offset
    FROM staged_membership
    ON CONFLICT (client_id, destination_id, aam_uuid, segment_id) DO UPDATE SET
        status = excluded.status, since = excluded.since, verified_at = excluded.verified_at,
        expires_at = excluded.expires_at, cause = excluded.cause, version = excluded.version,
        partners = excluded.partners, regions = excluded.regions, source_offset = excluded.source_offset
    WHERE held.version < excluded.version
"""  # noqa: S608 - every part is written here
# A tombstone has no version; a row that came after it is of a later membership.
_DELETE = """
    DELETE FROM segment_membership AS held
    USING unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
        AS gone (client_id, destination_id, aam_uuid, segment_id, source_offset)
    WHERE held.client_id = gone.client_id AND held.destination_id = gone.destination_id
        AND held.aam_uuid = gone.aam_uuid AND held.segment_id = gone.segment_id
        AND held.source_offset < gone.source_offset
"""


class MembershipTable:
    """Writes `segment-membership`: newer rows replace older ones, tombstones delete."""

    def write(self, cursor: Cursor, records: Sequence[InputRecord]) -> list[Refusal]:
        """Write the last record of each membership, as `Table` says."""
        refusals: list[Refusal] = []
        rows: dict[bytes, bytes] = {}
        gone: dict[bytes, tuple[SegmentMembershipKey, int]] = {}
        for record in records:
            key = record.key or b""
            try:
                if record.value is None:
                    gone[key] = decode_key(key), record.offset
                    rows.pop(key, None)
                else:
                    rows[key] = membership_tuple(record.value, record.offset)
                    gone.pop(key, None)
            except AvroDecodeError as error:
                refusals.append(Refusal(record, "not-a-membership", str(error)))
        if rows:
            cursor.execute(_STAGE)
            copy_tuples(cursor, _COPY, rows.values())
            cursor.execute(_MERGE)
        if gone:
            keys = [(*_fields(key), offset) for key, offset in gone.values()]
            cursor.execute(_DELETE, [list(column) for column in zip(*keys, strict=True)])
        return refusals


def _fields(key: SegmentMembershipKey) -> tuple[str, str, str, str]:
    return key.client_id, key.destination_id, key.aam_uuid, key.segment_id
