"""What a dashboard shows, as plain data. `sdk.py` turns it into Grafana's model."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["stat", "graph"]

_SERIES = re.compile(r"\b(segwire[_:][a-z0-9_:]+)(\{)?")


@dataclass(frozen=True)
class Query:
    """One PromQL expression and the name of its lines, with labels as `{{label}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A number (`stat`) or lines over time (`graph`), and what they mean to whoever looks.

    From `bad_from` on a value is red; below `good_from` it is. `width` of 24.
    """

    title: str
    means: str
    queries: tuple[Query, ...]
    kind: Kind = "graph"
    unit: str = "short"
    width: int = 8
    bad_from: float | None = None
    good_from: float | None = None


@dataclass(frozen=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard; `text` is Markdown below everything else, under `text_title`."""

    name: str
    title: str
    means: str
    rows: tuple[Row, ...]
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


def quantiles(histogram: str, by: str = "") -> tuple[Query, ...]:
    """Return the middle and the slow ends of a histogram."""
    labels, name = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket[$__rate_interval])))",
            f"p{q * 100:g}{name}",
        )
        for q in (0.5, 0.99, 0.999)
    )
