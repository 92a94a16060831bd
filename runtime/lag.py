"""How far a processor is behind, in records and in seconds."""

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from runtime import metrics
from runtime.clock import Clock

_REFRESH_S = 1.0


class LagMeter:
    """Sets the lag metrics, at most once a second, from what the consumer already knows."""

    def __init__(self, topic: str, clock: Clock, processor: str) -> None:
        """Measure against the ends that a consumer's fetches report."""
        self._topic = topic
        self._clock = clock
        self._records = metrics.LAG_RECORDS.labels(processor=processor)
        self._seconds = metrics.LAG_SECONDS.labels(processor=processor)
        self._refreshed_s = 0.0
        self._last_timestamp_ms = 0
        self.behind = 0

    def processed(self, timestamp_ms: int) -> None:
        """Note the timestamp of the last processed record."""
        self._last_timestamp_ms = timestamp_ms

    def refresh(self, consumer: Consumer, partitions: Iterable[int], next_offsets: Mapping[int, int]) -> None:
        """Set the metrics from the next offset of each partition and what `consumer` knows of its end."""
        now_s = self._clock.monotonic_s()
        if now_s - self._refreshed_s < _REFRESH_S:
            return
        self._refreshed_s = now_s
        positions = consumer.position([TopicPartition(self._topic, partition) for partition in partitions])
        self.behind = sum(self._behind(consumer, tp, next_offsets) for tp in positions)
        self._records.set(self.behind)
        late_ms = self._clock.now_ms() - self._last_timestamp_ms if self.behind and self._last_timestamp_ms else 0
        self._seconds.set(max(0, late_ms) / 1000)

    def _behind(self, consumer: Consumer, at: TopicPartition, next_offsets: Mapping[int, int]) -> int:
        # The position passes the markers of transactions, which are never handed out; unknown before the first fetch.
        next_offset = at.offset if at.offset >= 0 else next_offsets.get(at.partition, 0)
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, at.partition), cached=True)
        except KafkaException:
            return 0
        return max(0, high - max(next_offset, low)) if high >= 0 else 0
