"""What the headers of each topic's records say. Source: interfaces, *Topics*."""

from collections.abc import Mapping

from schemas.headers import CONTENT_ENCODING, CONTENT_TYPE, RECEIVED_AT_MS, REDRIVEN, REQUEST_ID, SOURCE, TRACEPARENT
from schemas.topics import AAM_POSTS, DEAD_LETTERS, SEGMENT_EVENTS, SEGMENT_MEMBERSHIP, SEGMENT_MEMBERSHIP_CHANGES

Described = tuple[tuple[str, str], ...]

_SOURCE = (SOURCE, "The sending account, as configured.")
_RECEIVED = (RECEIVED_AT_MS, "When the message was received, epoch ms as decimal digits.")
_REQUEST = (REQUEST_ID, "The request's ID, as answered and logged.")
_TYPE = (CONTENT_TYPE, "The body's media type, as sent.")
_ENCODING = (CONTENT_ENCODING, "gzip where the body is compressed, as sent.")
_TRACE = (TRACEPARENT, "W3C trace context, where the request had one, or the message is traced.")
_TRACED = (TRACEPARENT, "W3C trace context of what led to this record, where that is traced.")
_REDRIVEN = (REDRIVEN, "Where a dead letter was redriven: its first ID and how often it was sent again, JSON.")

HEADERS: Mapping[str, Described] = {
    AAM_POSTS.name: (_SOURCE, _RECEIVED, _REQUEST, _TYPE, _ENCODING, _TRACE, _REDRIVEN),
    SEGMENT_EVENTS.name: (_SOURCE, _RECEIVED, _TRACE, _REDRIVEN),
    SEGMENT_MEMBERSHIP.name: (_TRACED,),
    SEGMENT_MEMBERSHIP_CHANGES.name: (_TRACED,),
    DEAD_LETTERS.name: (
        ("stage", "Who set it aside: ingest, fan-out, membership or sink:NAME."),
        ("error", "The stable class of the error."),
        ("reason", "What was wrong, for a person."),
        ("source", "The sending account, where it is known."),
        ("topic", "The topic of the original record; absent where there was none yet."),
        ("partition", "Its partition, decimal digits."),
        ("offset", "Its offset, decimal digits."),
        ("user-index", "The 0-based position of the user in the message; absent for the whole message."),
        _RECEIVED,
        _REQUEST,
        _TYPE,
        _ENCODING,
        _TRACE,
        _REDRIVEN,
    ),
}
