"""Names of the Kafka record headers that travel between services. Source: interfaces, *Topics*."""

SOURCE = "segwire-source"
RECEIVED_AT_MS = "segwire-received-at-ms"
REQUEST_ID = "segwire-request-id"
CONTENT_TYPE = "content-type"
CONTENT_ENCODING = "content-encoding"
TRACEPARENT = "traceparent"
REDRIVEN = "segwire-redriven"

Headers = list[tuple[str, bytes]]


def header_text(headers: list[tuple[str, bytes | str | None]] | None, name: str) -> str | None:
    """Return the last value of a header as text, None where it is absent."""
    for key, value in reversed(headers or []):
        if key == name and value is not None:
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return None
