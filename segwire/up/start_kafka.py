"""Opens the Kafka that `--kafka` names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from runtime.clock import Clock
from runtime.settings import KafkaSettings, Settings
from segwire.embedded.kafka.interface import KafkaServer
from segwire.up.kafka import (
    TESTCONTAINERS,
    KafkaKeeper,
    check_kafka_option,
    keep_kafka,
    own_settings,
    remote_settings,
)
from segwire.up.reporter import Reporter
from segwire.up.restart import RestartPolicy


@dataclass(frozen=True)
class OpenedKafka:
    """A Kafka of ours, to be started by its keeper, or another's; `kafka` gives its settings once it runs."""

    keeper: KafkaKeeper | None
    kafka: Callable[[], KafkaSettings]


def open_kafka(
    settings: Settings,
    choice: str | None,
    *,
    any_port: bool,
    policy: RestartPolicy,
    console: Console,
    clock: Clock,
    reporter: Reporter,
) -> OpenedKafka:
    """Describe the Kafka to use; nothing is started yet.

    Raises:
        SegwireError: the packages that it needs are not installed.
    """
    configured = settings.kafka
    if choice is not None and choice != TESTCONTAINERS:
        addresses = check_kafka_option(choice)
        return OpenedKafka(None, lambda: remote_settings(configured, addresses))
    if configured.bootstrap_servers:
        reporter.say(
            f"kafka.bootstrap_servers: {configured.bootstrap_servers} is configured, but `up` starts a Kafka of its "
            f"own; to use that one: --kafka {configured.bootstrap_servers}"
        )
    if choice == TESTCONTAINERS:
        keeper = keep_kafka(_container(), policy, clock, reporter)
    else:
        make = _embedded(Path(settings.data_dir), console)
        # The children know the port: a restart may not choose another.
        keeper = keep_kafka(
            make(0 if any_port else None), policy, clock, reporter,
            at_address=lambda address: make(int(address.rpartition(":")[2])),
        )  # fmt: skip
    return OpenedKafka(keeper, lambda: own_settings(configured, keeper.address))


def _embedded(data_dir: Path, console: Console) -> Callable[[int | None], KafkaServer]:
    from segwire.embedded.kafka.progress import ConsoleProgress
    from segwire.embedded.kafka.server import EmbeddedKafka

    return lambda port: EmbeddedKafka(data_dir, port=port, progress=ConsoleProgress(console))


def _container() -> KafkaServer:
    from segwire.embedded.kafka.container import TestcontainersKafka

    return TestcontainersKafka()
