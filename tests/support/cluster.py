"""Three real brokers on loopback, each of which can be killed, frozen, woken and started again by itself.

Clients reach them at a listener of their own; a second one is told to the world as the ports of a proxy, so that a run
may lose answers without the others noticing.
"""

import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from segwire.embedded.kafka.cache import default_cache_dir
from segwire.embedded.kafka.download import fetch_by_jgo
from segwire.embedded.kafka.jars import JarCache
from segwire.embedded.kafka.java import Java, find_java, start_cache_flags, start_cache_path
from segwire.embedded.kafka.pins import load_pins
from segwire.embedded.kafka.ports import HOST
from segwire.embedded.kafka.progress import NoProgress
from segwire.embedded.kafka.properties import SMALL, render_properties
from segwire.embedded.kafka.storage import new_cluster_id
from segwire.embedded.process import BoundProcess
from tests.support.end_transaction_proxy import EndTransactionProxy
from tests.support.kafka import wait_until

NODES = (1, 2, 3)
START_LIMIT_S = 180.0
HEAL_LIMIT_S = 120.0
INTERNAL_PARTITIONS = 4
_PARTS = ("CLIENT", "FRAIL", "INNER", "CONTROLLER")

_SETTINGS = {
    **SMALL,
    "offsets.topic.num.partitions": str(INTERNAL_PARTITIONS),
    "transaction.state.log.num.partitions": str(INTERNAL_PARTITIONS),
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # Everything that notices a dead one, quicker than by default: a run is to see the consequences.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "replica.lag.time.max.ms": "5000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "group.consumer.min.session.timeout.ms": "4000",
    "group.consumer.session.timeout.ms": "4000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
}


class Node:
    """One broker, which is one of the three controllers too."""

    def __init__(self, number: int, folder: Path, ports: dict[str, int], frail_port: int) -> None:
        self.number = number
        self.folder = folder / f"node-{number}"
        self.folder.mkdir(parents=True)
        self.ports = ports
        self.frail_port = frail_port
        self.log = self.folder / "server.log"
        self.properties = self.folder / "server.properties"
        self.process: BoundProcess | None = None
        self.frozen = False

    def configure(self, voters: str) -> None:
        at = {part: f"{part}://{HOST}:{self.ports[part]}" for part in _PARTS}
        frail = f"FRAIL://{HOST}:{self.frail_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.quorum.voters": voters,
            "listeners": ",".join(at.values()),
            "advertised.listeners": ",".join([at["CLIENT"], frail, at["INNER"]]),
            "listener.security.protocol.map": ",".join(f"{part}:PLAINTEXT" for part in _PARTS),
            "inter.broker.listener.name": "INNER",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "data"),
            **_SETTINGS,
        }
        self.properties.write_text(render_properties(settings), encoding="ascii")

    def format(self, java: Java, cluster_id: str, flags: list[str]) -> None:
        arguments = ["format", "--cluster-id", cluster_id, "--config", str(self.properties)]
        command = java.command("kafka.tools.StorageTool", arguments, log=self.log, flags=flags)
        subprocess.run(command, env=java.environment(), check=True, capture_output=True, timeout=START_LIMIT_S)

    def start(self, java: Java, flags: list[str]) -> None:
        command = java.command("kafka.Kafka", [str(self.properties)], log=self.log, flags=flags)
        console = self.folder / f"console-{uuid.uuid4().hex[:6]}.log"
        self.process = BoundProcess(command, environment=java.environment(), output=console)
        self.frozen = False

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        try:
            socket.create_connection((HOST, self.ports["CLIENT"]), timeout=1).close()
        except OSError:
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.runs():
            os.kill(self.process.pid, number)


