"""The JSON Schema of `SegmentEvent`, made from the type that is encoded.

The file `schemas/json/segment-event.schema.json` is for readers in other languages; a test holds it to the type.
`python -m schemas.json_schema > schemas/json/segment-event.schema.json` writes it anew.
"""

import json
import sys
from typing import Any

import msgspec

from schemas.event import SegmentEvent

SCHEMA_ID = "urn:segwire:segment-event"

_DESCRIPTIONS = {
    "SegmentEvent": {
        "kind": "What the event says. Skip events of a kind that you do not know.",
        "client_id": "The target account in the destination platform.",
        "destination_id": "The sender's destination object; empty where the message named none.",
        "aam_uuid": "The user, digit for digit as sent; the key of the record.",
        "partner": "The partner's ID of the user; null where none was sent, or an all-zero one.",
        "regions": "Regions in which the user's device was seen.",
        "segments": "What the message says of each segment, in its order; empty: the user was seen.",
        "process_time": "When the sender executed the request, epoch ms; null where it did not say.",
        "received_at": "When the message was received, epoch ms.",
        "source": "The sending account as configured.",
        "origin": "The record of aam-posts that held the message.",
    },
    "SegmentStatus": {
        "segment_id": "The segment as mapped for the destination; opaque.",
        "status": "Whether the user is in the segment.",
        "verified_at": "When the sender last verified it, epoch ms.",
    },
    "Partner": {
        "uuid": "The ID itself; opaque.",
        "dpid": "The data source (ID namespace); null where the message named none.",
    },
    "Origin": {
        "topic": "Its topic.",
        "partition": "Its partition.",
        "offset": "Its offset.",
        "index": "The 0-based position of the user in the message.",
    },
}


def segment_event_schema() -> dict[str, Any]:
    """Return the JSON Schema of an event as it is written: every field is present.

    Unknown fields are allowed: later versions add some.
    """
    (reference,), components = msgspec.json.schema_components([SegmentEvent], ref_template="#/$defs/{name}")
    for name, component in components.items():
        component["description"] = component["description"].split("\n\n")[0]
        component["required"] = list(component["properties"])
        for field, schema in component["properties"].items():
            schema.pop("default", None)
            component["properties"][field] = {**schema, "description": _DESCRIPTIONS[name][field]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "SegmentEvent",
        **reference,
        "$defs": dict(sorted(components.items())),
    }


def segment_event_schema_text() -> str:
    """Return the text of `schemas/json/segment-event.schema.json`."""
    return json.dumps(segment_event_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(segment_event_schema_text())
