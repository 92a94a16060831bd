"""The end of an endpoint: it says so first, and serves on for a while, as load balancers need time to hear of it."""

from collections.abc import Callable

from runtime.clock import Clock
from runtime.service import StopSignal


class GracefulStop(StopSignal):
    """Set a grace period after the signal that it follows."""

    def __init__(self, signal: StopSignal, grace_s: float, clock: Clock, on_draining: Callable[[], None]) -> None:
        """Follow `signal`; `on_draining` is called once, when it is first seen to be set."""
        super().__init__()
        self._signal = signal
        self._grace_s = grace_s
        self._clock = clock
        self._on_draining = on_draining
        self._ends_s: float | None = None

    def is_set(self) -> bool:
        """Tell whether the grace period is over."""
        if not self._signal.is_set():
            return False
        if self._ends_s is None:
            self._ends_s = self._clock.monotonic_s() + self._grace_s
            self._on_draining()
        return self._clock.monotonic_s() >= self._ends_s
