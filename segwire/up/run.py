"""Puts `up` together: lock, ports, Kafka, topics, children; then watches until it is told to stop."""

import json
import os
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigurationError
from runtime.kafka.topics import apply_topics
from runtime.registry.apply import apply_with_schemas
from runtime.service import write_ready_file, write_whole
from runtime.settings import KafkaSettings, Settings
from runtime.tracing.opening import check_traces
from schemas.topics import topics_for
from segwire.embedded.postgres.container import TestcontainersPostgres
from segwire.embedded.postgres.storage import PostgresStorage
from segwire.up.background import Background, wait_for
from segwire.up.demo.samples import moved, samples
from segwire.up.hints import next_lines, program, url_lines
from segwire.up.kafka import KafkaKeeper, apply_topics_of_ours, check_kafka_option
from segwire.up.leftovers import end_leftovers
from segwire.up.live import LiveReporter
from segwire.up.lock import UP_FILE, DataLock
from segwire.up.pipeline import Pipeline
from segwire.up.ports import service_urls, settle_ports
from segwire.up.reporter import LineReporter, Reporter
from segwire.up.restart import RestartPolicy
from segwire.up.services import child_environment, postgres_service, sample_traffic, services
from segwire.up.signals import Stop, StopRequested
from segwire.up.start_kafka import open_kafka
from segwire.up.with_postgres import postgres_variables
from segwire.up.with_registry import RegistryKeeper, keep_registry, with_registry

_LEFTOVER_GRACE_S = 5.0
_LEAVE_S = 3.0


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """What the command line says beyond the configuration."""

    config: Path | None = None
    ready_file: Path | None = None
    kafka: str | None = None
    ui: bool = True
    demo: bool = False
    any_port: bool = False
    postgres: bool = False
    postgres_container: bool = False
    registry: bool = False
    policy: RestartPolicy = field(default_factory=RestartPolicy)


def run(settings: Settings, options: UpOptions) -> None:
    """Run the pipeline until a signal; then drain it.

    Raises:
        ConfigurationError: before anything was started, or a child refused its configuration.
        SegwireError: the start failed, or a child died again and again; everything was stopped in order.
    """
    if options.kafka is not None:
        check_kafka_option(options.kafka)
    check_traces(settings.traces)
    source = open_source(settings)
    if options.demo and source is None:
        raise ConfigurationError(
            f"--demo: none of the configured sources ({', '.join(settings.effective_sources())}) takes messages "
            "without authentication, and the demo has none; add one with allow_unauthenticated: true, or leave it out"
        )
    if options.demo and settings.ingest.tls is not None and settings.ingest.tls.client_ca_file is not None:
        raise ConfigurationError(
            "--demo: ingest.tls.client_ca_file wants a certificate of every sender, and the demo has none; "
            "leave one of the two out"
        )
    console = Console(highlight=False)
    live = options.ui and console.is_terminal
    stop = Stop()
    with ExitStack() as cleanup:
        up = _Up(settings, options, console, LiveReporter(console) if live else LineReporter(console), stop, cleanup)
        stop.install()
        try:
            up.start(source)
            up.watch()
        except StopRequested:
            up.reporter.say("Stopping before everything was started")
        finally:
            up.reporter.freeze()
    up.reporter.say("Stopped; the next start on the same data goes on from here")
    up.leave()


def open_source(settings: Settings) -> str | None:
    """Return a source that takes messages without authentication, `dev` first."""
    found = [name for name, source in settings.effective_sources().items() if source.allow_unauthenticated]
    return "dev" if "dev" in found else next(iter(found), None)


