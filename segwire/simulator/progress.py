"""Shows how far a run is: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.clock import Clock
from segwire.simulator.plan import SimulationPlan
from segwire.simulator.published import Published
from segwire.simulator.tally import Tally

_LINE_EVERY_S = 5.0


class Display:
    """A context manager; the functions it returns are called with the present counts."""

    def __init__(self, console: Console, clock: Clock) -> None:
        """Draw on `console`: a bar where it is a terminal."""
        self._console = console
        self._clock = clock
        self._bar: Progress | None = None
        self._line_s = clock.monotonic_s()
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"))
            self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console)

    def __enter__(self) -> Self:
        """Start drawing."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it was last."""
        if self._bar is not None:
            self._bar.stop()

    def sending(self, plan: SimulationPlan) -> Callable[[Tally], None]:
        """Return what shows the sending of a plan."""
        show = self._stage("sending", plan.duration_s)

        def shown(tally: Tally) -> None:
            show(tally.elapsed_s, f"{tally.sent} sent, {tally.acknowledged} acknowledged, {tally.failed} failed")

        return shown

    def verifying(self, memberships: int) -> Callable[[Published], None]:
        """Return what shows the reading of the topics."""
        show = self._stage("verifying", memberships)

        def shown(published: Published) -> None:
            rows = len(published.rows)
            show(rows, f"{rows} of {memberships} memberships, {len(published.changes)} with changes")

        return shown

    def _stage(self, name: str, total: float | None) -> Callable[[float, str], None]:
        if self._bar is None:
            return lambda _, counts: self._line(f"{name}: {counts}")
        bar = self._bar
        task = bar.add_task(name, total=total, counts="")
        return lambda completed, counts: bar.update(task, completed=completed, counts=counts)

    def _line(self, text: str) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._line_s >= _LINE_EVERY_S:
            self._line_s = now_s
            self._console.print(text)
