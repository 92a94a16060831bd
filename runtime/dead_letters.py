"""How what cannot be processed is set aside: the original bytes, and in the headers where it came from and why."""

from runtime.processor import OutputRecord, RecordHeaders
from schemas.redriven import RawHeaders, carried_header

REASON_MAX_CHARS = 500


def dead_letter(
    topic: str, *, stage: str, error: str, reason: str, source: str | None, key: bytes | None, value: bytes | None,
    origin: tuple[str, int, int] | None, user_index: int | None = None, passed_on: RecordHeaders | None = None,
    original: RawHeaders | None = None,
) -> OutputRecord:  # fmt: skip
    """Make the record for the topic `dead-letters`. Source: interfaces, *Topics*.

    Args:
        topic: the dead-letter topic's name.
        stage: `ingest`, `fan-out`, `membership` or `sink:NAME`.
        error: the stable class of the error.
        reason: for a person.
        source: the sending account, where it is known.
        key: the original record's.
        value: the original bytes.
        origin: topic, partition and offset of the original record; None before there was one.
        user_index: 0-based position of the user in the message; None for the whole message.
        passed_on: headers of the original that a later reading of the bytes needs.
        original: every header of the original, for its mark: one that was redriven stays marked.
    """
    headers: RecordHeaders = [
        ("stage", stage.encode()),
        ("error", error.encode()),
        ("reason", reason[:REASON_MAX_CHARS].encode("utf-8", "replace")),
    ]
    if source is not None:
        headers.append(("source", source.encode()))
    if origin is not None:
        name, partition, offset = origin
        headers += [("topic", name.encode()), ("partition", b"%d" % partition), ("offset", b"%d" % offset)]
    if user_index is not None:
        headers.append(("user-index", b"%d" % user_index))
    return OutputRecord(topic, -1, key, value, headers + (passed_on or []) + carried_header(original, user_index))
