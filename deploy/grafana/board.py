"""What a dashboard shows, as plain data. `sdk.py` turns it into Grafana's model."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["stat", "graph"]

FALLBACK = " or on() vector(0)"
"""Makes an empty answer a 0; beside lines there are it adds none."""

_SERIES = re.compile(r"\b(segwire[_:][a-z0-9_:]+)(\{)?")


@dataclass(frozen=True)
class Query:
    """One PromQL expression and the name of its lines, with labels as `{{label}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A number (`stat`) or lines over time (`graph`), and what they mean to whoever looks.

    From `bad_from` on a value is red; below `good_from` it is. `width` of 24. `now`: only what is there at the end of
    the time that is looked at, where a series that ended would still show its last number.
    """

    title: str
    means: str
    queries: tuple[Query, ...]
    kind: Kind = "graph"
    unit: str = "short"
    width: int = 8
    bad_from: float | None = None
    good_from: float | None = None
    now: bool = False


@dataclass(frozen=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one may choose: the values of a label of a series, all of them to begin with; in queries `$name`."""

    name: str
    label: str
    series: str


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard; `text` is Markdown below everything else, under `text_title`."""

    name: str
    title: str
    means: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = ()
    text_title: str = ""
    text: str = ""

    def queries(self) -> list[Query]:
        """Return every query of every panel."""
        return [query for row in self.rows for panel in row.panels for query in panel.queries]


def scoped(expr: str) -> str:
    """Restrict every series of ours to the chosen namespaces; where there are none, all are chosen."""
    scope = 'namespace=~"$namespace"'
    return _SERIES.sub(lambda found: f"{found[1]}{{{scope}" + ("," if found[2] else "}"), expr)


def stat(title: str, means: str, expr: str, **more: object) -> Panel:
    """Return a panel with one number."""
    return Panel(title=title, means=means, queries=(Query(expr),), kind="stat", **{"width": 4, **more})  # type: ignore[arg-type] # fields of Panel


def graph(title: str, means: str, *queries: Query, **more: object) -> Panel:
    """Return a panel with lines over time."""
    return Panel(title=title, means=means, queries=queries, **more)  # type: ignore[arg-type] # fields of Panel


def level(gauge: str, *by: str, how: str = "sum", legend: str | None = None, seldom: bool = False) -> Query:
    """Return a query for a gauge, a line for each of `by`; `seldom`: 0 where it has no series yet."""
    return _lines(how, gauge, by, legend, seldom)


def rate(counter: str, *by: str, legend: str | None = None, seldom: bool = False) -> Query:
    """Return a query for how often something happens a second."""
    return _lines("sum", f"rate({counter}[$__rate_interval])", by, legend, seldom)


def risen(counter: str, *by: str, legend: str | None = None, seldom: bool = False, window: str = "") -> Query:
    """Return a query for how often something happened between two points, or within `window`."""
    return _lines("sum", f"increase({counter}[{window or '$__rate_interval'}])", by, legend, seldom)


def quantiles(histogram: str, *by: str) -> tuple[Query, ...]:
    """Return the middle and the slow ends of a histogram."""
    return tuple(
        Query(quantile(q, histogram, *by), " ".join((f"p{q * 100:g}", *_names(by)))) for q in (0.5, 0.99, 0.999)
    )


def quantile(q: float, histogram: str, *by: str) -> str:
    """Return the expression of a quantile."""
    return f"histogram_quantile({q}, sum by ({', '.join(('le', *by))}) (rate({histogram}_bucket[$__rate_interval])))"


def _lines(how: str, expr: str, by: tuple[str, ...], legend: str | None, seldom: bool) -> Query:
    grouping = f" by ({', '.join(by)})" if by else ""
    named = " ".join((*_names(by), *((legend,) if legend else ())))
    return Query(f"{how}{grouping} ({expr})" + (FALLBACK if seldom else ""), named)


def _names(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{{{{{label}}}}}" for label in labels)
