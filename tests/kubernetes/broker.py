"""A Kafka that pods reach: one real broker at an address of the lab."""

import socket
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from segwire.embedded.kafka.cache import default_cache_dir
from segwire.embedded.kafka.download import fetch_by_jgo
from segwire.embedded.kafka.jars import JarCache
from segwire.embedded.kafka.java import find_java
from segwire.embedded.kafka.pins import load_pins
from segwire.embedded.kafka.progress import NoProgress
from segwire.embedded.kafka.properties import broker_settings, render_properties
from segwire.embedded.kafka.storage import new_cluster_id
from tests.kubernetes.lab import run, start, wait_until

PORT, CONTROLLER = 9092, 9093


def fetch_kafka() -> None:
    """See that Kafka is in the cache, while there is a network."""
    JarCache(default_cache_dir(), load_pins(), fetch_by_jgo, NoProgress()).ensure()


def start_kafka(folder: Path, address: str) -> str:
    """Start a broker; return its address when it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    java = find_java(JarCache(default_cache_dir(), load_pins(), fetch_by_jgo, NoProgress()).ensure())
    settings = broker_settings(folder / "data", PORT, CONTROLLER)
    client = f"CLIENT://{address}:{PORT}"
    settings |= {
        "listeners": f"{client},CONTROLLER://127.0.0.1:{CONTROLLER}",
        "advertised.listeners": client,
    }
    properties, log = folder / "server.properties", folder / "server.log"
    properties.write_text(render_properties(settings), encoding="ascii")
    options = ["format", "--cluster-id", new_cluster_id(), "--config", str(properties)]
    environment = java.environment()
    command = java.command("kafka.tools.StorageTool", options, log=log)
    run("env", *(f"{name}={environment[name]}" for name in ("CLASSPATH", "LC_ALL")), *command)
    start(folder, "broker", *java.command("kafka.Kafka", [str(properties)], log=log), environment=environment)
    wait_until(lambda: _answers(address), f"Kafka at {address}:{PORT} answers")
    return f"{address}:{PORT}"


def _answers(address: str) -> bool:
    try:
        socket.create_connection((address, PORT), timeout=1).close()
        return bool(AdminClient({"bootstrap.servers": f"{address}:{PORT}"}).list_topics(timeout=5).brokers)
    except (OSError, KafkaException):
        return False
