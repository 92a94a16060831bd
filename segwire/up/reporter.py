"""Tells a person what `up` does: plain lines here, a live table in `segwire.up.live`."""

from typing import Protocol

from rich.console import Console

from segwire.up.table import summary
from segwire.up.view import View

_LINE_EVERY_S = 10


class Reporter(Protocol):
    """Where the supervisor speaks."""

    def say(self, text: str) -> None:
        """Report a step."""

    def problem(self, text: str) -> None:
        """Report what went wrong."""

    def show(self, view: View) -> None:
        """Show how everything is; called about once a second."""

    def freeze(self) -> None:
        """Show no more views: what follows are steps of the end."""


class LineReporter:
    """Plain lines; a summary every ten seconds in which something changed."""

    def __init__(self, console: Console) -> None:
        """Write to `console`."""
        self._console = console
        self._shown: str | None = None
        self._next_s = 0

    def say(self, text: str) -> None:
        """Print a line."""
        self._print(text)

    def problem(self, text: str) -> None:
        """Print a line that stands out."""
        self._print(f"! {text}")

    def show(self, view: View) -> None:
        """Print the summary where it is due and new."""
        if view.uptime_s < self._next_s:
            return
        self._next_s = view.uptime_s + _LINE_EVERY_S
        line = summary(view)
        if line != self._shown:
            self._shown = line
            self._print(line)

    def freeze(self) -> None:
        """Do nothing: lines stay where they are."""

    def _print(self, text: str) -> None:
        try:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
            self._console.file.flush()
        except OSError:
            # Nobody reads any more (a closed terminal or pipe): the pipeline goes on, and drains as it should.
            return
