"""The filters that commands over dead letters share."""

from collections.abc import Callable
from typing import Any

import click

from runtime.clock import SystemClock

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_OPTIONS: tuple[Decorator, ...] = (
    click.option("--stage", help="Only of this stage: ingest, fan-out, membership or sink:NAME."),
    click.option("--error", help="Only of this class of error."),
    click.option("--source", help="Only of this sending account."),
    click.option("--since", help="Only from then on: a duration back from now (90s, 15m, 2h, 7d) or a time."),
)


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--stage`, `--error`, `--source` and `--since`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def since_option_ms(since: str | None) -> int | None:
    """Read `--since` as epoch ms.

    Raises:
        ConfigurationError: it is neither a duration nor a time.
    """
    from segwire.inspect.times import parse_since_ms

    return None if since is None else parse_since_ms(since, SystemClock().now_ms())
