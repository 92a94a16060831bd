"""How spans are described. Source: OpenTelemetry semantic conventions 1.44, messaging spans, HTTP spans.

Keys of records are left out: they are the users' IDs.
"""

from typing import Final

from runtime.processor import InputRecord
from runtime.tracing.tracer import Attributes

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

ERROR_TYPE: Final = "error.type"
METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
STATUS_CODE: Final = "http.response.status_code"
URL_PATH: Final = "url.path"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
REQUEST_ID: Final = "segwire.request_id"
SOURCE: Final = "segwire.source"

_KAFKA: Final = {"messaging.system": "kafka"}


def sending(topic: str, size_bytes: int) -> Attributes:
    """Describe the publishing of one record."""
    return {
        **_KAFKA,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.message.body.size": size_bytes,
    }


def processing(operation: str, topic: str, group: str, record: InputRecord) -> Attributes:
    """Describe what is done with one record of a consumer group."""
    return {
        **_KAFKA,
        "messaging.operation.name": operation,
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.consumer.group.name": group,
        "messaging.message.body.size": len(record.value or b""),
    }
