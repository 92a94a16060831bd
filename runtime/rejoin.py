"""Waits where the group still counts on a process that was killed, instead of ending again and again.

A member of the newer group protocol (KIP-848) whose predecessor did not leave is refused until that one's session has
ended, 45 s by the brokers' default; the client that was refused cannot ask again, a new one can.
"""

import structlog

from runtime.clock import Clock
from runtime.kafka.asking import InstanceIdHeldError

_log = structlog.get_logger()

# Brokers allow sessions of up to 60 s unless they are configured otherwise.
_LIMIT_S = 120.0
_RETRY_S = 2.0


class Rejoin:
    """Says when to ask the group again."""

    def __init__(self, clock: Clock) -> None:
        """Begin without a refusal."""
        self._clock = clock
        self._first_s: float | None = None
        self._next_s: float | None = None

    def refused(self, error: InstanceIdHeldError) -> None:
        """Note a refusal.

        Raises:
            InstanceIdHeldError: that has lasted for too long to be the session of a killed process.
        """
        now_s = self._clock.monotonic_s()
        if self._first_s is None:
            self._first_s = now_s
            _log.warning("instance_id_still_held", limit_s=_LIMIT_S, detail=str(error))
        elif now_s - self._first_s > _LIMIT_S:
            raise error
        self._next_s = now_s + _RETRY_S

    def joined(self) -> None:
        """The group has taken this process."""
        if self._first_s is not None:
            _log.info("instance_id_released", after_s=round(self._clock.monotonic_s() - self._first_s, 1))
            self._first_s = None

    def reason(self) -> str | None:
        """Return what is waited for, None for nothing."""
        if self._first_s is None:
            return None
        return "waiting until the group gives up the killed process that had this ordinal (its session ends by itself)"

    def waits(self) -> bool:
        """Tell whether it is too early to ask again."""
        return self._next_s is not None and self._clock.monotonic_s() < self._next_s

    def is_due(self) -> bool:
        """Tell, once, that a new client is to ask again."""
        due = self._next_s is not None and not self.waits()
        if due:
            self._next_s = None
        return due
