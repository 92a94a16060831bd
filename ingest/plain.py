"""Reads a message that came whole, and whose head has the shape of one that was read before, without the parser.

Senders that wait for each answer send the next message in one piece, and always the same headers with other values. A
shape takes less than what HTTP allows, so that of what it takes there is one reading alone; of everything else it says
nothing, and the parser reads it from its start.
"""

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

from ingest.request import Head

T = TypeVar("T")

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Words with one space in between: what else a value may have is for the parser.
_WORDS = rb"([!-~]++(?: [!-~]++)*+)"
# Of some nothing else is plain.
_VALUES = {b"content-length": rb"([0-9]{1,9})", b"connection": rb"([Kk]eep-[Aa]live)"}
_END = b"\r\n\r\n"
# They decide how the message ends, or who answers it how.
_SPECIAL = frozenset({
    b"expect", b"http2-settings", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade",
})  # fmt: skip
_NEEDED = frozenset({b"host", b"content-length", b"content-type"})
_SHAPES_MAX = 100


class Shape(Generic[T]):
    """The target of messages, and the names of their headers in their order; `to` is what belongs to the target."""

    __slots__ = ("_match", "_names", "target", "to")

    def __init__(self, to: T, target: bytes, names: tuple[bytes, ...]) -> None:
        """Each of `names` is there once, spelt as it is sent."""
        self.to = to
        self.target = target
        lines = [re.escape(name) + b": " + _VALUES.get(name.lower(), _WORDS) for name in names]
        head = b"\r\n".join([b"POST " + re.escape(target) + rb" HTTP/1\.1", *lines, b"", b""])
        self._match = re.compile(head).match
        self._names = tuple(name.lower() for name in names)

    def read(self, data: bytes, max_head_bytes: int) -> tuple[Head, bytes] | None:
        """Return the head and the body of the message that `data` is, no byte more or less."""
        match = self._match(data)
        if match is None:
            return None
        head: Head = {}
        for name, value in zip(self._names, match.groups()):  # noqa: B905 - one group for each, and asking costs
            head[name] = value
        end = match.end()
        if int(head[b"content-length"]) != len(data) - end or end > max_head_bytes:
            return None
        return head, data[end:]


class Shapes(Generic[T]):
    """The shapes that were seen, not too many."""

    def __init__(self, targets: Mapping[bytes, T]) -> None:
        """Know what belongs to each target."""
        self._targets = {b"POST " + target + b" HTTP/1.1": (target, to) for target, to in targets.items()}
        self._seen: dict[tuple[bytes, ...], Shape[T]] = {}

    def of(self, data: bytes) -> Shape[T] | None:
        """Return the shape of a message that begins like `data`, None where the parser has to read such."""
        line, *lines = data.partition(_END)[0].split(b"\r\n")
        named = self._targets.get(line)
        names = tuple(line.partition(b": ")[0] for line in lines)
        seen = self._seen.get((line, *names))
        if seen is not None or named is None or len(self._seen) >= _SHAPES_MAX or not _are_plain(names):
            return seen
        target, to = named
        shape = self._seen[line, *names] = Shape(to, target, names)
        return shape


def _are_plain(names: tuple[bytes, ...]) -> bool:
    lower = {name.lower() for name in names}
    return len(lower) == len(names) and lower >= _NEEDED and not lower & _SPECIAL and all(map(_NAME.fullmatch, names))
