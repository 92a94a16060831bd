"""Tells of refused messages in the log: who, what and which, and not so often that the log is the next problem."""

import structlog

from runtime.clock import Clock

_LINES_PER_S = 10

_log = structlog.get_logger()


class RefusalLog:
    """Writes up to ten lines a second; the first of a later second counts what was left out."""

    def __init__(self, clock: Clock) -> None:
        """Tell the seconds apart by `clock`."""
        self._clock = clock
        self._second = -1
        self._lines = 0
        self._left_out = 0

    def tell(self, problem: str, source: str | None, request_id: str, client: tuple[str, int] | None) -> None:
        """Tell of one refusal; `client` is who sent it, as far as a proxy in between is believed."""
        second = int(self._clock.monotonic_s())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > _LINES_PER_S:
            self._left_out += 1
            return
        more = {"left_out": self._left_out} if self._left_out else {}
        self._left_out = 0
        _log.info(
            "message_refused",
            problem=problem,
            source=source,
            request_id=request_id,
            client=None if client is None else client[0][:64],
            **more,
        )
