"""What a person sees."""

import io

from rich.console import Console

from segwire.up.reporter import LineReporter
from segwire.up.table import duration, live_table, summary
from segwire.up.view import Figures, ServiceView, SinkFigures, State, View


def _service(name: str, state: State = "ready", detail: str = "", restarts: int = 0) -> ServiceView:
    return ServiceView(name=name, state=state, detail=detail, restarts=restarts, url=f"http://{name}")


def _view(*services: ServiceView, figures: Figures | None = None, uptime_s: int = 0) -> View:
    return View(ingest_url="http://127.0.0.1:8080", uptime_s=uptime_s, services=services, figures=figures or Figures())


def _rendered(view: View) -> str:
    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(live_table(view))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_table_shows_rates_lag_and_totals() -> None:
    figures = Figures(
        posts_per_s=12.4, events_per_s=30, changes_per_s=7, users=1234, memberships=5678, membership_lag_records=9
    )
    lines = _rendered(_view(_service("ingest"), _service("fan-out"), _service("membership"), figures=figures))
    assert "12 POST/s" in lines
    assert "30 events/s" in lines
    assert "7 changes/s" in lines
    assert "9 records" in lines
    assert "users 1,234   memberships 5,678" in lines


def test_table_shows_each_sink_with_its_own_lag() -> None:
    figures = Figures(sinks={"sink-a": SinkFigures(1200, 0), "sink-b": SinkFigures(3, 4567)})
    lines = _rendered(_view(_service("sink-a"), _service("sink-b"), figures=figures)).splitlines()
    assert any(line.startswith("sink-a") and "1,200 records/s  " in line and "0 records" in line for line in lines)
    assert any(line.startswith("sink-b") and "3 records/s" in line and "4,567 records" in line for line in lines)


def test_table_says_why_a_service_is_not_ready() -> None:
    lines = _rendered(_view(_service("membership", "starting", "restoring 3 partitions", restarts=2)))
    row = next(line for line in lines.splitlines() if line.startswith("membership"))
    assert "starting" in row
    assert "restoring 3 partitions" in row
    assert " 2 " in row


def test_table_tells_how_a_life_ended_beside_where_the_service_is() -> None:
    view = ServiceView(
        name="ingest", state="ready", detail="", problem="ended with SIGKILL", restarts=1, url="http://i"
    )
    assert "http://i  (last ended with SIGKILL)" in _rendered(_view(view))


def test_summary_names_only_what_is_not_ready() -> None:
    view = _view(_service("ingest"), _service("fan-out", "waiting", "starts again in 2 s", restarts=1))
    assert summary(view).startswith("fan-out waiting (starts again in 2 s) | 0 POST/s")
    assert summary(view).endswith("1 restarts")


def test_lines_come_every_ten_seconds_and_only_where_something_changed() -> None:
    out = io.StringIO()
    reporter = LineReporter(Console(file=out))
    for second in range(60):
        reporter.show(_view(_service("ingest"), figures=Figures(posts=min(second, 35)), uptime_s=second))
    # POSTs in total are no part of the line, so that an idle pipeline is silent.
    assert len(out.getvalue().splitlines()) == 1
    reporter.show(_view(_service("ingest"), figures=Figures(users=5), uptime_s=61))
    assert "5 users" in out.getvalue().splitlines()[-1]


def test_a_closed_terminal_stops_nothing() -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(5, "Input/output error")

    LineReporter(Console(file=Closed())).say("draining")


def test_duration_has_days_where_there_are_any() -> None:
    assert [duration(s) for s in (0, 3723, 90_061)] == ["0:00:00", "1:02:03", "1 d 1:01:01"]
