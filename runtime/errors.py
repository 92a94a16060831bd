"""Errors sorted by what is done with them, not by module."""


class SegwireError(Exception):
    """An error with a message for a person: what, which value, what to do.

    The command line prints the message alone, without a traceback, and exits with `exit_code`.
    """

    exit_code = 1


class ConfigurationError(SegwireError):
    """The configuration or the usage is wrong: nothing was started."""

    exit_code = 2


class UnreachableKafkaError(SegwireError):
    """No broker answered at the configured addresses."""


class TornTransactionError(SegwireError):
    """The changelog holds state from an input that was never committed (invariant I2).

    It cannot be mended by going on: the service stops and alarms.
    """


class InvariantError(SegwireError):
    """One of the invariants I1-I5 of the design does not hold: stop rather than publish wrong state."""
