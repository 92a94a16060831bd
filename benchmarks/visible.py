"""How long a message takes from its POST until its row can be read in `segment-membership`, through all services.

    .venv/bin/python benchmarks/visible.py [--seconds 30] [--rate 100] [--commit-ms 200]

Runs `segwire up` as a user does: HTTP, one embedded broker, fan-out, membership, each in its own process. First as many
messages as go through, by --senders at once, for --seconds; then half as many (or --rate), evenly spaced. A message is
one user with ten segments. Seen is what a reader of committed records has been handed; the clock is one.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

import aiohttp
from confluent_kafka import Consumer, TopicPartition

from schemas.avro_codec import decode_key
from schemas.topics import SEGMENT_MEMBERSHIP

SEGMENTS = 10
_START_S = 180.0
_CALM_S = 60.0


class Reader(threading.Thread):
    """Notes when the first row of each user was there to be read."""

    def __init__(self, bootstrap_servers: str) -> None:
        super().__init__(daemon=True)
        self._config = {
            "bootstrap.servers": bootstrap_servers, "group.id": "benchmark-visible", "enable.auto.commit": False,
            "isolation.level": "read_committed", "fetch.wait.max.ms": 10, "fetch.queue.backoff.ms": 10,
        }  # fmt: skip
        self.seen_s: dict[str, float] = {}
        self.ending = False

    def run(self) -> None:
        """Read until `ending`."""
        consumer = Consumer(self._config)
        topic = SEGMENT_MEMBERSHIP.name
        partitions = consumer.list_topics(topic, 30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        while not self.ending:
            for message in consumer.consume(1000, 0.01):
                if message.error() is None:
                    self.seen_s.setdefault(decode_key(message.key() or b"").aam_uuid, time.monotonic())
        consumer.close()


def body(user: str) -> bytes:
    """Return a message about one user."""
    when = time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime())
    segments = [{"Segment_ID": str(14_000 + n), "Status": "1", "DateTime": when} for n in range(SEGMENTS)]
    users = [{"AAM_UUID": user, "DataPartner_UUID": user[:16], "Segments": segments}]
    return json.dumps({"Client_ID": "74323", "AAM_Destination_Id": "423", "User_count": "1", "Users": users}).encode()


class Traffic:
    """Sends messages, each about a new user, and notes when."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/aam/dev"
        self._dice = random.Random(time.time_ns())
        self.sent_s: dict[str, float] = {}
        self.refused = 0

    async def flood(self, senders: int, seconds: float) -> None:
        """Send as much as is taken."""
        until_s = time.monotonic() + seconds

        async def send(session: aiohttp.ClientSession) -> None:
            while time.monotonic() < until_s:
                await self._post(session)

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(send(session) for _ in range(senders)))

    async def pace(self, rate: float, seconds: float) -> None:
        """Send evenly spaced, however long the answers take."""
        begin_s, posts = time.monotonic(), []
        async with aiohttp.ClientSession() as session:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, begin_s + number / rate - time.monotonic()))
                posts.append(asyncio.ensure_future(self._post(session)))
            await asyncio.gather(*posts)

    async def _post(self, session: aiohttp.ClientSession) -> None:
        user = f"{self._dice.randrange(10**37, 10**38)}"
        began_s = time.monotonic()
        headers = {"Content-Type": "application/json"}
        async with session.post(self._url, data=body(user), headers=headers) as answer:
            if answer.status == 200:
                self.sent_s[user] = began_s
            else:
                self.refused += 1


class Phase(NamedTuple):
    """What a phase of traffic came to."""

    per_s: float
    text: str


def finish(name: str, traffic: Traffic, reader: Reader) -> Phase:
    """Wait until all is seen, and say how long it took."""
    deadline_s = time.monotonic() + _CALM_S
    while traffic.sent_s.keys() - reader.seen_s.keys() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    sent = {user: at_s for user, at_s in traffic.sent_s.items() if user in reader.seen_s}
    took_ms = sorted((reader.seen_s[user] - at_s) * 1000 for user, at_s in sent.items())
    per_s = len(sent) / (max(reader.seen_s[user] for user in sent) - min(sent.values()))
    cuts = quantiles(took_ms, n=100)
    text = (
        f"{name}: {len(sent)} messages, {per_s:.0f} a second; visible after ms p50 {cuts[49]:.0f}, p90 {cuts[89]:.0f}, "
        f"p99 {cuts[98]:.0f}, most {took_ms[-1]:.0f}; {len(traffic.sent_s) - len(sent)} not seen, "
        f"{traffic.refused} refused; load {os.getloadavg()[0]:.1f}"
    )
    return Phase(per_s, text)


def measure(told: dict[str, Any], options: argparse.Namespace) -> None:
    """Run the two phases."""
    reader = Reader(told["bootstrap_servers"])
    reader.start()
    url = told["urls"]["ingest"]
    traffic = Traffic(url)
    asyncio.run(traffic.flood(options.senders, options.seconds))
    full = finish("as much as goes", traffic, reader)
    print(full.text, flush=True)
    half = Traffic(url)
    rate = options.rate or full.per_s / 2
    asyncio.run(half.pace(rate, options.seconds))
    print(finish(f"{rate:.0f} a second", half, reader).text)
    reader.ending = True
    reader.join()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each phase")
    parser.add_argument("--senders", type=int, default=32, help="messages at once in the first phase")
    parser.add_argument("--rate", type=float, default=None, help="messages a second in the second phase; none: half")
    parser.add_argument("--commit-ms", type=int, default=200, help="commit interval of both processors")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="segwire-visible-") as name:
        ready = Path(name) / "ready.json"
        environment = {
            f"SEGWIRE_{service}__COMMIT_INTERVAL_MS": str(options.commit_ms) for service in ("FAN_OUT", "MEMBERSHIP")
        }
        command = [
            str(Path(sys.executable).with_name("segwire")), "up", "--no-ui", "--port", "0", "--ready-file", str(ready),
            "--data-dir", str(Path(name) / "data"),
        ]  # fmt: skip
        with (Path(name) / "log.txt").open("wb") as log:
            up = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            deadline_s = time.monotonic() + _START_S
            while not ready.exists():
                if up.poll() is not None or time.monotonic() > deadline_s:
                    raise SystemExit(f"segwire up did not start: {(Path(name) / 'log.txt').read_text()[-2000:]}")
                time.sleep(0.1)
            measure(json.loads(ready.read_text(encoding="utf-8")), options)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)


if __name__ == "__main__":
    main()
