"""Doubles for tests of the supervisor."""

from segwire.up.view import View


class ManualClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self._now_ms = 1_000_000

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return self._now_ms / 1000

    def advance_ms(self, by_ms: int) -> None:
        self._now_ms += by_ms


class Told:
    """Keeps what a person would have been told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.problems: list[str] = []
        self.views: list[View] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def show(self, view: View) -> None:
        self.views.append(view)

    def freeze(self) -> None:
        """Nothing is drawn."""
