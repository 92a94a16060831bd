"""What is shown: plain values, made by the supervisor and rendered by the table and the lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["starting", "ready", "waiting", "ended"]


@dataclass(frozen=True, kw_only=True)
class ServiceView:
    """How one process is."""

    name: str
    state: State
    detail: str
    problem: str = ""
    restarts: int
    url: str


@dataclass(frozen=True)
class SinkFigures:
    """What one sink did."""

    records_per_s: float
    lag_records: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the pipeline did; totals are since `up` began, rates of the last seconds."""

    posts_per_s: float = 0.0
    events_per_s: float = 0.0
    changes_per_s: float = 0.0
    posts: int = 0
    events: int = 0
    changes: int = 0
    not_ok: int = 0
    dead_letters: int = 0
    fan_out_lag_records: int = 0
    membership_lag_records: int = 0
    users: int = 0
    memberships: int = 0
    sinks: Mapping[str, SinkFigures] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything at one moment."""

    ingest_url: str
    uptime_s: int
    services: tuple[ServiceView, ...]
    figures: Figures
