"""Tells a person how far a start is: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

REPORTED_SHARE = 0.1
REPORTED_BYTES_MIN = 4_000_000


class Download(Protocol):
    """A download that is going on. Safe to call from several threads."""

    def received(self, size_bytes: int) -> None:
        """Count bytes that arrived."""


class StartProgress(Protocol):
    """Hears of the steps of a start."""

    def say(self, message: str) -> None:
        """Report a step, in one line."""

    def downloading(self, what: str, total_bytes: int) -> AbstractContextManager[Download]:
        """Report a download until the context ends."""


class NoProgress:
    """Says nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""

    @contextmanager
    def downloading(self, what: str, total_bytes: int) -> Iterator[Download]:  # noqa: ARG002 - the protocol's
        """Count nothing."""
        yield _Silent()


class ConsoleProgress:
    """Writes to a console of rich: a bar where it is a terminal, a line now and then where it is not."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, message: str) -> None:
        """Print the step in a line of its own."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def downloading(self, what: str, total_bytes: int) -> Iterator[Download]:
        """Show the download until the context ends."""
        if not self._console.is_terminal:
            yield _Lines(self, what, total_bytes)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self._console, transient=True) as bar:
            yield _Bar(bar, what, total_bytes)


class _Silent:
    def received(self, size_bytes: int) -> None:
        """Count nothing."""


class _Bar:
    def __init__(self, bar: Progress, what: str, total_bytes: int) -> None:
        self._bar = bar
        self._task = bar.add_task(what, total=total_bytes)

    def received(self, size_bytes: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task, size_bytes)


class _Lines:
    def __init__(self, progress: ConsoleProgress, what: str, total_bytes: int) -> None:
        self._progress = progress
        self._what = what
        self._total_bytes = total_bytes
        self._received_bytes = 0
        self._next_bytes = 0.0
        self.received(0)

    def received(self, size_bytes: int) -> None:
        """Print a line when another tenth is there, but not for crumbs."""
        self._received_bytes += size_bytes
        if self._received_bytes < self._next_bytes:
            return
        step_bytes = max(self._total_bytes * REPORTED_SHARE, REPORTED_BYTES_MIN)
        self._next_bytes = self._received_bytes + step_bytes
        done, total = self._received_bytes / 1e6, self._total_bytes / 1e6
        self._progress.say(f"{self._what}: {done:.0f} of {total:.0f} MB")
