"""`segwire simulate`: a sender with a memory."""

import asyncio
import json
import os
import signal
import ssl
import sys
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote, urlsplit

import click
from rich.console import Console

from runtime.clock import SystemClock
from runtime.errors import ConfigurationError, SegwireError
from runtime.settings import KafkaSettings, Settings
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings
from segwire.cli.simulate_authentication import NAMES, authentication_options, sender_options
from segwire.own_certificate import trusting_own
from segwire.simulator.model import Model
from segwire.simulator.plan import DateShape, SimulationPlan, client_id_of_run
from segwire.simulator.progress import Display
from segwire.simulator.report import Verified, build_report, report_lines
from segwire.simulator.tally import Tally
from segwire.up.lock import UP_FILE, is_held
from segwire.up.ports import local_url

_EPILOG = """\b
Examples:
  segwire simulate --rate 200 --duration 30
  segwire simulate --users 20000 --segments 500 --rate 1000 --duration 60 --seed 7 --verify --report report.json
  segwire simulate --url https://ingest.example.com --source adobe --hmac-secret-file signing.key
"""
_CONNECT_S = 3.0


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.option("--url", default=None, help="Where ingest listens.  [default: of the running up, else as configured]")
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    help="PEM: who vouches for an https URL.  [default: the system; without --url ingest's own certificate]",
)
@click.option("--source", default="dev", help="The sending account: POST /v1/aam/SOURCE.")
@click.option("--users", type=click.IntRange(1, 10_000_000), default=1000, help="How many users there are.")
@click.option("--segments", type=click.IntRange(1, 100_000), default=100, help="How many segments there are.")
@click.option("--destinations", type=click.IntRange(1, 100), default=2, help="How many destinations hear of them.")
@click.option("--rate", type=click.FloatRange(0.01, 100_000), default=50.0, help="Messages a second.")
@click.option("--duration", type=click.FloatRange(0.1), default=30.0, help="Seconds to send for.")
@click.option("--batch-every", type=click.FloatRange(0), default=20.0, help="Seconds between batch spikes; 0: none.")
@click.option("--seed", type=click.IntRange(0), default=1, help="The same seed makes the same traffic.")
@click.option("--dates", type=click.Choice(get_args(DateShape)), default="java", help="How dates are written.")
@click.option("--client-id", default=None, help="Client_ID of every message.  [default: a new one each run]")
@click.option("--connections", type=click.IntRange(1, 4096), default=256, help="Connections to send over.")
@click.option("--verify", is_flag=True, help="Compare what is published with what must be true at the end.")
@click.option("--bootstrap-servers", default=None, help="Kafka to verify against.  [default: as configured]")
@click.option(
    "--settle", type=click.FloatRange(0), default=60.0, help="Seconds without a new record until differences count."
)
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
@authentication_options
@json_option
@config_option
@data_dir_option
def command(
    url: str | None,
    ca_file: Path | None,
    source: str,
    client_id: str | None,
    connections: int,
    verify: bool,
    bootstrap_servers: str | None,
    settle: float,
    report: Path | None,
    as_json: bool,
    config: Path | None,
    data_dir: Path | None,
    **shape: Any,
) -> None:
    """Send realistic traffic to an ingest URL, and check what comes out.

    Real-time messages, batch spikes, repeats, late and contradicting messages, for users of very different activity.
    --verify then follows the published topics until they say what must be true. Exits 1 on any difference.
    """
    settings = read_settings(config, data_dir)
    own = settings.ingest.tls if url is None and ca_file is None else None
    url = url or _ingest_url(settings)
    endpoint = _endpoint(url, source)
    options = sender_options({name: shape.pop(name) for name in NAMES}, url)
    trusted = trusting(ca_file) if own is None else trusting_own(own)
    options["tls"] = trusted if url.startswith("https:") else None
    kafka = _kafka(settings, bootstrap_servers) if verify else None
    if report is not None:
        _check_writable(report)
    plan = _plan(client_id, shape)
    model = Model()
    with Display(Console(stderr=True, highlight=False), SystemClock()) as display:
        tally = _send(plan, endpoint, connections, options, model, display)
        if tally.acknowledged == 0:
            raise SegwireError(_nothing_acknowledged(endpoint, tally))
        # An `up` that was started again meanwhile may have found the port of its Kafka taken.
        kafka = kafka and _kafka_now(settings, bootstrap_servers, kafka)
        verified = None if kafka is None else _verify(kafka, plan.client_id, model, settle, display)
    result = build_report(plan, endpoint, tally, model, verified)
    if report is not None:
        report.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    click.echo(json.dumps(result) if as_json else "\n".join(report_lines(result)))
    if verified is not None and verified.differences.total:
        sys.exit(1)


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return what an https URL is opened with.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--ca-file: {str(ca_file)!r} cannot be used ({error}); name a PEM file") from None


