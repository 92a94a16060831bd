"""What a dead letter is sent again as. Pure. Source: ADR 10."""

from collections.abc import Sequence

from confluent_kafka import Message

from runtime.processor import OutputRecord, RecordHeaders
from schemas.headers import CONTENT_TYPE, RECEIVED_AT_MS, REDRIVEN, SOURCE, header_text
from schemas.partitioning import partition_of
from schemas.post import MalformedPost
from schemas.post_reading import parse_post
from schemas.redriven import RedriveMark, encode_mark, redriven_header
from schemas.requests import OF_A_REQUEST, REDRIVE, request_headers, request_origin
from schemas.topics import TopicNames
from segwire.inspect.dead_letters import header_number
from segwire.inspect.decoding import RawHeaders, raw_headers
from segwire.redrive.plan import Send, sink_of

_OF_THE_LETTER = frozenset(
    {"stage", "error", "reason", "source", "topic", "partition", "offset", "user-index", REDRIVEN}
)


def redriven_records(names: TopicNames, partitions: int, message: Message, send: Send) -> list[OutputRecord]:
    """Make the record that goes where the original one came from; `partitions` is how many a user-keyed topic has.

    What it was received as stays what it was: its headers, its key, its bytes and when it was received. Of a message
    to a partner each user is sent again as the user is by then, so a request goes to the partition of each.
    """
    headers = raw_headers(message)
    stage, key, value = send.letters[0].stage, message.key(), message.value()
    kept = _kept(headers, message.timestamp()[1])
    kept.append(redriven_header(list(send.marks)))
    sink = sink_of(stage)
    if sink is not None:
        users = _users(value) if header_text(headers, CONTENT_TYPE) is not None else []
        return _requests_by_user(names, partitions, users, sink, send) or [_request(names, message, sink, kept)]
    topic = {"membership": names.segment_events, "identity": names.identity}.get(stage, names.aam_posts)
    return [OutputRecord(topic, -1, key, value, kept)]


def mark_records(names: TopicNames, send: Send, now_ms: int) -> list[OutputRecord]:
    """Make the marks of the letters that a record stands for."""
    marks = [
        RedriveMark(letter.id, mark.letter, mark.count, now_ms)
        for letter, mark in zip(send.letters, send.marks, strict=True)
    ]
    return [OutputRecord(names.redrive_marks, -1, mark.letter.encode(), encode_mark(mark)) for mark in marks]


def _kept(headers: RawHeaders, at_ms: int) -> RecordHeaders:
    kept = [
        (name, value if isinstance(value, bytes) else value.encode())
        for name, value in headers
        if name not in _OF_THE_LETTER and name not in OF_A_REQUEST and value is not None
    ]
    source = header_text(headers, "source")
    if source is not None and header_text(headers, SOURCE) is None:
        kept.append((SOURCE, source.encode()))
    if header_text(headers, RECEIVED_AT_MS) is None:
        kept.append((RECEIVED_AT_MS, b"%d" % at_ms))
    return kept


def _users(body: bytes | None) -> list[str]:
    """Return the users of a message to a partner, each once; none where it is no message."""
    try:
        return list(dict.fromkeys(user.aam_uuid for user in parse_post(body or b"").users))
    except MalformedPost:
        return []


def _requests_by_user(
    names: TopicNames, partitions: int, users: Sequence[str], sink: str, send: Send
) -> list[OutputRecord]:  # fmt: skip
    headers = [*request_headers(sink, REDRIVE), redriven_header(list(send.marks))]
    return [
        OutputRecord(names.sink_requests, partition_of(user, partitions), user.encode(), None, headers)
        for user in users
    ]


def _request(names: TopicNames, message: Message, sink: str, kept: RecordHeaders) -> OutputRecord:
    headers = raw_headers(message)
    partition = header_number(headers, "partition")
    asked_of = (header_text(headers, "topic") or "", partition or 0, header_number(headers, "offset") or 0)
    # A request that could not be processed: what it asked for is asked for again.
    where = request_origin(headers) or asked_of
    return OutputRecord(
        names.sink_requests, -1 if partition is None else partition, message.key(), message.value(),
        [*request_headers(sink, REDRIVE, where), *kept],
    )  # fmt: skip
