"""Writes many records to given partitions of a topic, and sees that they are there."""

from confluent_kafka import KafkaError, Message, Producer

from runtime.errors import SegwireError
from runtime.kafka.clients import producer_config
from runtime.settings import KafkaSettings

_FLUSH_S = 60.0
_QUEUED_MAX = 50_000


class RecordWriter:
    """An idempotent producer for one topic. Blocks where much is not acknowledged yet."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        """Write to `topic`; the producer connects by itself."""
        self._topic = topic
        self._failed: KafkaError | None = None
        self._producer = Producer({**producer_config(kafka, linger_ms=20), "compression.type": "lz4"})

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        """Write a record, some time before `finish` returns."""
        self._producer.produce(self._topic, value, key, partition, on_delivery=self._note)
        if len(self._producer) >= _QUEUED_MAX:
            self.finish()

    def finish(self) -> None:
        """Return when everything is acknowledged.

        Raises:
            SegwireError: something is not.
        """
        left = self._producer.flush(_FLUSH_S)
        if left or self._failed is not None:
            reason = f"{left} records were not acknowledged" if self._failed is None else self._failed.str()
            raise SegwireError(
                f"{self._topic} does not take the records: {reason}; see segwire doctor, make the topic anew and "
                "begin again"
            )

    def _note(self, error: KafkaError | None, _: Message) -> None:
        self._failed = error or self._failed
