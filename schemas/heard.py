"""A segment event as the rules take it: what is said of segments stands in columns, over one piece of bytes.

An object for each segment costs more than all that is done with it. Compiled, none is made here.
"""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from schemas.event import Origin, Partner, SegmentEvent

SAID: Final = 3
"""Numbers for each segment of `Heard.said`: where its ID begins and ends in `text`, and its stamp."""


class Heard:
    """One user of one message; the fields are those of `SegmentEvent`.

    `said`: three numbers for each segment (`SAID`); a stamp is when it was verified, epoch ms, doubled, and one more
    where it is active. `origin`: as `Origin`.
    """

    __slots__ = (
        "aam_uuid", "client_id", "destination_id", "origin", "partner", "received_at", "regions", "said", "text",
    )  # fmt: skip

    def __init__(
        self, client_id: str, destination_id: str, aam_uuid: str, partner: Partner | None, regions: list[int],
        received_at: int, origin: Origin, text: bytes, said: vec[i64],
    ) -> None:  # fmt: skip
        """Keep these."""
        self.client_id = client_id
        self.destination_id = destination_id
        self.aam_uuid = aam_uuid
        self.partner = partner
        self.regions: list[int] = regions
        self.received_at: i64 = received_at
        self.origin = origin
        self.text = text
        self.said: vec[i64] = said


def heard(event: SegmentEvent) -> Heard:
    """Return an event in columns."""
    said = vec[i64](capacity=SAID * len(event.segments))
    parts: list[bytes] = []
    end: i64 = 0
    for segment in event.segments:
        segment_id = segment.segment_id.encode()
        begin = end
        end += len(segment_id)
        said = append(said, begin)
        said = append(said, end)
        stamp: i64 = segment.verified_at << 1 | (segment.status == "ACTIVE")
        said = append(said, stamp)
        parts.append(segment_id)
    return Heard(
        event.client_id, event.destination_id, event.aam_uuid, event.partner, event.regions, event.received_at,
        event.origin, b"".join(parts), said,
    )  # fmt: skip
