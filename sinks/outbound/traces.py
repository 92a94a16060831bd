"""Traces of messages to a partner: each attempt is a span, and where configured the partner is told its context.

A message may carry several traced users: it goes on with the trace of the first, and is linked with the others.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

from runtime.processor import InputRecord
from runtime.tracing.attributes import METHOD, SERVER_ADDRESS, SERVER_PORT, STATUS_CODE
from runtime.tracing.tracer import Attributes, Tracer
from schemas.avro_codec import AvroDecodeError, decode_key
from schemas.headers import TRACEPARENT
from schemas.trace_context import TraceContext
from sinks.outbound.packing import Users
from sinks.outbound.sender import SendsMessages
from sinks.outbound.verdict import Answer

_PORTS: Final = {"http": 80, "https": 443}
_CANCELLED: Final = "cancelled"


class SendsWithHeaders(Protocol):
    """Makes one attempt; as `Client`."""

    async def send(self, body: bytes, further: Mapping[str, str] = ...) -> Answer:
        """Send a message with further headers, and return the answer."""


class MessageTraces:
    """Knows the traces of the batch that is being processed: first of its rows, then of the messages made of them."""

    def __init__(self) -> None:
        """Know none yet."""
        self._of_user: dict[str, TraceContext] = {}
        self._of_body: dict[bytes, tuple[TraceContext, ...]] = {}

    def follow(self, traced: Sequence[tuple[InputRecord, TraceContext]]) -> None:
        """Take the traced rows of a batch; of a user the last one is what the message says."""
        for record, context in traced:
            try:
                self._of_user[decode_key(record.key or b"").aam_uuid] = context
            except AvroDecodeError:
                continue  # It becomes a dead letter.

    def forget(self) -> None:
        """Take that the batch is processed."""
        self._of_user.clear()
        self._of_body.clear()

    def rendered(self, messages: Sequence[Users], bodies: Sequence[bytes]) -> None:
        """Take the messages of the batch, and their bytes."""
        if not self._of_user:
            return
        for users, body in zip(messages, bodies, strict=True):
            found = [context for user in users if (context := self._of_user.get(user.aam_uuid)) is not None]
            if found:
                self._of_body[body] = tuple(dict.fromkeys(found))

    def contexts(self, body: bytes) -> tuple[TraceContext, ...]:
        """Return the contexts that a message follows from."""
        return self._of_body.get(body, ())


class TracedClient:
    """A client whose attempts are spans."""

    def __init__(
        self, client: SendsWithHeaders, tracer: Tracer, traces: MessageTraces, url: str, *, tells_partner: bool
    ) -> None:
        """Send with `client` to `url`; `tells_partner`: with the header `traceparent`."""
        self._client = client
        self._tracer = tracer
        self._traces = traces
        self._tells_partner = tells_partner
        parts = urlsplit(url)
        self._attributes: Attributes = {
            METHOD: "POST",
            SERVER_ADDRESS: parts.hostname or "",
            SERVER_PORT: parts.port or _PORTS[parts.scheme],
        }

    async def send(self, body: bytes) -> Answer:
        """Make one attempt."""
        contexts = self._traces.contexts(body)
        if not contexts:
            return await self._client.send(body)
        span = self._tracer.start("POST", "client", contexts[0], self._attributes, contexts[1:])
        headers = {TRACEPARENT: span.context.header().decode()} if self._tells_partner else {}
        error: str | None = _CANCELLED
        attributes: Attributes = {}
        try:
            answer = await self._client.send(body, headers)
            error = answer.error or None
            attributes = {} if answer.status is None else {STATUS_CODE: answer.status}
        finally:
            span.end(attributes, error)
        return answer


def traced_client(
    client: SendsWithHeaders, tracer: Tracer | None, traces: MessageTraces, url: str, *, tells_partner: bool
) -> SendsMessages:
    """Return `client` as `TracedClient`, or as it is where traces are off."""
    return client if tracer is None else TracedClient(client, tracer, traces, url, tells_partner=tells_partner)