def _plan(client_id: str | None, shape: dict[str, Any]) -> SimulationPlan:
    start_ms = SystemClock().now_ms()
    return SimulationPlan(
        users=shape["users"],
        segments=shape["segments"],
        destinations=shape["destinations"],
        rate=shape["rate"],
        duration_s=shape["duration"],
        batch_every_s=shape["batch_every"],
        seed=shape["seed"],
        start_ms=start_ms,
        client_id=client_id or client_id_of_run(shape["seed"], start_ms),
        dates=shape["dates"],
    )


def _endpoint(url: str, source: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigurationError(f"--url: {url!r} is not an address; give it as http://HOST:PORT or https://HOST")
    return f"{url.rstrip('/')}/v1/aam/{quote(source, safe='')}"


def _ingest_url(settings: Settings) -> str:
    """Return where the running `up` of the data directory listens, else where the configuration says."""
    if is_held(data_dir := Path(settings.data_dir)):
        try:
            url = json.loads((data_dir / UP_FILE).read_text(encoding="utf-8"))["urls"]["ingest"]
        except (OSError, ValueError, LookupError, TypeError):
            pass  # It is starting or ending.
        else:
            return str(url)
    return local_url(settings.ingest.host, settings.ingest.port, secure=settings.ingest.tls is not None)


def _kafka(settings: Settings, bootstrap_servers: str | None) -> KafkaSettings:
    """Find Kafka before anything is sent, so that a long run does not end in a usage error."""
    from runtime.kafka.clients import require_brokers

    kafka = _configured_kafka(settings, bootstrap_servers)
    require_brokers(kafka)
    return kafka


def _kafka_now(settings: Settings, bootstrap_servers: str | None, before: KafkaSettings) -> KafkaSettings:
    """Return where Kafka is after the run; where it was `before`, when `up` is just not there to tell."""
    try:
        return _configured_kafka(settings, bootstrap_servers)
    except ConfigurationError:
        return before


def _configured_kafka(settings: Settings, bootstrap_servers: str | None) -> KafkaSettings:
    from segwire.cli.connection import connected_settings

    if bootstrap_servers is None:
        return connected_settings(settings).kafka
    return settings.kafka.model_copy(update={"bootstrap_servers": bootstrap_servers})


def _check_writable(report: Path) -> None:
    if not os.access(report if report.exists() else report.absolute().parent, os.W_OK):
        raise ConfigurationError(f"--report: {str(report)!r} cannot be written; name a file in a writable directory")


def _send(
    plan: SimulationPlan,
    endpoint: str,
    connections: int,
    options: dict[str, Any],
    model: Model,
    display: Display,
) -> Tally:
    import uvloop

    from segwire.simulator.run import run
    from segwire.simulator.sender import HttpSender, NoTokenError

    async def send() -> Tally:
        await _require_receiver(endpoint, options["tls"])
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with HttpSender(endpoint, connections=connections, **options) as sender:
            try:
                await sender.require_token()
            except NoTokenError as error:
                raise SegwireError(f"--oauth2-client-id: {error}; check the client, its secret and the URL") from None
            return await run(
                plan, sender, judge=model, progress=display.sending(plan), connections=connections, stop=stop
            )

    return uvloop.run(send())


async def _require_receiver(endpoint: str, tls: ssl.SSLContext | None) -> None:
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, port, ssl=tls)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason
        raise SegwireError(
            f"--url: {parts.scheme}://{parts.netloc} cannot be trusted ({reason}); "
            "name the CA of its certificate by --ca-file"
        ) from None
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no connection within {_CONNECT_S:g} s"
        raise SegwireError(
            f"--url: nobody answers at {parts.scheme}://{parts.netloc} ({reason}); "
            "start the pipeline (segwire up), or name another address"
        ) from None
    writer.close()


def _nothing_acknowledged(endpoint: str, tally: Tally) -> str:
    answers = ", ".join(f"{answer}: {count}" for answer, count in tally.answers.most_common())
    return (
        f"no message was acknowledged by {endpoint} (answers: {answers or 'none'}); "
        "check --url, --source and how the source authenticates"
    )


def _verify(kafka: KafkaSettings, client_id: str, model: Model, settle_s: float, display: Display) -> Verified:
    from segwire.simulator.kafka_reader import KafkaTopicReader
    from segwire.simulator.verify import follow

    clock = SystemClock()
    start_s = clock.monotonic_s()
    with KafkaTopicReader(kafka, client_id) as reader:
        published, differences = follow(
            model, reader, settle_s=settle_s, clock=clock, progress=display.verifying(len(model))
        )
    return Verified(published, differences, clock.monotonic_s() - start_s)
