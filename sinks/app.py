"""Composition root of the sinks: everything is put together here, and nowhere else."""

import difflib
from contextlib import ExitStack
from pathlib import Path

from runtime.destination_settings import DestinationSettings
from runtime.errors import ConfigurationError
from runtime.hosting import begin, serve
from runtime.loop import TransactionLoop
from runtime.processor import Processor
from runtime.settings import Settings
from runtime.sink_settings import SinkSettings
from runtime.tracing.opening import tracing
from sinks.context import SinkContext


def run_sink(settings: Settings, name: str, ready_file: Path | None) -> None:
    """Run one configured sink or destination until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: none of this name is configured, or what it needs is not there.
        SegwireError: Kafka cannot be reached, a topic is missing, a port is taken, another process has this ordinal.
    """
    section = find_sink(settings, name)
    if isinstance(section, DestinationSettings):
        # Each is imported only where it is used: the others' libraries cost memory and time.
        from sinks.outbound.app import run_destination

        run_destination(settings, name, ready_file)
        return
    with ExitStack() as cleanup:
        names = begin(settings, f"sink-{name}")
        tracer = cleanup.enter_context(tracing(settings.traces, f"sink-{name}"))
        context = SinkContext(name, settings, names, cleanup, tracer)
        serve(settings, context.service, section, _loops(context, section), ready_file)


def find_sink(settings: Settings, name: str) -> SinkSettings | DestinationSettings:
    """Return the configuration of a sink or destination.

    Raises:
        ConfigurationError: none of this name is configured.
    """
    section = settings.effective_sinks().get(name)
    if section is None:
        raise ConfigurationError(_unknown(settings, name))
    return section


def rewriting_processor(context: SinkContext) -> Processor:
    """Return what writes rows of any age to a sink, beside its live process: for backfills.

    Raises:
        ConfigurationError: what the sink needs is not there.
    """
    from sinks.postgres import app

    return app.rewriting_processor(context, context.settings.sinks[context.name])


def _loops(context: SinkContext, section: SinkSettings) -> list[TransactionLoop]:
    """Return the loops of a sink: where a new type of sink is added."""
    from sinks.postgres.app import postgres_loops

    return postgres_loops(context, section)


def _unknown(settings: Settings, name: str) -> str:
    known = sorted(settings.effective_sinks())
    if not known:
        return f"sink {name}: no sink is configured; add sinks.{name} (or destinations.{name}) to the configuration"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"the nearest is {near[0]}" if near else "configured: " + ", ".join(known)
    return f"sink {name}: there is none of this name; {hint}"
