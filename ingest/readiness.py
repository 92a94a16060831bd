"""Whether a POST would be answered 200 now, whatever happens to Kafka: what `/readyz` tells."""

from collections.abc import Callable


class Readiness:
    """What `/readyz` tells; asked from the management thread."""

    def __init__(self) -> None:
        """Start not ready."""
        self._reason: Callable[[], str | None] = lambda: "starting: the spool is being read"
        self.is_starting = True
        self.is_draining = False

    def reason(self) -> str | None:
        """Return why a POST would not be answered 200, None where it would."""
        return self._reason()

    def serving(self, not_ready: Callable[[], str | None]) -> None:
        """Be as ready as the spool is; a drain that has begun goes on."""
        self.is_starting = False
        if not self.is_draining:
            self._reason = not_ready

    def draining(self) -> None:
        """Be not ready from now on."""
        self.is_draining = True
        self._reason = lambda: "draining: this process ends"
