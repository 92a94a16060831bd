"""The ingest service: everything is put together here, and nowhere else."""

import asyncio
import gc
import random
import signal
import socket
from pathlib import Path

import structlog
import uvloop
from confluent_kafka import Producer
from starlette.types import ASGIApp

from ingest.authentication.assembly import Authentication, assemble
from ingest.direct import DirectRoute
from ingest.hot_path import PREFIX, HotPath
from ingest.lifecycle import GracefulStop
from ingest.proxies import believing
from ingest.publisher import Publisher
from ingest.readiness import Readiness
from ingest.recording import Source
from ingest.request import RequestIds
from ingest.routes import Dispatcher, NamedAnswers, build_api
from ingest.server import Server, bind, connection_limits, url_of
from ingest.stores import Stores
from ingest.tls import Certificates
from ingest.traced import TracedPublisher
from runtime.clock import SystemClock
from runtime.kafka.clients import Config, OnError, producer_config
from runtime.logs import configure_logs
from runtime.management import ManagementServer
from runtime.secrets import SecretWatch
from runtime.service import ReadyFile, StopSignal
from runtime.settings import Settings
from runtime.tracing.opening import check_traces, tracing
from runtime.tracing.tracer import Tracer
from schemas.topics import TopicNames

# Of unacknowledged records; senders have been told 503 for the older ones.
_QUEUE_KBYTES_MAX = 256 << 10
_RECORD_OVERHEAD_BYTES = 64 << 10

_log = structlog.get_logger()


def check(settings: Settings) -> None:
    """See that the configuration is whole, without starting anything.

    Raises:
        ConfigurationError: no Kafka is configured, a secret cannot be read, or traces cannot be had.
    """
    _producer_config(settings)
    assemble(settings, SystemClock())
    check_traces(settings.traces)


def run(settings: Settings, ready_file: Path | None, worker: int = 0, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return. Blocks; main thread only.

    As one of several `workers` it shares the port with the others, and has the spool of its own number.

    Raises:
        ConfigurationError: no Kafka is configured, or a secret cannot be read.
        SegwireError: a port is taken, or another process holds the spool.
    """
    configure_logs(settings.log, "ingest" if workers == 1 else f"ingest-{worker}")
    stop = StopSignal()
    stop.install()
    if workers > 1:
        # What a terminal sends goes to all of us: the parent passes it on, once.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    configuration = _producer_config(settings)
    authentication = assemble(settings, SystemClock())
    certificates = None if settings.ingest.tls is None else Certificates(settings.ingest.tls)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    with bind(settings.ingest.host, settings.ingest.port, shared=workers > 1) as listener:
        readiness = Readiness()
        management = ManagementServer(settings.management.host, settings.ingest.management_port, readiness.reason)
        management.start()
        try:
            with (
                tracing(settings.traces, "ingest") as tracer,
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ):
                runner.run(
                    _serve(
                        settings,
                        configuration,
                        authentication,
                        certificates,
                        listener,
                        management.url,
                        readiness,
                        stop,
                        ready_file,
                        worker,
                        workers,
                        tracer,
                    )
                )
        finally:
            management.stop()


async def _serve(
    settings: Settings,
    configuration: Config,
    authentication: Authentication,
    certificates: Certificates | None,
    listener: socket.socket,
    management_url: str,
    readiness: Readiness,
    stop: StopSignal,
    ready_file: Path | None,
    worker: int,
    workers: int,
    tracer: Tracer | None,
) -> None:
    clock = SystemClock()
    stores = await Stores.open(
        settings,
        lambda on_error: _producer(configuration, on_error),
        _QUEUE_KBYTES_MAX << 10,
        readiness,
        clock,
        worker,
        workers,
    )
    url = url_of(listener, secure=certificates is not None)

    def on_started() -> None:
        _tune_collector()
        readiness.serving(stores.local.trouble)
        _log.info("ingest_ready", url=url, management=management_url)
        if ready_file is not None:
            urls = {"ingest": url, "ingest-management": management_url}
            ReadyFile(ready_file, urls, settings.kafka.bootstrap_servers or "").when(readiness.reason, stop)

    def on_draining() -> None:
        readiness.draining()
        server.let_go()
        _log.info("ingest_draining")

    watch = SecretWatch(authentication.secrets)
    watch.start(asyncio.get_running_loop().call_soon_threadsafe)
    app, route = _build(settings, authentication, _traced(stores.publisher, tracer, settings))
    graceful = GracefulStop(stop, settings.ingest.drain_grace_ms / 1000, clock, on_draining)
    server = Server(
        app,
        graceful,
        settings.ingest.drain_timeout_ms // 1000,
        on_started,
        readiness.draining,
        limits=connection_limits(settings.ingest.limits),
        certificates=certificates,
        route=route if settings.ingest.hot_route == "direct" else None,
    )
    try:
        await stores.start()
        await server.serve(sockets=[listener])
    finally:
        readiness.draining()
        watch.stop()
        _log.info("ingest_stopped", unacknowledged_records=await stores.close())


def _build(settings: Settings, authentication: Authentication, publisher: Publisher) -> tuple[ASGIApp, DirectRoute]:
    clock = SystemClock()
    ids = RequestIds()
    configured = settings.effective_sources()
    sources = {
        name: Source(name, source.max_body_bytes, authentication.authenticators[name])
        for name, source in configured.items()
    }
    hot_path = HotPath(sources, publisher, TopicNames(settings.kafka.topic_prefix), clock, ids)
    api = build_api(configured.values(), authentication.token_endpoint)
    dispatcher = Dispatcher(PREFIX, hot_path, NamedAnswers(api, ids), ids)
    route = DirectRoute(hot_path, publisher, clock, ids)
    return believing(dispatcher, settings.ingest.trusted_proxies), route


def _traced(publisher: Publisher, tracer: Tracer | None, settings: Settings) -> Publisher:
    if tracer is None:
        return publisher
    names = TopicNames(settings.kafka.topic_prefix)
    return TracedPublisher(publisher, tracer, names, settings.traces.sample_ratio, random.random)


def _producer_config(settings: Settings) -> Config:
    largest_bytes = max((source.max_body_bytes for source in settings.effective_sources().values()), default=0)
    return {
        "message.max.bytes": max(1_000_000, largest_bytes + _RECORD_OVERHEAD_BYTES),
        "queue.buffering.max.kbytes": _QUEUE_KBYTES_MAX,
        # Each batch to another partition: of one partition it sends the next only when the last is acknowledged, and
        # while it waits for that it asks the clock without end.
        "sticky.partitioning.linger.ms": max(1, round(settings.ingest.linger_ms)),
        **producer_config(settings.kafka, linger_ms=settings.ingest.linger_ms),
        # What it would print comes to the error callback too.
        "log_level": settings.kafka.properties.get("log_level", 0),
    }


def _producer(configuration: Config, on_error: OnError) -> Producer:
    return Producer({**configuration, "error_cb": on_error})


def _tune_collector() -> None:
    """Keep the garbage collector from walking over what lives as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
