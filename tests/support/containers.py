"""Containers without Docker."""

import pytest

from segwire.embedded import container


class RememberedContainer:
    """A container that only remembers."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self.port = port
        self.environment = environment
        self.said: list[str] = []
        self.code: int | None = None

    def start(self) -> None:
        self.said.append("start")

    def exit_code(self) -> int | None:
        return self.code

    def last_lines(self) -> str:
        return "what it printed last"

    def stop(self) -> None:
        self.said.append("stop")


class Describing:
    """Describes containers that only remember, and keeps them."""

    def __init__(self, code: int | None = None) -> None:
        self.made: list[RememberedContainer] = []
        self._code = code

    def __call__(self, port: int, environment: dict[str, str]) -> RememberedContainer:
        self.made.append(RememberedContainer(port, environment))
        self.made[-1].code = self._code
        return self.made[-1]


class PassedTime:
    """In the place of the module `time` where containers are waited for: pauses take no time, and are counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pauses = 0
        self._now_s = 0.0
        monkeypatch.setattr(container, "time", self)

    def monotonic(self) -> float:
        self._now_s += 0.01  # so that one who never pauses comes to an end as well
        return self._now_s

    def sleep(self, pause_s: float) -> None:
        self.pauses += 1
        self._now_s += pause_s