class _Up:
    """The steps of a start, each of which says how it is undone."""

    def __init__(
        self,
        settings: Settings,
        options: UpOptions,
        console: Console,
        reporter: Reporter,
        stop: Stop,
        cleanup: ExitStack,
    ) -> None:
        self.reporter = reporter
        self._settings = settings
        self._options = options
        self._console = console
        self._stop = stop
        self._cleanup = cleanup
        self._clock: Clock = SystemClock()
        self._data_dir = Path(settings.data_dir)
        self._starting: Background[None] | None = None
        self._keepers: list[KafkaKeeper | RegistryKeeper] = []

    def start(self, source: str | None) -> None:
        began_s = self._clock.monotonic_s()
        self._hold_data_dir()
        settings = settle_ports(self._settings)
        kafka, keeper = self._start_kafka(settings)
        settings = self._start_registry(settings.model_copy(update={"kafka": kafka}))
        for line in wait_for(Background(lambda: self._apply_topics(settings, keeper)), self._stop):
            self.reporter.say(line)
        self._pipeline = self._start_children(settings)
        self._pipeline.wait_until_ready()
        self._tell_others(settings)
        self.reporter.say(f"Segwire is ready after {self._clock.monotonic_s() - began_s:.1f} s")
        self._tell_person(settings, source)
        if self._options.demo and source is not None:
            self._pipeline.play_demo(source)
            environment = child_environment(settings, os.environ)
            self._pipeline.add(sample_traffic(settings, source, self._options.config, environment))

    def leave(self) -> None:
        """End the process where a download under way would hold it."""
        if self._starting is not None and not self._starting.join(_LEAVE_S):
            self._console.show_cursor(True)
            self._console.file.flush()
            os._exit(0)

    def watch(self) -> None:
        self._pipeline.watch()

    def _hold_data_dir(self) -> None:
        lock = DataLock(self._data_dir)
        self._cleanup.callback(lock.release)
        for stale in (self._data_dir / UP_FILE, self._options.ready_file):
            if stale is not None:
                stale.unlink(missing_ok=True)
        end_leftovers(self._data_dir, _LEFTOVER_GRACE_S, self.reporter.say)

    def _start_kafka(self, settings: Settings) -> tuple[KafkaSettings, KafkaKeeper | None]:
        opened = open_kafka(
            settings,
            self._options.kafka,
            any_port=self._options.any_port,
            policy=self._options.policy,
            console=self._console,
            clock=self._clock,
            reporter=self.reporter,
        )
        if opened.keeper is not None:
            self._keep(opened.keeper)
        return wait_for(Background(opened.kafka), self._stop), opened.keeper

    def _start_registry(self, settings: Settings) -> Settings:
        if not self._options.registry:
            return settings
        keeper = keep_registry(
            self._data_dir, any_port=self._options.any_port, policy=self._options.policy, console=self._console,
            clock=self._clock, reporter=self.reporter,
        )  # fmt: skip
        self._keep(keeper)
        return with_registry(settings, keeper.address)

    def _keep(self, keeper: KafkaKeeper | RegistryKeeper) -> None:
        """Start a server in the background, so that a stop is heard; it is stopped after all that use it."""
        self._cleanup.callback(self._stop_server, keeper)
        self._starting = Background(keeper.start)
        wait_for(self._starting, self._stop)
        self._keepers.append(keeper)

    def _apply_topics(self, settings: Settings, keeper: KafkaKeeper | None) -> list[str]:
        kafka, topics = settings.kafka, topics_for(self._settings.destinations)

        def make() -> list[str]:
            if keeper is None:
                return apply_topics(kafka, topics)
            return apply_topics_of_ours(kafka, topics, self._clock, time.sleep)

        return apply_with_schemas(settings.schema_registry, kafka.topic_prefix, topics, make)

    def _stop_server(self, keeper: KafkaKeeper | RegistryKeeper) -> None:
        self.reporter.say(f"{keeper.name}: stopping")
        keeper.stop()

    def _start_children(self, settings: Settings) -> Pipeline:
        environment = child_environment(settings, os.environ)
        if self._options.postgres:
            environment |= postgres_variables(settings)
            self._postgres_dsn(make=True)
        children = services(settings, self._options.config, environment)
        if self._options.postgres:
            children.append(postgres_service(settings, environment, container=self._options.postgres_container))
        pipeline = Pipeline(
            children, settings, self._options.policy, self._keepers, self._clock, self.reporter, self._stop
        )
        self._cleanup.callback(pipeline.stop)
        self.reporter.say(f"Starting {', '.join(child.name for child in children)}")
        pipeline.start()
        return pipeline

    def _tell_others(self, settings: Settings) -> None:
        kafka = settings.kafka
        shown = {"bootstrap_servers", "topic_prefix", "partitions", "replication_factor"}
        document: dict[str, object] = {
            "pid": os.getpid(),
            "kafka": kafka.model_dump(include=shown),
            "urls": self._urls(settings),
        }
        if settings.schema_registry.url is not None:
            document["schema_registry"] = {"url": settings.schema_registry.url}
        if kafka.properties != self._settings.kafka.properties:
            document["kafka"] = {**kafka.model_dump(include=shown), "properties": kafka.properties}
        # Undone first of all, before anything drains.
        self._cleanup.callback((self._data_dir / UP_FILE).unlink, missing_ok=True)
        write_whole(self._data_dir / UP_FILE, json.dumps(document) + "\n")
        if self._options.ready_file is not None:
            self._cleanup.callback(self._options.ready_file.unlink, missing_ok=True)
            write_ready_file(self._options.ready_file, self._urls(settings), kafka.bootstrap_servers or "")

    def _urls(self, settings: Settings) -> dict[str, str]:
        database = {"postgres": self._postgres_dsn()} if self._options.postgres else {}
        url = settings.schema_registry.url
        return {**service_urls(settings), **database, **({} if url is None else {"registry": url})}

    def _postgres_dsn(self, *, make: bool = False) -> str:
        if self._options.postgres_container:
            return TestcontainersPostgres(self._data_dir).dsn
        storage = PostgresStorage(self._data_dir)
        if make:
            storage.make()
        return storage.dsn

    def _tell_person(self, settings: Settings, source: str | None) -> None:
        for line in url_lines(self._urls(settings), settings.kafka.bootstrap_servers or "", source or "{source}"):
            self.reporter.say(line)
        if source is None:
            return
        sample = self._data_dir / "sample.json"
        write_whole(sample, moved(samples()[-1], self._clock.now_ms()))
        called = program(shutil.which("segwire"), Path(sys.executable), Path.cwd())
        for line in next_lines(self._settings, settings, self._options.config, source, sample, called):
            self.reporter.say(line)
