"""A tracer that keeps what was begun and how it ended."""

from collections.abc import Sequence

from runtime.tracing.tracer import Attributes, Kind
from schemas.trace_context import TraceContext

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SENDER = TraceContext(TRACE_ID, "00f067aa0ba902b7")
UNSAMPLED = SENDER._replace(flags=0)


class KeptSpan:
    """A span that does nothing but remember."""

    def __init__(self, name: str, kind: Kind, parent: TraceContext | None, number: int) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent
        self.context = TraceContext(TRACE_ID if parent is None else parent.trace_id, f"{number:016x}")
        self.attributes: dict[str, str | int] = {}
        self.links: Sequence[TraceContext] = ()
        self.ended = 0
        self.error: str | None = None

    def end(self, attributes: Attributes | None = None, error: str | None = None) -> None:
        self.attributes |= attributes or {}
        self.error = error
        self.ended += 1


class KeepingTracer:
    """Begins such spans, numbered from 1."""

    def __init__(self) -> None:
        self.spans: list[KeptSpan] = []

    def start(
        self, name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes,
        links: Sequence[TraceContext] = (),
    ) -> KeptSpan:  # fmt: skip
        span = KeptSpan(name, kind, parent, len(self.spans) + 1)
        span.attributes |= attributes
        span.links = links
        self.spans.append(span)
        return span

    def ended(self) -> list[tuple[str, str | None]]:
        """Return the spans that have ended, once, and what they failed by."""
        assert all(span.ended <= 1 for span in self.spans)
        return [(span.name, span.error) for span in self.spans if span.ended]
