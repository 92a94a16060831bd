"""Ends a service that has work and makes no progress, loudly: a restart is safe, standing still is not."""

import os
import threading
from collections.abc import Callable

import structlog

from runtime import metrics
from runtime.clock import Clock

_log = structlog.get_logger()

_CHECK_S = 1.0


class Watchdog:
    """Watches one loop from a thread of its own.

    The loop calls `stepped` on every turn and `progressed` when work is done, or there is none.
    """

    def __init__(
        self, name: str, limit_s: float, clock: Clock, end: Callable[[int], object] = os._exit
    ) -> None:  # fmt: skip
        """Allow `limit_s` without progress; 0 watches nothing."""
        self._name = name
        self._limit_s = limit_s
        self._clock = clock
        self._end = end
        self._stepped_s = self._progressed_s = clock.monotonic_s()
        self._done = threading.Event()

    def start(self) -> None:
        """Watch from now on."""
        if self._limit_s > 0:
            self._stepped_s = self._progressed_s = self._clock.monotonic_s()
            threading.Thread(target=self._watch, name=f"watchdog-{self._name}", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._done.set()

    def stepped(self) -> None:
        """The loop turned, with or without progress."""
        self._stepped_s = self._clock.monotonic_s()

    def progressed(self) -> None:
        """Work was done, or there is none."""
        self._progressed_s = self._clock.monotonic_s()

    def verdict(self) -> str | None:
        """Return what is wrong, None where nothing is."""
        now_s = self._clock.monotonic_s()
        if now_s - self._stepped_s > self._limit_s:
            return "the loop is stuck in a call"
        if now_s - self._progressed_s > self._limit_s:
            return "records wait and none is processed"
        return None

    def _watch(self) -> None:
        while not self._done.wait(_CHECK_S):
            reason = self.verdict()
            if reason is None:
                continue
            metrics.WATCHDOG.labels(processor=self._name).inc()
            _log.error("watchdog", processor=self._name, reason=reason, limit_s=self._limit_s)
            if self._done.wait(min(metrics.SCRAPED_S, self._limit_s)):
                return
            # A machine that slept wakes with every limit passed, this thread perhaps before the loop.
            if self.verdict() is not None:
                self._end(1)
                return
            _log.warning("watchdog_calmed", processor=self._name)
