"""What the services know of traces. No import of OpenTelemetry: where traces are off, none is loaded."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from schemas.trace_context import TraceContext

Attributes = Mapping[str, str | int]
Kind = Literal["server", "client", "producer", "consumer"]


class Span(Protocol):
    """One step of a trace, while it is being done."""

    @property
    def context(self) -> TraceContext:
        """What the next step names as its parent."""

    def end(self, attributes: Attributes | None = None, error: str | None = None) -> None:
        """End the step; `error` is the stable class of what it failed by. Does not block."""


class Tracer(Protocol):
    """Begins spans. For any thread; never blocks, and never raises for what the collector does."""

    def start(
        self, name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes,
        links: Sequence[TraceContext] = (),
    ) -> Span:  # fmt: skip
        """Begin a span now, below `parent`, else of a new trace; it is recorded whoever said what of sampling.

        No attribute may hold what identifies a person.
        """
