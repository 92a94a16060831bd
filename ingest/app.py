"""The ingest service: everything is put together here, and nowhere else."""

import asyncio
import gc
import socket
from pathlib import Path

import structlog
import uvloop
from confluent_kafka import Producer

from ingest.admission import Limits
from ingest.authentication.assembly import Authentication, assemble
from ingest.hot_path import PREFIX, HotPath, Source
from ingest.publisher import KafkaPublisher
from ingest.readiness import Readiness, wait_for_topics
from ingest.request import RequestIds
from ingest.routes import Dispatcher, NamedAnswers, build_api
from ingest.server import Server, bind, url_of
from runtime.clock import SystemClock
from runtime.kafka.clients import Config, OnError, producer_config
from runtime.logs import configure_logs
from runtime.management import ManagementServer
from runtime.secrets import SecretWatch
from runtime.service import StopSignal, write_ready_file
from runtime.settings import Settings
from schemas.topics import TopicNames

# What is still unacknowledged after the drain was answered 503: it gets a last chance, no more.
_FLUSH_S = 3.0
# Of unacknowledged records; senders have been told 503 for the older ones.
_QUEUE_KBYTES_MAX = 256 << 10
_RECORD_OVERHEAD_BYTES = 64 << 10

_log = structlog.get_logger()


def run(settings: Settings, ready_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return. Blocks; main thread only.

    Raises:
        ConfigurationError: no Kafka is configured, or a secret cannot be read.
        UnreachableKafkaError: no broker answered.
        SegwireError: a port is taken, or the topics do not exist.
    """
    configure_logs(settings.log, "ingest")
    stop = StopSignal()
    stop.install()
    configuration = _producer_config(settings)
    authentication = assemble(settings, SystemClock())
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    with bind(settings.ingest.host, settings.ingest.port) as listener:
        readiness = Readiness()
        management = ManagementServer(settings.management.host, settings.ingest.management_port, readiness.reason)
        management.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(
                    _serve(
                        settings, configuration, authentication, listener, management.url, readiness, stop, ready_file
                    )
                )
        finally:
            management.stop()


async def _serve(
    settings: Settings,
    configuration: Config,
    authentication: Authentication,
    listener: socket.socket,
    management_url: str,
    readiness: Readiness,
    stop: StopSignal,
    ready_file: Path | None,
) -> None:
    publisher = KafkaPublisher(
        lambda on_error: _producer(configuration, on_error), Limits(settings.ingest.ack_timeout_ms), SystemClock()
    )
    url = url_of(listener)

    def on_started() -> None:
        _tune_collector()
        readiness.serving(publisher.not_ready)
        _log.info("ingest_ready", url=url, management=management_url)
        if ready_file is not None:
            urls = {"ingest": url, "ingest-management": management_url}
            write_ready_file(ready_file, urls, settings.kafka.bootstrap_servers or "")

    def on_draining() -> None:
        readiness.draining()
        _log.info("ingest_draining")

    watch = SecretWatch(authentication.secrets)
    watch.start(asyncio.get_running_loop().call_soon_threadsafe)
    app = _build(settings, authentication, publisher)
    server = Server(app, stop, settings.ingest.drain_timeout_ms // 1000, on_started, on_draining)
    try:
        if await asyncio.to_thread(wait_for_topics, publisher, settings.kafka, stop, SystemClock()):
            await server.serve(sockets=[listener])
    finally:
        readiness.draining()
        watch.stop()
        given_up = publisher.close(_FLUSH_S)
        _log.info("ingest_stopped", unacknowledged_records=given_up)


def _build(settings: Settings, authentication: Authentication, publisher: KafkaPublisher) -> Dispatcher:
    ids = RequestIds()
    configured = settings.effective_sources()
    sources = {
        name: Source(name, source.max_body_bytes, authentication.authenticators[name])
        for name, source in configured.items()
    }
    hot_path = HotPath(sources, publisher, TopicNames(settings.kafka.topic_prefix), SystemClock(), ids)
    api = build_api(configured.values(), authentication.token_endpoint)
    return Dispatcher(PREFIX, hot_path, NamedAnswers(api, ids), ids)


def _producer_config(settings: Settings) -> Config:
    largest_bytes = max((source.max_body_bytes for source in settings.effective_sources().values()), default=0)
    return {
        "message.max.bytes": max(1_000_000, largest_bytes + _RECORD_OVERHEAD_BYTES),
        "queue.buffering.max.kbytes": _QUEUE_KBYTES_MAX,
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
