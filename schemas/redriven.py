"""How a record that was redriven is told from others: which dead letter it was first, and how often it was sent again.

The mark travels in the header `segwire-redriven` from a dead letter to the record that is made of it, and from a record
that fails again to its new dead letter: so that nothing goes round and round.
"""

import msgspec

from schemas.headers import REDRIVEN, header_text

RawHeaders = list[tuple[str, bytes | str | None]]


class Redriven(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One dead letter behind a record: the ID of the first one, and how often its record was sent again since.

    `user_index` is the 0-based position of the user whom it set aside, None for the whole record.
    """

    letter: str
    count: int
    user_index: int | None = None


class RedriveMark(msgspec.Struct, frozen=True, gc=False):
    """A dead letter was redriven: value of the topic `redrive-marks`.

    `at` is epoch ms, `first` the ID of the letter that its record was set aside with first, `count` how often it was
    sent again by now.
    """

    letter: str
    first: str
    count: int
    at: int


_encoder = msgspec.json.Encoder()
_mark_decoder = msgspec.json.Decoder(RedriveMark)
_decoder = msgspec.json.Decoder(list[Redriven])


def redriven_header(marks: list[Redriven]) -> tuple[str, bytes]:
    """Return the header that marks a record."""
    return REDRIVEN, _encoder.encode(marks)


def redriven_marks(headers: RawHeaders | None) -> list[Redriven]:
    """Return the marks of a record, none where it was never redriven or the header cannot be read."""
    text = header_text(headers, REDRIVEN)
    if text is None:
        return []
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError:
        return []


def users_of(marks: list[Redriven]) -> frozenset[int] | None:
    """Return which users of a message are meant, None for all: the others were processed the first time."""
    users = [mark.user_index for mark in marks]
    if not users or None in users:
        return None
    return frozenset(user for user in users if user is not None)


def carried_header(headers: RawHeaders | None, user_index: int | None = None) -> list[tuple[str, bytes]]:
    """Return the mark that a new dead letter carries on: that of the user, else the oldest of the record."""
    marks = redriven_marks(headers)
    if not marks:
        return []
    of_user = [mark for mark in marks if mark.user_index == user_index]
    return [redriven_header([max(of_user or marks, key=lambda mark: mark.count)])]


def encode_mark(mark: RedriveMark) -> bytes:
    """Encode a value of `redrive-marks`."""
    return _encoder.encode(mark)


def decode_mark(value: bytes) -> RedriveMark:
    """Decode a value of `redrive-marks`.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _mark_decoder.decode(value)
