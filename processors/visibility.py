"""How long it takes from a message received to what follows of it being there for every reader."""

from runtime import metrics
from runtime.clock import Clock


class Visibility:
    """Observes each event, but only with its commit, and all of a transaction together: so it costs next to nothing."""

    def __init__(self, clock: Clock) -> None:
        """Compare with `clock`; the endpoint had its own."""
        self._clock = clock
        self.received: list[int] = []
        """When what is being processed was received, epoch ms: to be added to."""

    def committed(self) -> None:
        """Observe what is now visible."""
        if self.received:
            now_ms = self._clock.now_ms()
            metrics.MEMBERSHIP_VISIBLE_SECONDS.alone.observe_all(
                [(now_ms - at) / 1000 if at < now_ms else 0.0 for at in self.received]
            )

    def aborted(self) -> None:
        """Forget what was processed: it comes again."""
        self.received.clear()
