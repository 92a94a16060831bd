"""How fast an outbound destination delivers: `python benchmarks/outbound.py [--users N] [--python]`.

An embedded Kafka, `segwire sink` as it is deployed (from the compiled wheel; `--python`: from the checkout), and a
receiver in a process of its own that answers 200 at once, all on this machine. Each user has one new membership. The
baseline, in the same run, is a loop of httpx2 that posts the very messages which the receiver got, over as many
connections, with no Kafka, no state, no receipts and no signature.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import psutil
import yaml
from confluent_kafka import Producer
from membership.ours import build

from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from schemas.avro_codec import encode_key, encode_membership
from schemas.event import Partner
from schemas.membership import SegmentMembership, SegmentMembershipKey
from schemas.partitioning import partition_of
from schemas.topics import TopicNames, topics_for
from segwire.embedded.kafka.server import EmbeddedKafka

ROOT = Path(__file__).parent.parent
PARTITIONS = 12
CONNECTIONS = 8
USERS_PER_MESSAGE = 10
NAME = "bench"
LIMIT_S = 600.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"


class Answering(asyncio.Protocol):
    """Answers each request 200, and keeps the bodies."""

    def __init__(self, bodies: list[bytes]) -> None:
        self._bodies = bodies
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            lengths = [
                line for line in bytes(self._read[:end]).lower().split(b"\r\n") if line.startswith(b"content-length")
            ]
            size = int(lengths[0].partition(b":")[2])
            if len(self._read) < end + 4 + size:
                return
            self._bodies.append(bytes(self._read[end + 4 : end + 4 + size]))
            del self._read[: end + 4 + size]
            self._transport.write(ANSWER)


def receive(told: Connection) -> None:
    """Serve until the parent says how to end; answer each other word with what came so far."""

    async def serve() -> None:
        bodies: list[bytes] = []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Answering(bodies), "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        while (word := await loop.run_in_executor(None, told.recv)) != "end":
            told.send(bodies if word == "bodies" else sum(body.count(b'"AAM_UUID"') for body in bodies))

    asyncio.run(serve())


@contextmanager
def receiver() -> Iterator[tuple[Connection, int]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours, ours.recv()
    finally:
        ours.send("end")
        process.join(10)


def prepare(servers: str, users: int) -> None:
    names, chance, now_ms = TopicNames(), random.Random(1), time.time_ns() // 1_000_000
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20})
    for number in range(users):
        key = SegmentMembershipKey("74323", "423", f"{chance.getrandbits(126):038d}", "14356")
        row = SegmentMembership(
            client_id=key.client_id, destination_id=key.destination_id, aam_uuid=key.aam_uuid,
            segment_id=key.segment_id, status="ACTIVE",
            since=now_ms, verified_at=now_ms, expires_at=None, cause="QUALIFIED",
            partners=[Partner(f"cookie-{number}", 12345)], regions=[9], version=now_ms + number,
        )  # fmt: skip
        partition = partition_of(key.aam_uuid, PARTITIONS)
        producer.produce(names.segment_membership, encode_membership(row), encode_key(key), partition)
        producer.poll(0)
    assert producer.flush(LIMIT_S) == 0


def cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def show(what: str, entries: int, messages: int, took_s: float, used_s: float) -> None:
    print(
        f"{what:<28} {entries / took_s:>8,.0f} deliveries/s {messages / took_s:>7,.0f} messages/s   "
        f"CPU us: {used_s / entries * 1e6:.0f} a delivery, {used_s / messages * 1e6:.0f} a message   "
        f"load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def ours(folder: Path, wheel: Path, servers: str, port: int, told: Connection, users: int) -> list[bytes]:
    config = folder / "segwire.yaml"
    destination = {
        "url": f"http://127.0.0.1:{port}/", "client_id": "partner", "destination_id": "7", "dpid": 12345,
        "allow_plain_http": True, "connections": CONNECTIONS, "max_users_per_message": USERS_PER_MESSAGE,
        "segments": {"14356": {}},
    }  # fmt: skip
    config.write_text(yaml.safe_dump({"destinations": {NAME: destination}}))
    command = [sys.executable, "-P", "-m", "segwire.cli.main", "sink", NAME, "--config", str(config), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(wheel), "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": servers}

    def delivered() -> int:
        told.send("entries")
        return int(told.recv())

    with (folder / "sink.log").open("wb") as log:
        process = subprocess.Popen([*command, "--data-dir", str(folder)], env=environment, stdout=log, stderr=log)
    try:
        while not (first := delivered()):
            assert process.poll() is None, (folder / "sink.log").read_text()
            time.sleep(0.005)
        began_s, before_s = time.monotonic(), cpu_s(psutil.Process(process.pid))
        while (done := delivered()) < users:
            assert process.poll() is None, (folder / "sink.log").read_text()
            time.sleep(0.02)
        took_s, used_s = time.monotonic() - began_s, cpu_s(psutil.Process(process.pid)) - before_s
    finally:
        process.terminate()
        process.wait(60)
    told.send("bodies")
    bodies: list[bytes] = told.recv()
    share = (done - first) / done
    show("segwire sink", done - first, round(len(bodies) * share), took_s, used_s)
    return bodies


async def plain(port: int, bodies: list[bytes]) -> None:
    left = iter(bodies)
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx2.AsyncClient(limits=limits, trust_env=False) as client:

        async def post() -> None:
            for body in left:
                headers = {"Content-Type": "application/json"}
                answer = await client.post(f"http://127.0.0.1:{port}/", content=body, headers=headers)
                assert answer.status_code == httpx2.codes.OK

        await asyncio.gather(*(post() for _ in range(CONNECTIONS)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--python", action="store_true", help="measure the checkout as it is, nothing compiled")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, receiver() as (told, port):
        folder = Path(made)
        wheel = ROOT if arguments.python else build(folder, compiled=True)
        with EmbeddedKafka(folder, port=0) as kafka:
            servers = kafka.bootstrap_servers
            settings = KafkaSettings(bootstrap_servers=servers, partitions=PARTITIONS, replication_factor=1)
            apply_topics(settings, topics_for([NAME]))
            prepare(servers, arguments.users)
            bodies = ours(folder, wheel, servers, port, told, arguments.users)
        entries = sum(body.count(b'"AAM_UUID"') for body in bodies)
        began_s, before_s = time.monotonic(), time.process_time()
        asyncio.run(plain(port, bodies))
        show("httpx2 alone", entries, len(bodies), time.monotonic() - began_s, time.process_time() - before_s)


if __name__ == "__main__":
    main()
