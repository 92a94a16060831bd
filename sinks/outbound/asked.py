"""What a destination was asked to deliver again, as it is kept beside the users of a partition."""

import msgspec


class Walk(msgspec.Struct, array_like=True, gc=False):
    """A backfill under way: of `segments`, or of all where there are none; all users up to the key `after` are done."""

    request_id: str
    segments: list[str] = []
    after: bytes = b""
    users: int = 0


class Asked(msgspec.Struct, array_like=True, gc=False):
    """How far requests were taken: `offset` is of the last one in the partition."""

    offset: int = -1
    walk: Walk | None = None
