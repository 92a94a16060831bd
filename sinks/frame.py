"""The frame around a sink: it makes a processor of it, with retries, a breaker and dead letters."""

from collections import Counter
from collections.abc import Collection, Sequence

import structlog

from runtime import metrics
from runtime.clock import Clock
from runtime.dead_letters import dead_letter
from runtime.processor import Backpressure, InputRecord, OutputRecord
from schemas import headers
from sinks.breaker import Breaker, BreakerLimits, failed
from sinks.halves import write_in_halves
from sinks.sink import Outcome, Retriable, Sink, Tends

_log = structlog.get_logger()

_LIMITS = BreakerLimits()


def stage(name: str) -> str:
    """Return the stage of a sink's dead letters. Source: interfaces, *Topics*."""
    return f"sink:{name}"


class SinkProcessor:
    """Hosts one sink over one topic.

    Where the sink cannot write, the records wait in Kafka and come again; a record that it refuses for good becomes a
    dead letter in the same transaction as the input offsets.
    """

    def __init__(
        self, name: str, topic: str, dead_letters: str, sink: Sink, clock: Clock, limits: BreakerLimits = _LIMITS,
        tends: Tends | None = None,
    ) -> None:  # fmt: skip
        """Write records of `topic` to `sink`; `name` is the configured one, `dead_letters` the topic's name.

        `tends`: hears of partitions that are new to this process.
        """
        self._name = name
        self._topic = topic
        self._dead_letters = dead_letters
        self._sink = sink
        self._clock = clock
        self._limits = limits
        self._tends = tends
        self._tended: set[int] = set()
        self._breaker = Breaker()
        self._written = 0
        self._refused: Counter[str] = Counter()

    def process(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Write records.

        Raises:
            Backpressure: the sink takes nothing now.
        """
        wait_s = self._breaker.wait_s(self._clock.monotonic_s())
        if wait_s > 0:
            raise Backpressure(wait_s)
        began_s = self._clock.monotonic_s()
        try:
            outcomes = write_in_halves(self._sink.write, records)
        except Retriable as failure:
            raise self._failed(failure) from failure
        self._succeeded()
        metrics.SINK_WRITE_SECONDS.labels(sink=self._name).observe(self._clock.monotonic_s() - began_s)
        outputs = [self._output(outcome) for outcome in outcomes]
        self._written += len(records)
        return outputs

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:  # noqa: ARG002
        """Nothing is ever due; but partitions that are new are seen to."""
        self._tended &= set(partitions)
        new = sorted(set(partitions) - self._tended)
        if self._tends is None or not new or self._breaker.wait_s(self._clock.monotonic_s()) > 0:
            return ()
        try:
            self._tends.tend(new)
        except Retriable as failure:
            self._failed(failure)
        except Backpressure:
            pass  # in the next turn
        else:
            self._succeeded()
            self._tended.update(new)
        return ()

    def committed(self) -> None:
        """Count what is now done for good."""
        refused = sum(self._refused.values())
        metrics.SINK_RECORDS.labels(sink=self._name, result="written").inc(self._written - refused)
        metrics.SINK_RECORDS.labels(sink=self._name, result="refused").inc(refused)
        for error, count in self._refused.items():
            metrics.DEAD_LETTERS.labels(stage=stage(self._name), error=error).inc(count)
        self.aborted()

    def aborted(self) -> None:
        """Forget the counts: the same records come again."""
        self._written = 0
        self._refused.clear()

    def _failed(self, failure: Retriable) -> Backpressure:
        now_s = self._clock.monotonic_s()
        was_open = self._breaker.is_open
        self._breaker = failed(self._breaker, now_s, self._limits, failure.reason, failure.wait_s)
        metrics.SINK_FAILURES.labels(sink=self._name).inc()
        metrics.SINK_BREAKER_OPEN.labels(sink=self._name).set(self._breaker.is_open)
        wait_s = self._breaker.wait_s(now_s)
        if self._breaker.failures == 1 or (self._breaker.is_open and not was_open):
            _log.warning("sink_unavailable", sink=self._name, reason=failure.reason, breaker_open=self._breaker.is_open)
        return Backpressure(wait_s)

    def _succeeded(self) -> None:
        if self._breaker.failures:
            _log.info("sink_available_again", sink=self._name, failures=self._breaker.failures)
            self._breaker = Breaker()
        metrics.SINK_BREAKER_OPEN.labels(sink=self._name).set(0)

    def _output(self, outcome: Outcome) -> OutputRecord:
        if isinstance(outcome, OutputRecord):
            return outcome
        record = outcome.record
        self._refused[outcome.error] += 1
        received_at = headers.header_text(record.headers, headers.RECEIVED_AT_MS)
        return dead_letter(
            self._dead_letters,
            stage=stage(self._name),
            error=outcome.error,
            reason=outcome.reason,
            source=headers.header_text(record.headers, headers.SOURCE),
            key=record.key,
            value=record.value,
            origin=(self._topic, record.partition, record.offset),
            passed_on=None if received_at is None else [(headers.RECEIVED_AT_MS, received_at.encode())],
            original=record.headers,
        )
