"""A key that is rotated again and again while many connections send: nobody who signs rightly is ever refused."""

import http.client
import itertools
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from runtime.settings import KafkaSettings
from segwire.embedded.kafka.interface import KafkaServer
from segwire.simulator.signature import signing
from tests.support.harm import metric
from tests.support.ingest_process import JSON, IngestProcess, exchange, running_ingest, with_topics
from tests.support.kafka import wait_until
from tests.support.mounted import Mount
from tests.support.posts import body, user

REQUESTS = int(os.environ.get("ROTATION_REQUESTS", "2000"))
CONNECTIONS = 8
# Between two rotations, so that each is met by full traffic.
REQUESTS_PER_KEY = 500

pytestmark = pytest.mark.timeout(300 + REQUESTS // 50)


class Senders:
    """Connections that sign every message with the sender's key of that moment."""

    def __init__(self, ingest: IngestProcess, key: str) -> None:
        self.answers: Counter[int] = Counter()
        self.key = key
        self.answered = [key] * CONNECTIONS
        """With which key each connection's last answered message was signed."""
        self._ingest = ingest
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(place,)) for place in range(CONNECTIONS)]

    @property
    def sent(self) -> int:
        return sum(self.answers.values())

    @contextmanager
    def sending(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join()

    def _send(self, place: int) -> None:
        connection: http.client.HTTPConnection = self._ingest.connect()
        while not self._stopping.is_set():
            payload = body(user(), number=next(self._numbers))
            key = self.key
            signed = dict(signing(key.encode(), "sha1", "X-Signature")(payload))
            self.answers[exchange(connection, payload, {**JSON, **signed}, "/v1/aam/signed").status] += 1
            self.answered[place] = key
        connection.close()


@pytest.fixture
def topics(kafka: KafkaServer, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


def replaced(ingest: IngestProcess) -> float:
    """Return how often a secret was read anew."""
    exposition = ingest.get_management("/metrics").body.decode()
    found = re.search(r'^segwire_secret_reloads_total\{result="replaced"\} (\S+)$', exposition, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_no_request_is_refused_while_keys_are_rotated(topics: KafkaSettings, tmp_path: Path) -> None:
    """The receiver learns each key before the senders use it, and forgets it after they have stopped."""
    mount, config = Mount(tmp_path / "secrets"), tmp_path / "segwire.yaml"
    mount.publish(current="key-1", previous="key-0")
    keys = [{"secret_file": str(mount.path(name))} for name in ("current", "previous")]
    config.write_text(yaml.safe_dump({"sources": {"signed": {"hmac": {"keys": keys}}}}))
    with running_ingest(topics, tmp_path, ["--config", str(config)]) as ingest:
        senders, rotations, began_s = Senders(ingest, "key-0"), 0, time.monotonic()
        with senders.sending():
            while senders.sent < REQUESTS or rotations < 2:
                rotations += 1
                senders.key = key = f"key-{rotations}"
                wanted = senders.sent + REQUESTS_PER_KEY
                # What is on its way with the old key must be answered before that is forgotten.
                wait_until(
                    lambda: senders.sent >= wanted and set(senders.answered) == {key},  # noqa: B023 - called at once
                    f"{wanted} requests, and no older key in use",
                )
                mount.publish(current=f"key-{rotations + 1}", previous=f"key-{rotations}")
                read = 2 * rotations
                wait_until(
                    lambda: replaced(ingest) >= read,  # noqa: B023 - called at once
                    "the new keys are read",
                )
        took_s = time.monotonic() - began_s
        assert metric(ingest, "segwire_ingest_valid_keys") == 2
        old = dict(signing(b"key-0", "sha1", "X-Signature")(b"{}"))
        assert ingest.post(b"{}", {**JSON, **old}, "/v1/aam/signed").status == 401
    print(f"{senders.sent} signed requests over {rotations} rotations in {took_s:.1f} s: {dict(senders.answers)}")  # noqa: T201
    assert set(senders.answers) == {200}
    assert rotations >= 2
