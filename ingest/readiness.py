"""Whether a POST would be answered 200 now, and the wait until the first would."""

from collections.abc import Callable
from typing import Protocol

from runtime.clock import Clock
from runtime.errors import SegwireError, UnreachableKafkaError
from runtime.service import StopSignal
from runtime.settings import KafkaSettings
from schemas.topics import TopicNames

_ASK_S = 0.5
_WAIT_S = 10.0


class Cluster(Protocol):
    """What can be asked for its topics."""

    def topics(self, timeout_s: float) -> set[str] | None:
        """Return the names of the topics, None where no broker answers. Blocks."""


class Readiness:
    """What `/readyz` tells; asked from the management thread."""

    def __init__(self) -> None:
        """Start not ready."""
        self._reason: Callable[[], str | None] = lambda: "starting: waiting for Kafka"

    def reason(self) -> str | None:
        """Return why a POST would not be answered 200, None where it would."""
        return self._reason()

    def serving(self, not_ready: Callable[[], str | None]) -> None:
        """Be as ready as the store is."""
        self._reason = not_ready

    def draining(self) -> None:
        """Be not ready from now on."""
        self._reason = lambda: "draining: this process ends"


def wait_for_topics(cluster: Cluster, kafka: KafkaSettings, stop: StopSignal, clock: Clock) -> bool:
    """Wait until Kafka knows the topics that are written to; return False where the stop came first. Blocks.

    Raises:
        UnreachableKafkaError: no broker answered in 10 s.
        SegwireError: a topic does not exist.
    """
    give_up_s = clock.monotonic_s() + _WAIT_S
    while clock.monotonic_s() < give_up_s:
        topics = cluster.topics(_ASK_S)
        if stop.wait(0 if topics is not None else 0.05):
            return False
        if topics is not None:
            _require(topics, kafka)
            return True
    raise UnreachableKafkaError(
        f"kafka.bootstrap_servers: no broker answered at {kafka.bootstrap_servers!r} within "
        f"{_WAIT_S:g} s; check the address, that the broker runs and that security.protocol fits"
    )


def _require(topics: set[str], kafka: KafkaSettings) -> None:
    names = TopicNames(kafka.topic_prefix)
    missing = [name for name in (names.aam_posts, names.dead_letters) if name not in topics]
    if missing:
        raise SegwireError(
            f"the topics {', '.join(missing)} do not exist at {kafka.bootstrap_servers!r}; create them: "
            "segwire topics apply (or set kafka.topic_prefix to that of existing ones)"
        )
