"""What every sink is given to put itself together."""

from contextlib import ExitStack
from typing import NamedTuple

from runtime.settings import Settings
from runtime.tracing.tracer import Tracer
from schemas.topics import TopicNames


class SinkContext(NamedTuple):
    """One configured sink of the process."""

    name: str
    settings: Settings
    names: TopicNames
    cleanup: ExitStack
    """Runs in the end what is pushed onto it: a state to close, a client to end."""
    tracer: Tracer | None = None
    """None: traces are off."""

    @property
    def service(self) -> str:
        """What the service, its consumer group and its metrics are called."""
        return f"sink-{self.name}"
