"""Writes the input of a run."""

import threading
from collections.abc import Iterable
from itertools import islice

from confluent_kafka import KafkaError, Producer

from schemas.partitioning import partition_of
from tests.chaos.traffic import Input
from tests.support.kafka import LIMIT_S
from tests.support.processors import PARTITIONS

_CHUNK = 25
_PACE_S = 0.1


class Feeder:
    """Writes the stream at a steady pace, until it is told that enough has happened and there was enough of it."""

    def __init__(self, servers: str, topic: str, stream: Iterable[Input]) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "linger.ms": 2,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._topic = topic
        self._stream = iter(stream)
        self._enough = threading.Event()
        self._failures: list[KafkaError] = []
        self.sent = 0
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, least: int) -> None:
        """Stop, and see that at least so many were written, each of them acknowledged."""
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join()
        while self.sent < least:
            self._send(500)
        assert self._producer.flush(2 * LIMIT_S) == 0
        assert not self._failures, self._failures

    def _run(self) -> None:
        while not self._enough.wait(_PACE_S):
            self._send(_CHUNK)

    def _send(self, count: int) -> None:
        for made in islice(self._stream, count):
            partition = partition_of(made.aam_uuid, PARTITIONS)
            self._producer.produce(
                self._topic, made.value, made.aam_uuid.encode(), partition, on_delivery=self._note
            )  # fmt: skip
            self.sent += 1
        self._producer.poll(0)

    def _note(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self._failures.append(error)
