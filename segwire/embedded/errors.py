"""What can go wrong with a server that we start ourselves."""

from runtime.errors import SegwireError


class EmbeddedServerError(SegwireError):
    """A server that we start ourselves cannot run: the message says what, which value, and what to do."""
