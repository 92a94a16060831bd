"""Shows on standard error how far a long reading or sending is: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.clock import Clock

LINE_EVERY_S = 5.0

_Item = TypeVar("_Item")
Tell = Callable[[int], None]
TellOf = Callable[[int, int], None]


@contextmanager
def progress(console: Console, clock: Clock, doing: str, total: int) -> Iterator[TellOf]:
    """Give a function to call with how many are done, of how many; cheap enough to call for each of some thousands."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(doing, total=total)
            yield lambda done, of: bar.update(task, completed=done, total=of)
        return
    line_s = clock.monotonic_s()

    def tell(done: int, of: int) -> None:
        nonlocal line_s
        if clock.monotonic_s() - line_s >= LINE_EVERY_S:
            line_s = clock.monotonic_s()
            console.print(f"{doing}: {done} of {of}")

    yield tell


def counted(items: Iterable[_Item], tell: Tell, every: int = 10_000) -> Iterator[_Item]:
    """Yield `items`, telling their number now and then and in the end."""
    done = 0
    for done, item in enumerate(items, 1):
        if done % every == 0:
            tell(done)
        yield item
    tell(done)
