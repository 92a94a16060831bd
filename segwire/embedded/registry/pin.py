"""The pinned artifact. With another version, write its size and SHA-256 here; nothing is resolved."""

from segwire.embedded.kafka.jars import Software
from segwire.embedded.kafka.pins import Pin

REGISTRY_VERSION = "3.3.3"
REGISTRY_PIN = Pin(
    "io.apicurio",
    "apicurio-registry-app",
    REGISTRY_VERSION,
    "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
    158_577_952,
    classifier="all",
    packaging="tar.gz",
)
REGISTRY = Software(
    f"Apicurio Registry {REGISTRY_VERSION}", "use a schema registry that runs already: schema_registry.url"
)
