"""The broker's settings: one KRaft node on loopback, small."""

from collections.abc import Mapping
from pathlib import Path

from segwire.embedded.kafka.ports import HOST

NODE_ID = 1


def broker_settings(log_dir: Path, client_port: int, controller_port: int) -> dict[str, str]:
    """Return the settings of the only node of a cluster."""
    client, controller = f"CLIENT://{HOST}:{client_port}", f"CONTROLLER://{HOST}:{controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        # The ports may differ from start to start: the stored quorum names its voters by ID alone.
        "controller.quorum.voters": f"{NODE_ID}@{HOST}:{controller_port}",
        "listeners": f"{client},{controller}",
        "advertised.listeners": client,
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(log_dir),
        **SINGLE_REPLICA,
        **SMALL,
        **SHORT_SESSION,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
    }


SINGLE_REPLICA: Mapping[str, str] = {
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}

# After a SIGKILL the broker is taken for alive, and cannot register again, until this session has ended: nine seconds
# by default. It tells nothing here, where broker and controller are one process and stall together or not at all.
SHORT_SESSION: Mapping[str, str] = {"broker.session.timeout.ms": "2500", "broker.heartbeat.interval.ms": "500"}

SMALL: Mapping[str, str] = {
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": str(4 << 20),
    # What waits for the request threads is on the heap, and without a limit could fill it.
    "socket.request.max.bytes": str(32 << 20),
    "queued.max.request.bytes": str(64 << 20),
}


def render_properties(settings: Mapping[str, str]) -> str:
    r"""Render a file as Java reads it: ISO 8859-1, with `\uXXXX` for all else."""
    return "".join(f"{name}={_escape(value)}\n" for name, value in settings.items())


def _escape(value: str) -> str:
    encoded = value.encode("utf-16-be")
    units = (int.from_bytes(encoded[at : at + 2], "big") for at in range(0, len(encoded), 2))
    text = "".join(_escape_unit(unit) for unit in units)
    return f"\\{text}" if text.startswith(" ") else text


def _escape_unit(unit: int) -> str:
    if unit == ord("\\"):
        return "\\\\"
    return chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}"
