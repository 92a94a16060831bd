"""Messages for tests: a good one, and what is to be different about it."""

import json
from typing import Any

WHEN = "Wed Jul 27 16:17:22 UTC 2016"
WHEN_MS = 1_469_636_242_000


def segment(segment_id: Any = "14356", status: Any = "1", when: Any = WHEN) -> dict[str, Any]:
    """Return an entry of `Segments`."""
    return {"Segment_ID": segment_id, "Status": status, "DateTime": when}


def user(aam_uuid: Any = "19393572368547369350319949416899715727", **fields: Any) -> dict[str, Any]:
    """Return an entry of `Users` with one segment; `fields` replace or add."""
    return {"AAM_UUID": aam_uuid, "Segments": [segment()], **fields}


def message(*users: Any, **fields: Any) -> dict[str, Any]:
    """Return a message of `users`; `fields` replace or add."""
    return {"Client_ID": "74323", "AAM_Destination_Id": "423", "Users": list(users), **fields}


def body(*users: Any, **fields: Any) -> bytes:
    """Return the bytes of `message`."""
    return json.dumps(message(*users, **fields)).encode()


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """Return `fields` without the one called `name`."""
    return {key: value for key, value in fields.items() if key != name}