class Cluster:
    """The three, and what is done to them."""

    def __init__(self, folder: Path) -> None:
        self._java = find_java(JarCache(default_cache_dir(), load_pins(), fetch_by_jgo, NoProgress()).ensure())
        self._flags = start_cache_flags(start_cache_path(self._java, default_cache_dir()))
        ports = iter(_free_ports(len(NODES) * len(_PARTS)))
        own = {number: {part: next(ports) for part in _PARTS} for number in NODES}
        self.proxy = EndTransactionProxy([own[number]["FRAIL"] for number in NODES])
        self.nodes = {
            number: Node(number, folder, own[number], frail)
            for number, frail in zip(NODES, self.proxy.ports, strict=True)
        }
        self.bootstrap_servers = ",".join(f"{HOST}:{node.ports['CLIENT']}" for node in self.nodes.values())
        self.frail_servers = ",".join(f"{HOST}:{node.frail_port}" for node in self.nodes.values())
        self._admin: AdminClient | None = None

    def start(self) -> None:
        """Format and start all three, and return when they know each other."""
        voters = ",".join(f"{number}@{HOST}:{node.ports['CONTROLLER']}" for number, node in self.nodes.items())
        cluster_id = new_cluster_id()
        for node in self.nodes.values():
            node.configure(voters)
        with ThreadPoolExecutor(len(NODES)) as pool:
            list(pool.map(lambda node: node.format(self._java, cluster_id, self._flags), self.nodes.values()))
        for node in self.nodes.values():
            node.start(self._java, self._flags)
        wait_until(lambda: self._brokers() == len(NODES), "three brokers", START_LIMIT_S)

    def stop(self) -> None:
        """End all; none of them has anything to keep."""
        for node in self.nodes.values():
            if node.process is not None:
                node.process.kill()
        self.proxy.close()

    def kill(self, number: int) -> None:
        """End one as the machine's death would."""
        process = self.nodes[number].process
        assert process is not None
        process.kill()

    def restart(self, number: int) -> None:
        """Start one that was killed, on its own data."""
        self.nodes[number].start(self._java, self._flags)

    def freeze(self, number: int) -> None:
        self.nodes[number].signal(signal.SIGSTOP)
        self.nodes[number].frozen = True

    def wake(self, number: int) -> None:
        self.nodes[number].signal(signal.SIGCONT)
        self.nodes[number].frozen = False

    def heal(self) -> None:
        """Wake and restart what needs it, let every answer pass, and wait until every replica is in sync."""
        self.proxy.calm()
        for number, node in self.nodes.items():
            if node.frozen:
                self.wake(number)
            if not node.runs():
                self.restart(number)
                # Until it has registered anew, the others may take its predecessor for alive.
                wait_until(node.answers, f"broker {number} answers", START_LIMIT_S)
        wait_until(self.in_sync, "every replica is in sync", HEAL_LIMIT_S)

    def in_sync(self) -> bool:
        try:
            metadata = self._client().list_topics(timeout=2)
        except KafkaException:
            return False
        partitions = [p for topic in metadata.topics.values() for p in topic.partitions.values()]
        return len(metadata.brokers) == len(NODES) and all(
            p.leader in self.nodes and len(p.isrs) == len(p.replicas) for p in partitions
        )

    def leader(self, topic: str, partition: int) -> int:
        """Return which broker leads a partition; any where nobody knows."""
        try:
            found = self._client().list_topics(timeout=2).topics[topic].partitions[partition].leader
        except (KafkaException, KeyError):
            return NODES[0]
        return found if found in self.nodes else NODES[0]

    def transaction_coordinator(self, transactional_id: str) -> int:
        return self.leader("__transaction_state", _java_hash(transactional_id) % INTERNAL_PARTITIONS)

    def group_coordinator(self, group_id: str) -> int:
        return self.leader("__consumer_offsets", _java_hash(group_id) % INTERNAL_PARTITIONS)

    def describe(self) -> str:
        return json.dumps({n: {"runs": node.runs(), "frozen": node.frozen} for n, node in self.nodes.items()})

    def _brokers(self) -> int:
        for node in self.nodes.values():
            assert node.runs(), node.log.read_text()[-4000:]
        try:
            return len(self._client().list_topics(timeout=1).brokers)
        except KafkaException:
            return 0

    def _client(self) -> AdminClient:
        if self._admin is None:
            config: dict[str, str | int | float | bool] = {
                "bootstrap.servers": self.bootstrap_servers,
                "log_level": 0,
                "reconnect.backoff.max.ms": 500,
            }
            self._admin = AdminClient(config)
        return self._admin


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster and stop it in the end."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def pause(seconds: float) -> None:
    """Let time pass: how long a fault lasts, never how something is waited for."""
    time.sleep(seconds)


def _free_ports(count: int) -> list[int]:
    """Let the system choose, all at once, so that none is given twice."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _java_hash(text: str) -> int:
    """Return Java's `String.hashCode` without its sign, as Kafka places groups and transactional IDs."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF
