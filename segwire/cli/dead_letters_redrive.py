"""`segwire dead-letters redrive`: send what was set aside again."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from runtime.clock import SystemClock
from runtime.errors import ConfigurationError, SegwireError
from segwire.cli.connection import connected_settings
from segwire.cli.dead_letters_options import filter_options, since_option_ms
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings

if TYPE_CHECKING:
    from segwire.redrive.plan import Choice, Plan
    from segwire.redrive.run import Redriver

_EPILOG = """\b
Examples:
  segwire dead-letters redrive --stage fan-out --error bad-partner-id --since 2d --dry-run
  segwire dead-letters redrive --stage sink:partner-a --rate 50/s --yes
  segwire dead-letters redrive 3-1234 0-77
"""
_RATE = re.compile(r"([0-9]{1,6})(?:/s)?")
_LISTED_MAX = 20


@click.command(name="redrive", epilog=_EPILOG)
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@filter_options
@click.option("--rate", default="500/s", show_default=True, help="Send no more letters in a second than this.")
@click.option("--again", is_flag=True, help="Also those that were redriven before.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@data_dir_option
@json_option
def redrive(
    letter_ids: tuple[str, ...], stage: str | None, error: str | None, source: str | None, since: str | None,
    rate: str, again: bool, dry_run: bool, yes: bool, config: Path | None, data_dir: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Send dead letters again: those of the IDs given, else all that the filters let through.

    What ingest and fan-out set aside goes to aam-posts again as it was received (of a message with a bad user that user
    alone is read), what membership set aside to segment-events; what a sink set aside, that sink delivers again, as it
    is by now. A letter is sent once; what fails again becomes a letter that says so, and neither is sent
    again without --again.
    """
    from segwire.inspect.dead_letters import Wanted, parse_id
    from segwire.redrive.plan import Choice
    from segwire.redrive.run import Redriver

    rate_per_s = _parse_rate(rate)
    for letter_id in letter_ids:
        parse_id(letter_id)
    since_ms = since_option_ms(since)
    choice = Choice(Wanted(stage, error, source, since_ms), frozenset(letter_ids), again)
    clock = SystemClock()
    redriver = Redriver(connected_settings(read_settings(config, data_dir)).kafka, clock, time.sleep)
    plan = _plan(redriver, choice)
    if not as_json:
        click.echo(_describe(plan, dry_run))
    if plan.sends and not dry_run:
        if not yes and not click.confirm(f"Redrive {_counted(len(plan.letters), 'dead letter')}?", err=True):
            click.echo("nothing was sent")
            return
        redriver.take_over()
        # Somebody may have redriven some of them meanwhile.
        plan = _plan(redriver, choice)
        _send(redriver, plan, rate_per_s)
    if as_json:
        done = {"redriven": [letter.id for letter in plan.letters], "left": plan.left, "dry_run": dry_run}
        click.echo(msgspec.json.encode(done))
    elif plan.sends and not dry_run:
        click.echo(f"{_counted(len(plan.letters), 'dead letter')} redriven; see segwire dead-letters list")


def _plan(redriver: "Redriver", choice: "Choice") -> "Plan":
    from segwire.redrive.plan import make_plan

    candidates = redriver.candidates(choice.wanted.since_ms)
    gone = choice.ids - {candidate.letter.id for candidate in candidates}
    if gone:
        raise SegwireError(
            f"there is no dead letter {', '.join(sorted(gone))}: it may be past its retention, or before --since; "
            "see `segwire dead-letters list`"
        )
    return make_plan(candidates, choice)


def _send(redriver: "Redriver", plan: "Plan", rate_per_s: int) -> None:
    from rich.console import Console

    from segwire.inspect.progress import progress

    total = len(plan.letters)
    with progress(Console(stderr=True), SystemClock(), "redriving", total) as tell:
        redriver.send(plan.sends, rate_per_s, lambda done: tell(done, total))


def _describe(plan: "Plan", listed: bool) -> str:
    from segwire.inspect.dead_letters_text import format_letters

    parts = []
    if plan.sends and listed:
        parts.append(format_letters(plan.letters[:_LISTED_MAX]))
        if len(plan.letters) > _LISTED_MAX:
            parts.append(f"… and {len(plan.letters) - _LISTED_MAX} more")
    parts.append(f"{_counted(len(plan.letters), 'dead letter')} to redrive, as {_counted(len(plan.sends), 'record')}")
    parts += _left(plan.left)
    return "\n".join(parts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _left(left: Mapping[str, int]) -> list[str]:
    return [f"{count} left: {reason}" for reason, count in sorted(left.items())]


def _parse_rate(text: str) -> int:
    found = _RATE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ConfigurationError(f"--rate {text!r}: give a number of letters in a second, as 50/s")
    return int(found[1])
