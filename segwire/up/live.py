"""The live table on a terminal."""

import contextlib

from rich.console import Console
from rich.live import Live

from segwire.up.table import live_table
from segwire.up.view import View


class LiveReporter:
    """Steps as lines, and below them a table that is drawn again each second."""

    def __init__(self, console: Console) -> None:
        """Write to `console`, a terminal."""
        self._console = console
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Print a line above the table."""
        # A terminal that was closed takes nothing more; the drain goes on.
        with contextlib.suppress(OSError):
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def problem(self, text: str) -> None:
        """Print a line above the table that stands out."""
        with contextlib.suppress(OSError):
            self._console.print(text, markup=False, highlight=False, soft_wrap=True, style="bold red")

    def show(self, view: View) -> None:
        """Draw the table."""
        with contextlib.suppress(OSError):
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False, transient=False)
                self._live.start()
            self._live.update(live_table(view), refresh=True)

    def freeze(self) -> None:
        """Leave the last table where it is, and give the terminal its cursor back."""
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()
            self._live = None
