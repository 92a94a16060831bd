"""When a membership and a user end. Pure. Source: spec §3, *What Status 0 means*."""

from collections.abc import Mapping
from typing import Final

import msgspec

DAY_MS: Final = 86_400_000


class TimeLimits:
    """The configured limits: days to live per segment (0: for ever), and of an unseen user; what follows a removal.

    `tombstone_after_days`: from a removal to the tombstones of the user's rows. `marker_days`: how long it is
    remembered that the user was removed; messages from before the removal must not arrive later than that.
    """

    __slots__ = ("_raw", "default_ttl_days", "inactivity_days", "marker_days", "tombstone_after_days", "ttl_days")

    def __init__(
        self, *, default_ttl_days: int = 120, ttl_days: Mapping[str, int] | None = None, inactivity_days: int = 120,
        tombstone_after_days: int = 7, marker_days: int = 30,
    ) -> None:  # fmt: skip
        """Live by these limits."""
        self.default_ttl_days = default_ttl_days
        self.ttl_days: dict[str, int] = dict(ttl_days or {})
        self._raw = {segment_id.encode(): days for segment_id, days in self.ttl_days.items()}
        self.inactivity_days = inactivity_days
        self.tombstone_after_days = tombstone_after_days
        self.marker_days = marker_days

    def fingerprint(self) -> str:
        """Return a text that differs where any limit differs."""
        limits = {
            "default_ttl_days": self.default_ttl_days, "ttl_days": self.ttl_days,
            "inactivity_days": self.inactivity_days, "tombstone_after_days": self.tombstone_after_days,
            "marker_days": self.marker_days,
        }  # fmt: skip
        return msgspec.json.encode(limits, order="sorted").decode()

    def expires_at(self, segment_id: str, verified_at: int) -> int | None:
        """Return as `expires_at_raw` does."""
        return self.expires_at_raw(segment_id.encode(), verified_at)

    def expires_at_raw(self, segment: bytes, verified_at: int) -> int | None:
        """Return when a qualification verified at `verified_at` ends (epoch ms), None for never.

        `segment` is the segment's ID, UTF-8.

        The clock starts at the next UTC midnight after the qualification and runs N x 24 h: with one day, a
        qualification at 01:00 ends 47 h later, one at 23:00 after 25 h.
        """
        days = self._raw.get(segment, self.default_ttl_days)
        if days == 0:
            return None
        return (verified_at // DAY_MS + 1 + days) * DAY_MS

    def inactive_at(self, seen_day: int) -> int:
        """Return when a user last seen on day `seen_day` (days since the epoch) is removed (epoch ms).

        The last sighting is kept by the day, so that repeats cost nothing; the removal is rounded up to the midnight
        after, never early.
        """
        return (seen_day + 1 + self.inactivity_days) * DAY_MS
