"""Renders what is shown. Pure: a view in, text or a table out."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from segwire.up.view import Figures, ServiceView, State, View

_STYLES: dict[State, str] = {"ready": "green", "starting": "yellow", "waiting": "bold red", "ended": "dim"}
_DAY_S = 86_400


def live_table(view: View) -> RenderableType:
    """Return the table that a terminal shows."""
    figures = view.figures
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("service", "state"):
        table.add_column(column, no_wrap=True)
    for column in ("rate", "lag", "restarts"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for service in view.services:
        table.add_row(
            service.name,
            Text(service.state, style=_STYLES[service.state]),
            _rate(service, figures),
            _lag(service, figures),
            Text(str(service.restarts), style="bold red" if service.restarts else "dim"),
            _remark(service),
        )
    head = Text.assemble(("Segwire", "bold"), f"  {view.ingest_url}  up {duration(view.uptime_s)}", no_wrap=True)
    totals = Text(
        f"users {figures.users:,}   memberships {figures.memberships:,}   POSTs {figures.posts:,}   "
        f"events {figures.events:,}   changes {figures.changes:,}"
    )
    return Group(Text(), head, table, totals, _errors(figures), Text("Ctrl-C drains and stops", style="dim"))


def summary(view: View) -> str:
    """Return everything that may change in one line; equal lines mean that nothing changed."""
    figures = view.figures
    waiting = [f"{s.name} {s.state}{f' ({s.detail})' if s.detail else ''}" for s in view.services if s.state != "ready"]
    parts = [
        "all ready" if not waiting else "; ".join(waiting),
        f"{figures.posts_per_s:.0f} POST/s, {figures.events_per_s:.0f} events/s, {figures.changes_per_s:.0f} changes/s",
        f"lag {figures.fan_out_lag_records} + {figures.membership_lag_records} records",
        f"{figures.users} users, {figures.memberships} memberships",
        f"{figures.not_ok} answers other than 200, {figures.dead_letters} dead letters",
        f"{sum(s.restarts for s in view.services)} restarts",
    ]
    return " | ".join(parts)


def duration(seconds: int) -> str:
    """Return `1:02:03`, with days before it where there are any."""
    days, rest = divmod(seconds, _DAY_S)
    text = f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {text}" if days else text


def _rate(service: ServiceView, figures: Figures) -> str:
    rates = {
        "ingest": f"{figures.posts_per_s:,.0f} POST/s",
        "fan-out": f"{figures.events_per_s:,.0f} events/s",
        "membership": f"{figures.changes_per_s:,.0f} changes/s",
    }
    if service.name in figures.sinks:
        return f"{figures.sinks[service.name].records_per_s:,.0f} records/s"
    return rates.get(service.name, "")


def _lag(service: ServiceView, figures: Figures) -> str:
    lags = {"fan-out": figures.fan_out_lag_records, "membership": figures.membership_lag_records}
    lags |= {name: sink.lag_records for name, sink in figures.sinks.items()}
    return f"{lags[service.name]:,} records" if service.name in lags else ""


def _remark(service: ServiceView) -> str:
    """Return why it is not ready, else where it is and how its last life ended."""
    remark = service.detail or service.url
    if not service.problem:
        return remark
    return f"{remark}  (last {service.problem})" if remark else f"last {service.problem}"


def _errors(figures: Figures) -> Text:
    bad = figures.not_ok or figures.dead_letters
    return Text(
        f"answers other than 200: {figures.not_ok:,}   dead letters: {figures.dead_letters:,}",
        style="bold red" if bad else "",
    )
