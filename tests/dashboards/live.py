"""Every query of every panel against a real Prometheus beside a real `segwire up`: `make dashboards`.

What a healthy run does not show is brought about: messages that are none, wrong signatures, tokens, a Kafka that stands
still for some seconds. Exits 1 where a query gives nothing.
"""

import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import yaml

from deploy.grafana.board import FALLBACK, Board, Query, scoped
from deploy.grafana.render import BOARDS
from tests.dashboards.partner import answering_partner
from tests.dashboards.traffic import configuration, send_all, simulate, stop_kafka_for_a_while
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.promql import declared_series, selectors
from tests.support.stack import Segwire, Up, running_up

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
TRAFFIC_S = 300
RATE = 40
LIMIT_S = 120.0
_LOOKS = 10

_VARIABLES = {"$namespace": ".*", "$segment": ".*"}

# What has no series until it happens, and what nothing in this run makes happen.
HAPPENS_NOT_HERE = {
    "ALERTS": "no alert fires in a healthy pipeline",
    "segwire_processor_watchdog_total": "a process stands still for minutes",
    "segwire_processor_aborts_total": "a transaction must be aborted",
    "segwire_processor_producers_replaced_total": "nobody knows an outcome",
    "segwire_processor_failures_total": "a record fails",
    "segwire_processor_isolating": "a record fails",
    "segwire_processor_invariant_broken": "an invariant must be broken",
    "segwire_trace_spans_total": "traces are off",
    "segwire_processor_backpressure": "a sink takes nothing",
    "segwire_processor_backpressures_total": "a sink takes nothing",
    "segwire_processor_timers_stopped_total": "clocks differ",
    "segwire_processor_clock_difference_seconds": "a membership expires: the shortest takes a day",
    "segwire_processor_restored_records_total": "a state is lost",
    "segwire_ingest_replay_refused_total": "Kafka does not take a replay",
    "segwire_sink_failures_total": "a database is away",
    "segwire_secret_reloads_total": "the file of a secret changes",
}


def substituted(expr: str, rate_interval: str = "30s") -> str:
    """Return an expression as Grafana sends it."""
    for variable, value in {**_VARIABLES, "$__rate_interval": rate_interval}.items():
        expr = expr.replace(variable, value)
    return expr


def answer(prometheus: Prometheus, query: Query) -> str | None:
    """Return what is wrong with the answer to a query, None where it gives numbers."""
    happens = not any(name in HAPPENS_NOT_HERE for name, _ in selectors(query.expr))
    asked = query.expr.replace(FALLBACK, "") if happens else query.expr
    samples = prometheus.query(substituted(scoped(asked)))
    if not samples:
        return "no data"
    if all(math.isnan(value) for _, value in samples):
        return "no number"
    return None


def questions() -> Iterator[tuple[Board, str, Query]]:
    """Yield each query with its board and panel."""
    for board in BOARDS:
        for row in board.rows:
            for panel in row.panels:
                for query in panel.queries:
                    yield board, panel.title, query


def undelivered(prometheus: Prometheus) -> list[str]:
    """Return each declared series that no process exposed."""
    ours = {name for name in declared_series() if name.startswith("segwire_")}
    return sorted(ours - prometheus.names() - set(HAPPENS_NOT_HERE))


def watch(up: Up, prometheus: Prometheus) -> list[str]:
    """Send traffic until every query has been answered at some time; return what is wrong with the others."""
    sender = simulate(up, TRAFFIC_S, RATE)
    missing = list(questions())
    try:
        deadline_s = time.monotonic() + LIMIT_S
        while missing and time.monotonic() < deadline_s:
            send_all(up)
            stop_kafka_for_a_while(up)
            for _ in range(_LOOKS):
                missing = [(board, title, query) for board, title, query in missing if answer(prometheus, query)]
                time.sleep(1)  # what Prometheus scrapes comes each second
        return [f"{board.name} / {title}: {answer(prometheus, query)}: {query.expr}" for board, title, query in missing]
    finally:
        sender.terminate()
        sender.wait()


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="segwire-dashboards-"))
    home = folder / "home"
    home.mkdir()
    segwire = Segwire(Path(sys.executable).parent / "segwire", home)
    with answering_partner() as partner_url:
        configured = folder / "segwire.yaml"
        configured.write_text(yaml.safe_dump(configuration(partner_url)), encoding="utf-8")
        options = ("--config", str(configured), "--port", "0", "--with", "postgres")
        with running_up(segwire, folder / "data", *options) as up:
            targets = {name: urlsplit(url).netloc for name, url in up.urls.items() if name.endswith("-management")}
            with running_prometheus(folder / "prometheus", targets, RULES) as prometheus:
                wrong = watch(up, prometheus)
                wrong += [f"exposed by nobody: {name}" for name in undelivered(prometheus)]
                firing = prometheus.query('ALERTS{alertstate="firing"}')
                wrong += [f"alert fires: {labels}" for labels, _ in firing]
    asked = len(list(questions()))
    click.echo("\n".join([*wrong, f"dashboards: {asked} queries of {len(BOARDS)} boards, {len(wrong)} findings"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
