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


class InvariantError(SegwireError):
    """An invariant of the design (`I1` to `I5`) does not hold: stop and alarm rather than publish wrong state."""

    def __init__(self, invariant: str, message: str) -> None:
        """Say which one is broken, and by what."""
        super().__init__(f"invariant {invariant} is broken: {message}")
        self.invariant = invariant


class TornTransactionError(InvariantError):
    """The changelog holds state from an input that was never committed. It cannot be mended by going on."""

    def __init__(self, message: str) -> None:
        """Say what was found where."""
        super().__init__("I2", message)
