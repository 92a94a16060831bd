"""What can go wrong with a schema registry that we start ourselves."""

from runtime.errors import SegwireError


class EmbeddedRegistryError(SegwireError):
    """The schema registry that we start ourselves cannot run: the message says what, which value, and what to do."""
