"""Dead letters as they are listed, filtered and shown. Pure.

Source: interfaces, *Topics* (headers) and *What scripts read*.
"""

import base64
import re
from collections.abc import Mapping

import msgspec
from confluent_kafka import Message

from runtime.errors import ConfigurationError
from schemas.headers import CONTENT_ENCODING, header_text
from schemas.redriven import RedriveMark, Redriven, redriven_marks
from segwire.inspect.decoding import RawHeaders, raw_headers

NO_MARKS: Mapping[str, RedriveMark] = {}
_ID = re.compile(r"([0-9]{1,9})-([0-9]{1,18})")


class DeadLetter(msgspec.Struct, frozen=True):
    """What was set aside, and why; `id` is PARTITION-OFFSET in `dead-letters`, `at` epoch ms.

    `redriven` is how often its record had been sent again by then, `first` the letter of the first time (its own ID
    where there is no other); `redriven_at` is when this letter itself was redriven last, epoch ms.
    """

    id: str
    stage: str
    error: str
    reason: str
    source: str | None
    at: int
    redriven: int
    first: str
    redriven_at: int | None = None


class DeadLetterDetail(msgspec.Struct, frozen=True):
    """A dead letter with its original record: where it was, which user of it (0-based), its bytes in base64."""

    id: str
    stage: str
    error: str
    reason: str
    source: str | None
    at: int
    redriven: int
    first: str
    redriven_at: int | None
    topic: str | None
    partition: int | None
    offset: int | None
    user_index: int | None
    value: str | None


class Wanted(msgspec.Struct, frozen=True):
    """Which dead letters are wanted; None is any. `since_ms` in epoch ms."""

    stage: str | None = None
    error: str | None = None
    source: str | None = None
    since_ms: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Tell whether a dead letter is wanted."""
        return (
            self.stage in (None, letter.stage)
            and self.error in (None, letter.error)
            and self.source in (None, letter.source)
            and (self.since_ms is None or letter.at >= self.since_ms)
        )


def letter_id(message: Message) -> str:
    """Return the ID of a record of `dead-letters`."""
    return f"{message.partition()}-{message.offset()}"


def read_letter(message: Message, marks: Mapping[str, RedriveMark] = NO_MARKS) -> DeadLetter:
    """Return the summary of a record of `dead-letters`; `marks` are the last ones by the letters' IDs."""
    headers = raw_headers(message)
    name = letter_id(message)
    before = max(redriven_marks(headers), key=lambda mark: mark.count, default=Redriven(name, 0))
    mark = marks.get(name)
    return DeadLetter(
        id=name,
        stage=header_text(headers, "stage") or "unknown",
        error=header_text(headers, "error") or "unknown",
        reason=header_text(headers, "reason") or "",
        source=header_text(headers, "source"),
        at=message.timestamp()[1],
        redriven=before.count,
        first=before.letter,
        redriven_at=None if mark is None else mark.at,
    )


def read_detail(message: Message, marks: Mapping[str, RedriveMark] = NO_MARKS) -> DeadLetterDetail:
    """Return all of a record of `dead-letters`."""
    headers = raw_headers(message)
    value = message.value()
    return DeadLetterDetail(
        **msgspec.structs.asdict(read_letter(message, marks)),
        topic=header_text(headers, "topic"),
        partition=header_number(headers, "partition"),
        offset=header_number(headers, "offset"),
        user_index=header_number(headers, "user-index"),
        value=None if value is None else base64.b64encode(value).decode(),
    )


def content_encoding(message: Message) -> str | None:
    """Return how the original bytes are packed, where the letter says so."""
    return header_text(raw_headers(message), CONTENT_ENCODING)


def parse_id(text: str) -> tuple[int, int]:
    """Read a dead letter's ID as partition and offset.

    Raises:
        ConfigurationError: it is none.
    """
    found = _ID.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            f"{text!r} is no ID of a dead letter: they look like 3-1234 (`segwire dead-letters list` prints them)"
        )
    return int(found[1]), int(found[2])


def header_number(headers: RawHeaders, name: str) -> int | None:
    """Return a header's value as a number, None where it is absent or no number."""
    text = header_text(headers, name)
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
