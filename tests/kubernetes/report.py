"""What a run found, told as it goes and kept as a table."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


class Report:
    """Steps in their order, each with how long it took and what it showed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.steps: list[dict[str, Any]] = []

    @contextmanager
    def step(self, tier: int, name: str) -> Iterator[dict[str, Any]]:
        """Time a step; what is put into its figures is kept. What is raised ends the run."""
        figures: dict[str, Any] = {}
        began_s = time.monotonic()
        click.echo(f"tier {tier}: {name} …")
        outcome = "failed"
        try:
            yield figures
            outcome = "passed"
        finally:
            took_s = round(time.monotonic() - began_s, 1)
            self.steps.append({"tier": tier, "step": name, "outcome": outcome, "took_s": took_s, **figures})
            self._file.write_text(json.dumps(self.steps, indent=1, default=str), encoding="utf-8")
            told = ", ".join(f"{key} {value}" for key, value in figures.items())
            click.echo(f"tier {tier}: {name}: {outcome} in {took_s} s{': ' + told if told else ''}")


def require(condition: bool, what: str) -> None:
    """Fail with what was wanted where it is not so.

    Raises:
        AssertionError: it is not so.
    """
    if not condition:
        raise AssertionError(what)
