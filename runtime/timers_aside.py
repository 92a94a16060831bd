"""Timers that cannot fire: each is left out for a while, alone, and the others go on. Source: ADR 21."""

from collections.abc import Collection, Iterable, Iterator

import structlog

from runtime import metrics
from runtime.errors import SegwireError
from runtime.processor import TimerFailed
from runtime.state.keys import split_data_key
from runtime.state.store import Timer

_log = structlog.get_logger()

ERROR = "timer-failed"
_AGAIN_AFTER_MS = 600_000
_ASIDE_MAX = 20


class TimersAside:
    """The entries whose timers failed in this process; in the store they stay due, so that nothing is lost."""

    def __init__(self, processor: str) -> None:
        """Tell of `processor`."""
        self._processor = processor
        self._until_ms: dict[bytes, int] = {}

    def others(self, timers: Iterable[Timer], now_ms: int) -> Iterator[Timer]:
        """Yield the timers that are not set aside, or have been for long enough to be tried again."""
        if not self._until_ms:
            yield from timers
            return
        for timer in timers:
            if now_ms >= self._until_ms.get(timer.key, now_ms):
                self._until_ms.pop(timer.key, None)
                yield timer

    def hold(self, partitions: Collection[int]) -> None:
        """Forget the timers of other partitions."""
        if self._until_ms:
            self._until_ms = {key: at for key, at in self._until_ms.items() if split_data_key(key)[0] in partitions}

    def failed(self, key: bytes, now_ms: int, error: Exception) -> TimerFailed:
        """Set the timers of an entry aside; return what to raise, so that the transaction is tried without them.

        Raises:
            SegwireError: they are too many: it is not the entries' fault.
        """
        kind = type(error).__name__
        partition, name = split_data_key(key)
        metrics.RECORDS_FAILED.labels(processor=self._processor, error=ERROR).inc()
        if len(self._until_ms) >= _ASIDE_MAX:
            raise SegwireError(
                f"{self._processor}: timers of more than {_ASIDE_MAX} entries fail, the last of partition {partition} "
                f"({kind}: {error}); that is not their fault: install the release from before, or one that mends it"
            ) from error
        self._until_ms[key] = now_ms + _AGAIN_AFTER_MS
        _log.error("timer_set_aside", processor=self._processor, partition=partition, kind=kind)
        _log.debug("timer_set_aside_of", entry=name.decode("utf-8", "replace"), detail=str(error))
        return TimerFailed(partition, kind)
